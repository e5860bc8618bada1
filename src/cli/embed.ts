import { Command } from "commander";
import type { EmbedResult, ModelInputs, Stages, Timings } from "../entry/janus.js";
import { Janus } from "../entry/node/index.js";
import { readConversation, readInputs, readRequests } from "../entry/node/input-files.js";
import { refuseExisting } from "../entry/node/output.js";
import { peakMemoryBytes } from "../entry/node/terminal.js";
import { writeSafetensors } from "../entry/node/write-safetensors.js";
import type { EmbedRequest } from "../entry/prepare.js";
import type { Tensor } from "../tensor.js";
import { collect } from "./collect.js";
import { addModelOptions, loadOptions, type ModelFlags, usage } from "./model-options.js";
import { loadingBar } from "./progress.js";
import { report } from "./report.js";

interface EmbedFlags extends ModelFlags {
  readonly question?: string;
  readonly prompt?: string;
  readonly conversation?: string;
  readonly requests?: string;
  readonly inputs?: string;
  readonly image?: readonly string[];
  readonly system?: string;
  readonly stages?: boolean;
  readonly output: string;
}

/** The flags that say what to embed: exactly one of them. */
const KINDS = ["question", "prompt", "conversation", "requests", "inputs"] as const;

/** `janus embed`: a question, prompt, conversation, batch of requests or recorded inputs to inputs_embeds and their masks. */
export function embedCommand(signal: AbortSignal): Command {
  const command = new Command("embed").description("embed a prompt with its images: inputs_embeds and masks");
  return addModelOptions(command)
    .option("-q, --question <text>", "a question about the images, in the reference's own conversation")
    .option("-p, --prompt <text>", "a prompt taken verbatim, with <image_placeholder> in it")
    .option("--conversation <file>", "a JSON list of { role, content, images? }")
    .option("--requests <file>", "one JSON request a line; one left-padded batch")
    .option("--inputs <file>", "safetensors with input_ids, pixel_values, images_seq_mask, images_emb_mask")
    .option("-i, --image <path>", "a picture; may be given several times", collect)
    .option("--system <text>", "system prompt instead of the checkpoint's; empty for none")
    .option("--stages", "write every stage, too")
    .requiredOption("-o, --output <file>", "safetensors file to write")
    .action((flags) => run(flags, signal));
}

async function run(flags: EmbedFlags, signal: AbortSignal): Promise<void> {
  const kinds = KINDS.filter((kind) => flags[kind] !== undefined);
  if (kinds.length !== 1) {
    const got = kinds.length === 0 ? "none" : kinds.map((kind) => `--${kind}`).join(" and ");
    throw usage(`embed: give exactly one of ${KINDS.map((kind) => `--${kind}`).join(", ")}, got ${got}`);
  }
  if (flags.system !== undefined && (flags.prompt !== undefined || flags.inputs !== undefined)) {
    throw usage(
      "embed: --system goes with a question, a conversation or requests; a prompt or recorded inputs are taken as they are",
    );
  }
  if (flags.inputs !== undefined && flags.image) {
    throw usage("embed: --inputs holds its own pixel_values; leave --image out");
  }
  const started = performance.now();
  await refuseExisting(flags.output, flags.force === true);
  const requests = flags.inputs === undefined ? await readRequest(flags, signal) : undefined;
  const inputs = flags.inputs === undefined ? undefined : await readInputs(flags.inputs, signal);
  const janus = await Janus.load(flags.model, { ...loadOptions(flags, signal), onProgress: loadingBar() });
  try {
    const loaded = performance.now();
    const options = { signal, stages: flags.stages === true };
    const result = inputs
      ? { ...inputs, ...(await janus.prepareInputsEmbeds(inputs, options)) }
      : await janus.embed(requests ?? [], options);
    const tensors = outputTensors(result);
    const computed = performance.now();
    await writeSafetensors(flags.output, tensors, { force: flags.force === true, signal });
    const end = performance.now();
    const { total: _, ...stages } = result.timings;
    const dims = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.dims]));
    const timings = { load: loaded - started, ...stages, write: end - computed, total: end - started };
    report(flags, { dims, runtime: janus.runtime, timings, peakMemoryBytes: peakMemoryBytes() });
  } finally {
    await janus.dispose();
  }
}

async function readRequest(flags: EmbedFlags, signal: AbortSignal): Promise<EmbedRequest | EmbedRequest[]> {
  const images = flags.image ?? [];
  const system = flags.system === undefined ? {} : { system: flags.system };
  if (flags.question !== undefined) return { question: flags.question, images, ...system };
  if (flags.prompt !== undefined) return { prompt: flags.prompt, images };
  if (flags.conversation !== undefined) {
    return { conversation: await readConversation(flags.conversation, signal), images, ...system };
  }
  return readRequests(flags.requests ?? "", images, system, signal);
}

type Embedded = Pick<EmbedResult, "inputsEmbeds" | "attentionMask"> &
  Omit<ModelInputs, "pixelValues"> & { readonly stages?: Stages; readonly timings: Timings };

/** What the file holds, by the reference's names. */
function outputTensors(result: Embedded): Record<string, Tensor> {
  return {
    inputs_embeds: result.inputsEmbeds,
    attention_mask: result.attentionMask,
    input_ids: result.inputIds,
    images_seq_mask: result.imagesSeqMask,
    images_emb_mask: result.imagesEmbMask,
    ...result.stages,
  };
}
