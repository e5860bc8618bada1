import { JanusError } from "../errors.js";
import type { JanusConfig } from "../model/config.js";
import { parseConfig } from "../model/config.js";
import type { MatrixStorage, ModelPlan } from "../model/plan.js";
import { planModel } from "../model/plan.js";
import { requiredTensors } from "../model/tensors.js";
import { CONTROL_BYTES } from "../threads/control.js";
import { STORAGE } from "../wasm/abi.js";
import type { BoundTensor, Checkpoint } from "../weights/checkpoint.js";
import { openCheckpoint } from "../weights/checkpoint.js";
import type { WeightSource } from "../weights/source.js";
import { STORAGE_OF } from "./weights.js";

/** The most that a configuration or tokenizer file may hold: hundreds of times the real ones. */
const CONFIG_BYTES = 4 << 20;

/** A checkpoint opened and understood: nothing but headers and small files read. */
export interface OpenModel {
  readonly source: WeightSource;
  readonly checkpoint: Checkpoint;
  readonly config: JanusConfig;
  /** Every tensor in use, by role, the token table included. */
  readonly bound: ReadonlyMap<string, BoundTensor>;
  readonly embedTokens: BoundTensor;
}

/** Opens a checkpoint, reads its configuration and binds every tensor in use. */
export async function openModel(source: WeightSource, signal?: AbortSignal): Promise<OpenModel> {
  const config = await readFile(source, "config.json", CONFIG_BYTES, signal);
  if (!config)
    throw new JanusError("E_CONFIG", `${source.label}: config.json is missing; a checkpoint directory has one`);
  const [preprocessor, processor] = await Promise.all([
    readFile(source, "preprocessor_config.json", CONFIG_BYTES, signal),
    readFile(source, "processor_config.json", CONFIG_BYTES, signal),
  ]);
  const checkpoint = await openCheckpoint(source, signal);
  const table = checkpoint.find("embed_tokens.weight") ?? missingTable(checkpoint);
  const files = { config, ...(preprocessor && { preprocessor }), ...(processor && { processor }) };
  const parsed = parseConfig(files, table.shape, checkpoint.layout);
  const bound = checkpoint.bind(requiredTensors(parsed));
  const embedTokens = bound.get("embed_tokens.weight");
  if (!embedTokens) throw new JanusError("E_INTERNAL", "opening: the token table was not bound");
  return { source, checkpoint, config: parsed, bound, embedTokens };
}

/** Without a token table D is unknown: what binding says of it is all that can be said. */
function missingTable(checkpoint: Checkpoint): never {
  checkpoint.bind([{ role: "embed_tokens.weight", shape: [] }]);
  throw new JanusError("E_INTERNAL", "opening: the token table was found after all");
}

/** A small file of the checkpoint, or undefined when there is none. E_FORMAT beyond `limit` bytes. */
export async function readFile(
  source: WeightSource,
  path: string,
  limit: number,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const size = await source.size(path, signal);
  if (size === undefined) return undefined;
  if (size > limit) {
    throw new JanusError(
      "E_CONFIG",
      `${source.label}: ${path} has ${size} bytes, more than the ${limit} that such a file may have`,
    );
  }
  return source.read(path, 0, size, signal);
}

/** Plans the memory for `threads` workers. `wide` keeps every matrix in f32. */
export function planMemory(model: OpenModel, wide: boolean, threads: number): ModelPlan {
  const storage = (role: string): MatrixStorage => {
    const tensor = model.bound.get(role);
    const stored = tensor ? STORAGE_OF[tensor.dtype] : STORAGE.f32;
    return { stored, panels: wide ? STORAGE.f32 : stored };
  };
  return planModel(model.config, storage, threads, CONTROL_BYTES);
}

/** The precision the matrices are kept in, by the field's name; where they differ, that of the first block's attention. */
export function keptDType(plan: ModelPlan): "fp32" | "bf16" | "fp16" {
  const { storage } = plan.weights.blocks[0]?.qkv ?? plan.weights.patchEmbed;
  return storage === STORAGE.bf16 ? "bf16" : storage === STORAGE.f16 ? "fp16" : "fp32";
}
