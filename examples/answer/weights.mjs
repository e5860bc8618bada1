// Reads tensors of one safetensors file, wherever it lies: 8 bytes with the length of a JSON header, the header, then the data of every tensor.

/**
 * @param {(offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>} read bytes of the file, in a buffer of their own
 * @param {(name: string) => boolean} wanted
 * @returns {Promise<Map<string, { shape: number[], data: Float32Array }>>} BF16 widened to float32, which is exact; F32 as it is.
 */
export async function readTensors(read, wanted) {
  const prefix = await read(0, 8);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  /** @type {Record<string, { dtype: string, shape: number[], data_offsets: [number, number] }>} */
  const header = JSON.parse(new TextDecoder().decode(await read(8, length)));
  const weights = new Map();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === "__metadata__" || !wanted(name)) continue;
    const [begin, end] = data_offsets;
    const bytes = await read(8 + length + begin, end - begin);
    weights.set(name, { shape, data: widen(dtype, bytes.buffer) });
  }
  return weights;
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
