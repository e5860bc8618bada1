// Reads tensors of one safetensors file: 8 bytes with the length of a JSON header, the header, then the data of every tensor.
import { open } from "node:fs/promises";

/**
 * @param {string} path
 * @param {(name: string) => boolean} wanted
 * @returns {Promise<Map<string, { shape: number[], data: Float32Array }>>} BF16 widened to float32, which is exact; F32 as it is.
 */
export async function readWeights(path, wanted) {
  const file = await open(path);
  try {
    const { buffer: prefix } = await file.read(new Uint8Array(8), 0, 8, 0);
    const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
    const { buffer: text } = await file.read(new Uint8Array(length), 0, length, 8);
    /** @type {Record<string, { dtype: string, shape: number[], data_offsets: [number, number] }>} */
    const header = JSON.parse(new TextDecoder().decode(text));
    const weights = new Map();
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
      if (name === "__metadata__" || !wanted(name)) continue;
      const [begin, end] = data_offsets;
      const { buffer: bytes } = await file.read(new Uint8Array(end - begin), 0, end - begin, 8 + length + begin);
      weights.set(name, { shape, data: widen(dtype, bytes.buffer) });
    }
    return weights;
  } finally {
    await file.close();
  }
}

/**
 * @param {string} dtype
 * @param {ArrayBuffer} buffer
 */
function widen(dtype, buffer) {
  if (dtype === "F32") return new Float32Array(buffer);
  if (dtype !== "BF16") throw new Error(`expected F32 or BF16, got ${dtype}`);
  // A bfloat16 is the upper half of a float32.
  return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
}
