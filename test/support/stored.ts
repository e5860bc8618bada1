import { STORAGE, type Storage } from "#dist/wasm/abi.js";
import { widenBF16, widenF16 } from "#dist/weights/widen.js";
import { random } from "./numbers.js";

export const STORAGES = Object.entries(STORAGE) as readonly (readonly [keyof typeof STORAGE, Storage])[];

/** Numbers as a file stores them, and what they are worth. */
export interface Stored {
  readonly bits: Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly values: Float32Array<ArrayBuffer>;
}

/** Random numbers below 1 in any storage. */
export function stored(count: number, seed: number, storage: Storage): Stored {
  const values = random(count, seed);
  if (storage === STORAGE.f32) return { bits: values, values };
  const words = new Uint32Array(values.buffer);
  if (storage === STORAGE.bf16) {
    const bits = Uint16Array.from(words, (word) => word >>> 16);
    return { bits, values: widenBF16(bits) };
  }
  // Any sign and fraction, exponents from 2^-12 (a few subnormals with it) to 2^-1.
  const bits = Uint16Array.from(words, (word) => ((word >>> 31) << 15) | (((word >>> 12) % 13) << 10) | (word & 1023));
  return { bits, values: widenF16(bits) };
}
