import { JanusError, quote } from "../errors.js";

/** How weights are kept: as stored, widened to f32, or those of the blocks in 8 bits. */
export type DTypeOption = "auto" | "fp32" | "int8";

/**
 * Progress of loading, named as transformers.js names it. `file` is the model as it was named, for the weights, or a small file that is fetched whole;
 * `download` comes when bytes are asked of a server.
 */
export type ProgressEvent =
  | { readonly status: "initiate"; readonly file: string }
  | { readonly status: "download"; readonly file: string }
  | {
      readonly status: "progress";
      readonly file: string;
      readonly progress: number;
      readonly loaded: number;
      readonly total: number;
    }
  | { readonly status: "done"; readonly file: string }
  | { readonly status: "ready" };

export interface LoadOptions {
  /** `"auto"`: the checkpoint's own precision. `"fp32"`: widened; twice the memory of bf16, the same numbers. */
  readonly dtype?: DTypeOption;
  /** 1 to 64, also above the core count; `"auto"`: what the host grants, and one for a model so small that sharing an image gains nothing. */
  readonly threads?: "auto" | number;
  /** `"auto"`: the fastest that this engine runs. An asked-for variant is never replaced: E_UNSUPPORTED. */
  readonly variant?: "auto" | "simd" | "relaxed";
  /**
   * `"none"` (the default) leaves the engine's flags alone. `"auto"` tries those that its host offers, for the whole process, and keeps what
   * makes large models faster: on Node 24 and later V8's revectorizer, twice the speed. `runtime.engineFlags` names them.
   */
  readonly engineFlags?: "auto" | "none";
  /**
   * Compares a packed checkpoint with its checksums before it is loaded, which reads every byte of it, and what is read again later (weights that stream, rows of the token
   * table) with what it was then, each time: E_INTEGRITY names what is damaged.
   */
  readonly verify?: boolean;
  /**
   * `"resident"` (the default) keeps all weights in memory. `"stream"` keeps those that fit the `memoryBudget` and reads the others for every image, each
   * while the one before is computed: the same bytes, in a sixth of the memory. Made for packed checkpoints, which are read to their places; others are packed
   * every time.
   */
  readonly residency?: "resident" | "stream";
  /**
   * Bytes for what this model holds: WebAssembly memory, and rooms that weights are read to. Too few are E_OOM, with what is needed; so is later a picture
   * that does not fit. Without one a resident model takes what it needs, and a streamed one as little as it can.
   */
  readonly memoryBudget?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: ProgressEvent) => void;
}

const MAX_THREADS = 64;
const DTYPES: readonly unknown[] = ["auto", "fp32", "int8"];
const ENGINE_FLAGS: readonly unknown[] = ["auto", "none"];
const RESIDENCIES: readonly unknown[] = ["resident", "stream"];
const VARIANT_CHOICES: readonly unknown[] = ["auto", "simd", "relaxed"];

/** Checks the options that come from outside. E_USAGE names the option, what it takes and what it got. */
export function checkLoadOptions(options: LoadOptions): void {
  const { dtype = "auto", threads = "auto", variant = "auto", engineFlags = "none", verify = false } = options;
  if (!DTYPES.includes(dtype)) throw usage("dtype", "auto, fp32 or int8", dtype);
  if (!VARIANT_CHOICES.includes(variant)) throw usage("variant", "auto, simd or relaxed", variant);
  if (!ENGINE_FLAGS.includes(engineFlags)) throw usage("engineFlags", "auto or none", engineFlags);
  const { residency = "resident", memoryBudget } = options;
  if (!RESIDENCIES.includes(residency)) throw usage("residency", "resident or stream", residency);
  if (memoryBudget !== undefined && !(Number.isSafeInteger(memoryBudget) && memoryBudget > 0))
    throw usage("memoryBudget", "a whole number of bytes", memoryBudget);
  if (typeof verify !== "boolean") throw usage("verify", "true or false", verify);
  if (threads !== "auto" && !(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS)) {
    throw usage("threads", `auto or a whole number from 1 to ${MAX_THREADS}`, threads);
  }
}

function usage(option: string, expected: string, got: unknown): JanusError {
  return new JanusError("E_USAGE", `loading: ${option} must be ${expected}, got ${quote(got)}`, { origin: "usage" });
}
