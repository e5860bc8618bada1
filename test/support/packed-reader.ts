/**
 * A reader of packed checkpoints written from models/FORMAT.md alone: nothing of the package, and as plain as it can be. Numbers come out as they were in the
 * checkpoint that was packed, row by row.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";

export interface ReadTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

export interface ReadPacking {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, ReadTensor>;
}

type Entry = { dtype: string; shape: number[]; data_offsets: [number, number] };

export function readPacked(folder: string): ReadPacking {
  const index = `${folder}/model.safetensors.index.json`;
  const files = existsSync(index)
    ? [...new Set(Object.values<string>(JSON.parse(readFileSync(index, "utf8")).weight_map))]
    : ["model.safetensors"];
  const tensors = new Map<string, ReadTensor>();
  let metadata: Record<string, string> = {};
  for (const file of files) {
    const bytes = readFileSync(`${folder}/${file}`);
    const data = 8 + Number(bytes.readBigUInt64LE());
    const { __metadata__, ...entries } = JSON.parse(bytes.toString("utf8", 8, data));
    metadata = __metadata__;
    if (metadata["format"] !== "janus-packed" || metadata["version"] !== "1") throw new Error(`${file}: not packed`);
    for (const [name, { dtype, data_offsets }] of Object.entries<Entry>(entries)) {
      const [, layout = "", dims = "", sha256] = /^layout=(\S+) shape=(\S+) sha256=(\S+)$/.exec(metadata[name]!)!;
      const shape = dims.split(",").map(Number);
      const stored = bytes.subarray(data + data_offsets[0], data + data_offsets[1]);
      if (createHash("sha256").update(stored).digest("hex") !== sha256) throw new Error(`${name}: damaged`);
      const k = shape.slice(1).reduce((product, size) => product * size, 1);
      const values = new Float64Array(shape[0]! * k).map((_, at) =>
        element(stored, dtype, place(layout, Math.floor(at / k), at % k, k)),
      );
      tensors.set(name, { dtype, shape, values });
    }
  }
  for (const [name, { values }] of tensors) {
    const scales = tensors.get(name.replace(/weight$/, "scales"));
    if (name.endsWith(".weight") && scales) {
      const k = values.length / scales.values.length;
      values.forEach((value, at) => {
        values[at] = value * scales.values[Math.floor(at / k)]!;
      });
    }
  }
  return { metadata, tensors };
}

/** Where element (n, i) lies, counted in elements. */
function place(layout: string, n: number, i: number, k: number): number {
  if (layout === "panels8") return Math.floor(n / 8) * 8 * k + i * 8 + (n % 8);
  if (layout === "panels8x4")
    return Math.floor(n / 8) * 32 * Math.ceil(k / 4) + Math.floor(i / 4) * 32 + (n % 8) * 4 + (i % 4);
  return n * k + i;
}

function element(bytes: Buffer, dtype: string, at: number): number {
  if (dtype === "I8") return bytes.readInt8(at);
  if (dtype === "F32") return bytes.readFloatLE(4 * at);
  const bits = bytes.readUInt16LE(2 * at);
  if (dtype === "BF16") return new Float32Array(new Uint32Array([bits << 16]).buffer)[0]!;
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
