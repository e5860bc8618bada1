import { JanusError } from "../errors.js";
import type { Placement } from "../model/plan.js";
import { imageFlop } from "../model/work.js";
import type { WorkerHandle } from "../threads/protocol.js";
import type { Variant } from "../wasm/variants.js";
import { storedRowBytes } from "../weights/bound-tensor.js";
import { verifyCompactFile } from "./compact-file.js";
import { Engine } from "./engine.js";
import { takeEngineFlags } from "./engine-flags.js";
import type { Host, ModelInput } from "./host.js";
import type { OpenModel } from "./load.js";
import { keptDType, openModel } from "./load.js";
import type { LoadOptions } from "./options.js";
import { checkLoadOptions } from "./options.js";
import { planResidency } from "./residency.js";
import { streamWeights } from "./streamed-weights.js";
import { chooseVariant } from "./variant.js";
import { loadingReads, loadWeights } from "./weights.js";

/** What runs, and why: `janus.runtime`. */
export interface Runtime {
  readonly variant: Variant;
  readonly threads: number;
  /** The precision the matrices are kept in. */
  readonly dtype: "fp32" | "bf16" | "fp16" | "int8";
  /** Rows x columns of the register tile that the matrices are multiplied with. */
  readonly tile: string;
  /** Whether a multiply-add rounds once. */
  readonly fma: boolean;
  /** What the relaxed 8-bit dot does on this engine: exact (unsigned or signed), saturating, or absent from the variant. */
  readonly dot8: string;
  readonly engine: string;
  readonly engineFlags: readonly string[];
  /** Bytes of weights in memory. */
  readonly weightBytes: number;
  /** Whether all weights stay in memory, or some are read for every image. */
  readonly residency: "resident" | "stream";
  /** Bytes planned: WebAssembly memory, and rooms beside it that weights are read to. It grows for a large picture alone, within the budget. */
  readonly memoryBytes: number;
  /** What was not as asked or expected, in words. */
  readonly notes: readonly string[];
}

export interface StartedModel {
  readonly model: OpenModel;
  readonly engine: Engine;
  readonly runtime: Runtime;
  /** Memory is scarce: what can wait is not done beside. */
  readonly sparing: boolean;
  /** Closes the source and ends what the host started. */
  readonly close: () => Promise<void>;
}

/** Timing the tiles takes about 10 ms, and the right one saves up to half of an image: models below 40 ms an image do without. */
const TIMED_FLOP = 2e9;

/**
 * Of a smaller model threads share nothing that is worth it: an image of the demo model (0.06e9, 2.5 ms) takes as long on two as on one, and a second
 * one takes 35 ms of processor time to start. About 5 ms an image.
 */
const SHARED_FLOP = 0.25e9;

