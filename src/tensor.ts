/** Element types by the field's names (onnxruntime, transformers.js). */
export type TensorType = "float32" | "int64" | "bool" | "uint8";

/** The array that holds each element type: `int64` as BigInt64Array, `bool` as Uint8Array of 0 and 1. */
export interface TensorData {
  float32: Float32Array<ArrayBuffer>;
  int64: BigInt64Array<ArrayBuffer>;
  bool: Uint8Array<ArrayBuffer>;
  uint8: Uint8Array<ArrayBuffer>;
}

/** A dense row-major array: structurally what the tensors of onnxruntime and transformers.js are made of. */
export interface Tensor<T extends TensorType = TensorType> {
  readonly type: T;
  readonly dims: readonly number[];
  readonly data: TensorData[T];
}

/** Number of elements of a shape; NaN when a dimension or the product is not a safe integer, so that every comparison with it fails. */
export function elements(dims: readonly number[]): number {
  let count = 1;
  for (const d of dims) count *= Number.isSafeInteger(d) && d >= 0 ? d : Number.NaN;
  return Number.isSafeInteger(count) ? count : Number.NaN;
}

/** `[2, 3]` as text, for messages. */
export function shapeText(dims: readonly number[]): string {
  return `[${dims.join(", ")}]`;
}
