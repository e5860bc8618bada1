import { narrowBF16 } from "./narrow.js";

/** What the floats of a file are stored as. */
export type FloatDtype = "fp32" | "bf16";

/** A float32 matrix [rows, columns] whose elements lie in pieces, in order. */
export interface FloatMatrix {
  readonly dims: readonly [rows: number, columns: number];
  readonly parts: readonly Float32Array<ArrayBuffer>[];
}

/** Elements narrowed at a time: a chunk of 2 MB. */
const PIECE = 2 ** 20;

/** Bytes of one element. */
export function floatBytes(dtype: FloatDtype): number {
  return dtype === "bf16" ? 2 : 4;
}

/** The bytes of floats: views of them as they are, or pieces of bfloat16. */
export function* floatChunks(
  parts: readonly Float32Array<ArrayBuffer>[],
  dtype: FloatDtype,
): Generator<Uint8Array<ArrayBuffer>> {
  for (const part of parts) {
    if (dtype === "fp32") {
      yield new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
      continue;
    }
    for (let at = 0; at < part.length; at += PIECE) {
      yield new Uint8Array(narrowBF16(part.subarray(at, at + PIECE)).buffer);
    }
  }
}