/** Opens a checkpoint, chooses a binary, starts the workers and loads the weights; on any error nothing is left running. */
export async function startModel(host: Host, model: ModelInput, options: LoadOptions): Promise<StartedModel> {
  checkLoadOptions(options);
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const asked = options.threads ?? "auto";
  checkThreads(host, asked);
  const source = await host.openModel(model, signal, onProgress);
  const granted = asked === "auto" ? host.availableThreads() : asked;
  // Workers take longest to start, and need nothing for it: the files are read meanwhile.
  const workers = Array.from({ length: asked === "auto" ? 1 : asked }, () => host.startWorker());
  let engine: Engine | undefined;
  try {
    onProgress?.({ status: "initiate", file: source.label });
    const variant = options.variant ?? "auto";
    const opened = await openModel(source, signal);
    const { config } = opened;
    const flop = imageFlop(config);
    const threads = asked === "auto" && flop < SHARED_FLOP ? 1 : granted;
    while (workers.length < threads) workers.push(host.startWorker());
    const worthTiming = flop >= TIMED_FLOP;
    // The first prompt of a small model would wait longer for a thread than for everything else.
    if (!worthTiming) host.expectPrompt();
    const { dtype: asDtype = "auto", residency = "resident", memoryBudget } = options;
    const canShare = host.sharesMemory ?? typeof SharedArrayBuffer !== "undefined";
    const planned = await planResidency(opened, { dtype: asDtype, threads, residency, memoryBudget, canShare });
    const { plan, shared, stream } = planned;
    if (options.verify) {
      // What is loaded is compared once more: it is read again.
      await opened.checkpoint.verify(stream?.reads ?? loadingReads(opened.bound, plan.placements), signal);
      await verifyCompactFile(source, signal);
    }
    // Flags of the engine come before everything that is compiled.
    const tryFlags = options.engineFlags === "auto" && worthTiming;
    const flagNotes = tryFlags ? await takeEngineFlags(host, variant, threads) : [];
    const chosen = await chooseVariant(host, variant, threads, shared);
    const { module, tiles } = chosen;
    const startWorker = (): WorkerHandle => workers.shift() ?? host.startWorker();
    engine = await Engine.start({ module, threads, config, plan, tiles, startWorker, shared, waits: canShare });
    const dtype = keptDType(plan);
    const kinds = dtype === "int8" ? (["float", "int8"] as const) : (["float"] as const);
    const tileNotes = worthTiming ? await engine.timeTiles(kinds, signal) : [];
    const total = storedBytes(opened, plan.placements);
    if (source.remote) onProgress?.({ status: "download", file: source.label });
    const onBytes = (loaded: number): void =>
      onProgress?.({ status: "progress", file: source.label, progress: (100 * loaded) / total, loaded, total });
    const { checkpoint, bound } = opened;
    if (stream) {
      engine.reside(await streamWeights(engine, checkpoint, bound, plan, stream, onBytes, signal));
    } else {
      await loadWeights(engine, checkpoint, bound, plan.placements, onBytes, signal);
      engine.endPacking();
      if (dtype === "int8") await engine.sumInt8Columns(signal);
    }
    onProgress?.({ status: "done", file: source.label });
    const runtime: Runtime = {
      variant: chosen.variant,
      threads,
      dtype,
      tile: engine.tiles[dtype === "int8" ? "int8" : "float"],
      fma: chosen.fma,
      dot8: chosen.dot8,
      engine: host.engine,
      engineFlags: host.engineFlags(),
      weightBytes: plan.weightBytes,
      residency: stream ? "stream" : "resident",
      memoryBytes: planned.bytes,
      // Looked up: what a server or a cache refuses may be met at the first prompt.
      get notes() {
        return [
          ...hostNotes(host),
          ...chosen.notes,
          ...flagNotes,
          ...tileNotes,
          ...planned.notes,
          ...config.warnings,
          ...(source.notes ?? []),
        ];
      },
    };
    onProgress?.({ status: "ready" });
    const close = async (): Promise<void> => {
      await source.close();
      await host.dispose();
    };
    return { model: opened, engine, runtime, sparing: stream !== undefined || memoryBudget !== undefined, close };
  } catch (error) {
    await engine?.dispose();
    await Promise.all(workers.map((worker) => worker.terminate()));
    await source.close();
    await host.dispose();
    signal?.throwIfAborted();
    throw error;
  }
}

/** Threads that were asked for are never fewer without a word, and a request is no wish: E_UNSUPPORTED. */
function checkThreads({ oneThread }: Host, asked: "auto" | number): void {
  if (oneThread === undefined || asked === "auto" || asked === 1) return;
  throw new JanusError(
    "E_UNSUPPORTED",
    `loading: threads must be 1 or auto here, got ${asked}: ${oneThread}; leave it out`,
    { origin: "usage" },
  );
}

function hostNotes({ oneThread }: Host): readonly string[] {
  return oneThread === undefined ? [] : [`1 thread: ${oneThread}`];
}

/** Bytes that loading reads. */
function storedBytes({ bound }: OpenModel, placements: readonly Placement[]): number {
  let total = 0;
  for (const { role } of placements) {
    const tensor = bound.get(role);
    if (tensor) total += storedRowBytes(tensor) * (tensor.shape[0] ?? 1);
  }
  return total;
}
