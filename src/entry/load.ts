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
import { readConfigFiles } from "../weights/config-files.js";
import type { WeightSource } from "../weights/source.js";
import type { DTypeOption } from "./options.js";
import { STORAGE_OF } from "./weights.js";

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
  const opening = openCheckpoint(source, signal);
  opening.catch(() => undefined); // Awaited below, unless the configuration is refused: of two errors that one is told.
  const files = await readConfigFiles(source, signal);
  const checkpoint = await opening;
  const table = checkpoint.find("embed_tokens.weight") ?? missingTable(checkpoint);
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

/**
 * Plans the memory for `threads` workers: every matrix as stored, with "fp32" widened, with "int8" those of the blocks in 8 bits. The patch embedding and the
 * aligner, 2 % of the work, stay as they are: in 8 bits they would cost as much accuracy as all blocks together.
 */
export function planMemory(model: OpenModel, dtype: DTypeOption, threads: number): ModelPlan {
  const storage = (role: string): MatrixStorage => {
    const tensor = model.bound.get(role);
    const stored = tensor ? STORAGE_OF[tensor.dtype] : STORAGE.f32;
    if (dtype === "int8" && role.startsWith("blocks.")) return { stored, panels: "int8" };
    return { stored, panels: dtype === "fp32" ? STORAGE.f32 : stored };
  };
  return planModel(model.config, storage, threads, CONTROL_BYTES);
}

/** The precision the matrices are kept in, by the field's name; where they differ, that of the first block's attention. */
export function keptDType(plan: ModelPlan): "fp32" | "bf16" | "fp16" | "int8" {
  const layer = plan.weights.blocks[0]?.qkv ?? plan.weights.patchEmbed;
  if ("scales" in layer) return "int8";
  const { storage } = layer;
  return storage === STORAGE.bf16 ? "bf16" : storage === STORAGE.f16 ? "fp16" : "fp32";
}
