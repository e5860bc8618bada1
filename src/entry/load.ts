import { JanusError } from "../errors.js";
import type { JanusConfig } from "../model/config.js";
import { parseConfig } from "../model/config.js";
import type { MatrixStorage, ModelPlan, Residency } from "../model/plan.js";
import { planModel } from "../model/plan.js";
import { requiredTensors } from "../model/tensors.js";
import { CONTROL_BYTES } from "../threads/control.js";
import { STORAGE } from "../wasm/abi.js";
import type { BoundTensor } from "../weights/bound-tensor.js";
import type { Checkpoint } from "../weights/checkpoint.js";
import { openCheckpoint } from "../weights/checkpoint.js";
import { readConfigFiles } from "../weights/config-files.js";
import { isWeightDtype, type WeightDtype } from "../weights/dtype.js";
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
  readonly embedTokens: BoundTensor & { readonly dtype: WeightDtype };
}

/** Opens a checkpoint, reads its configuration and binds every tensor in use. */
export async function openModel(source: WeightSource, signal?: AbortSignal): Promise<OpenModel> {
  const opening = openCheckpoint(source, signal);
  opening.catch(() => undefined); // Awaited below, unless the configuration is refused: of two errors that one is told.
  const files = await readConfigFiles(source, signal);
  const checkpoint = await opening;
  const parsed = parseConfig(files, checkpoint.tableShape() ?? missingTable(checkpoint), checkpoint.layout);
  const bound = checkpoint.bind(requiredTensors(parsed));
  const table = bound.get("embed_tokens.weight");
  const dtype = table?.dtype ?? "I8";
  if (!table || !isWeightDtype(dtype)) throw new JanusError("E_INTERNAL", "opening: the token table was not bound");
  return { source, checkpoint, config: parsed, bound, embedTokens: { ...table, dtype } };
}

/** Without a token table D is unknown: what binding says of it is all that can be said. */
function missingTable(checkpoint: Checkpoint): never {
  checkpoint.bind([{ role: "embed_tokens.weight", shape: [] }]);
  throw new JanusError("E_INTERNAL", "opening: the token table was found after all");
}

/**
 * What "int8" keeps in 8 bits: the matrices of the blocks. The patch embedding and the aligner, 2 % of the work, stay as they are: in 8 bits they would cost as
 * much accuracy as all blocks together.
 */
export function isBlockMatrix(role: string): boolean {
  return role.startsWith("blocks.");
}

/** Plans the memory for `threads` workers: every matrix as stored, with "fp32" widened, with "int8" those that `inInt8` takes in 8 bits. */
export function planMemory(
  model: OpenModel,
  dtype: DTypeOption,
  threads: number,
  inInt8: (role: string) => boolean = isBlockMatrix,
  residency?: Residency,
): ModelPlan {
  checkPacked(model.checkpoint, dtype);
  const storage = (role: string): MatrixStorage => {
    const { dtype: stored, layout } = model.bound.get(role)!;
    const packed = layout !== undefined;
    if (stored === "I8" || (dtype === "int8" && !packed && inInt8(role)))
      return { packed, stored: "int8", panels: "int8" };
    return { packed, stored: STORAGE_OF[stored], panels: dtype === "fp32" ? STORAGE.f32 : STORAGE_OF[stored] };
  };
  return planModel(model.config, storage, threads, CONTROL_BYTES, residency);
}

/** Weights in 8 bits are made of the original ones, and nothing makes those again. */
function checkPacked({ packed }: Checkpoint, dtype: DTypeOption): void {
  if (packed === undefined || dtype === "auto" || (packed === "int8") === (dtype === "int8")) return;
  throw new JanusError(
    "E_UNSUPPORTED",
    `loading: dtype ${dtype} cannot be made of a checkpoint packed in ${packed}; load the original, or pack it with --dtype ${dtype}`,
    { origin: "usage" },
  );
}

/** The precision the matrices are kept in, by the field's name; where they differ, that of the first block's attention. */
export function keptDType(plan: ModelPlan): "fp32" | "bf16" | "fp16" | "int8" {
  const layer = plan.weights.blocks[0]?.qkv ?? plan.weights.patchEmbed;
  if ("scales" in layer) return "int8";
  const { storage } = layer;
  return storage === STORAGE.bf16 ? "bf16" : storage === STORAGE.f16 ? "fp16" : "fp32";
}
