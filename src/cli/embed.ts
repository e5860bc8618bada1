import { namedTensors } from "../entry/hand-over.js";
import { Janus } from "../entry/node/index.js";
import { readConversation, readInputs, readRequests } from "../entry/node/input-files.js";
import { peakMemoryBytes } from "../entry/node/terminal.js";
import type { EmbedRequest } from "../entry/prepare.js";
import { JanusError } from "../errors.js";
import type { EmbedFlags } from "./commands/embed.js";
import { loadOptions } from "./commands/model-options.js";
import { destination, target, writeOutput } from "./output.js";
import { loadingBar } from "./progress.js";
import { report } from "./report.js";

/** The flags that say what to embed: exactly one of them. */
const KINDS = ["question", "prompt", "conversation", "requests", "inputs"] as const;

/** Runs `janus embed`. What can be refused without the model is refused before it is loaded. */
export async function embed(flags: EmbedFlags, signal: AbortSignal): Promise<void> {
  checkFlags(flags);
  const started = performance.now();
  const requests = flags.inputs === undefined ? await readRequest(flags, signal) : [];
  const files = [flags.conversation, flags.requests, flags.inputs, ...requests.flatMap(imagesOf)];
  const judged = await target("embed", flags, files);
  const inputs = flags.inputs === undefined ? undefined : await readInputs(flags.inputs, signal);
  const to = await destination(judged, inputs?.inputIds.dims[0] ?? requests.length);
  const janus = await Janus.load(flags.model, { ...loadOptions(flags, signal), onProgress: loadingBar() });
  try {
    const loaded = performance.now();
    const options = { signal, stages: flags.stages === true };
    const result = inputs ? await embedInputs(janus, inputs, options) : await janus.embed(requests, options);
    const computed = performance.now();
    const tensors = namedTensors(result);
    const dims = await writeOutput(to, { tensors, rows: "inputs_embeds", mask: "attention_mask" }, signal);
    const end = performance.now();
    const { total: _, ...stages } = result.timings;
    const timings = { load: loaded - started, ...stages, write: end - computed, total: end - started };
    report(to, flags, { dims, runtime: janus.runtime, timings, peakMemoryBytes: peakMemoryBytes() });
  } finally {
    await janus.dispose();
  }
}

function checkFlags(flags: EmbedFlags): void {
  const kinds = KINDS.filter((kind) => flags[kind] !== undefined);
  if (kinds.length !== 1) {
    const got = kinds.length === 0 ? "none" : kinds.map((kind) => `--${kind}`).join(" and ");
    throw usage(`expected exactly one of ${KINDS.map((kind) => `--${kind}`).join(", ")}, got ${got}`);
  }
  if (flags.system !== undefined && (flags.prompt !== undefined || flags.inputs !== undefined)) {
    throw usage("--system goes with a question, a conversation or requests; a prompt and inputs are taken as they are");
  }
  if (flags.inputs !== undefined && flags.image) {
    throw usage("--inputs holds its own pixel_values; leave --image out");
  }
}

function usage(message: string): JanusError {
  return new JanusError("E_USAGE", `embed: ${message}; see janus embed --help`);
}

async function readRequest(flags: EmbedFlags, signal: AbortSignal): Promise<EmbedRequest[]> {
  const images = flags.image ?? [];
  const system = flags.system === undefined ? {} : { system: flags.system };
  if (flags.question !== undefined) return [{ question: flags.question, images, ...system }];
  if (flags.prompt !== undefined) return [{ prompt: flags.prompt, images }];
  if (flags.conversation !== undefined) {
    return [{ conversation: await readConversation(flags.conversation, signal), images, ...system }];
  }
  return readRequests(flags.requests ?? "", images, system, signal);
}

/** Pictures of a request that are named, of its messages too. What is not a list is refused where requests are rendered. */
function imagesOf(request: EmbedRequest): unknown[] {
  const messages = "conversation" in request && Array.isArray(request.conversation) ? request.conversation : [];
  return [request, ...messages].flatMap(({ images }) => (Array.isArray(images) ? images : []));
}

type Inputs = Awaited<ReturnType<typeof readInputs>>;

/** As `embed` of requests; pixel_values are no result, except as a stage. */
async function embedInputs(
  janus: Janus,
  { pixelValues, ...inputs }: Inputs,
  options: { readonly signal: AbortSignal; readonly stages: boolean },
) {
  return { ...inputs, ...(await janus.prepareInputsEmbeds({ ...inputs, pixelValues }, options)) };
}
