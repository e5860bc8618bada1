/**
 * Bits of one element of every dtype the safetensors format names (safetensors/src/tensor.rs, `Dtype::bitsize`). Most are never
 * computed with, but their size is needed to prove that a file is covered exactly.
 */
export const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ["BOOL", 8],
  ["F4", 4],
  ["F6_E2M3", 6],
  ["F6_E3M2", 6],
  ["U8", 8],
  ["I8", 8],
  ["F8_E5M2", 8],
  ["F8_E4M3", 8],
  ["F8_E8M0", 8],
  ["F8_E4M3FNUZ", 8],
  ["F8_E5M2FNUZ", 8],
  ["I16", 16],
  ["U16", 16],
  ["F16", 16],
  ["BF16", 16],
  ["I32", 32],
  ["U32", 32],
  ["F32", 32],
  ["C64", 64],
  ["F64", 64],
  ["I64", 64],
  ["U64", 64],
]);

/** What a weight may be stored as. */
export type WeightDtype = "F32" | "F16" | "BF16";

/** What a bound tensor is stored as: 8 bits in packed checkpoints alone. */
export type BoundDtype = WeightDtype | "I8";

export function isWeightDtype(dtype: string): dtype is WeightDtype {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/** Bytes of one element of a dtype of whole bytes. */
export function dtypeBytes(dtype: string): number {
  return (DTYPE_BITS.get(dtype) ?? Number.NaN) / 8;
}

/** Elements of a shape; undefined as soon as a partial product leaves the safe integers, as Rust's checked multiplication does. */
export function checkedElements(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const dimension of shape) {
    count *= dimension;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}
