import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { golden } from "./paths.js";

/** What Pillow and the original preprocessing made of one picture. Hashes are over packed RGB rows. */
export interface RecordedPicture {
  /** Path below the folder of expected.json. */
  file: string;
  format: string;
  mode: string;
  size: [width: number, height: number];
  rgb_sha256: string;
  /** The decoded pixels as PNG, for lossy files. */
  decoded?: string;
}

/** One square size of the preprocessing. */
export interface RecordedFit {
  resized_size: [width: number, height: number];
  offset: [x: number, y: number];
  resized_sha256: string;
  padded_sha256: string;
}

export const SIZES = [384, 96] as const;

/** The 34 pictures of the reference, with what the original makes of them at both sizes. */
export const pictures: (RecordedPicture & Record<"384" | "96", RecordedFit>)[] = record("preprocess").pictures;

/** Valid oddities recorded by preprocess-extra/make.py, and its resizes of a formula. */
export const extra: {
  pictures: RecordedPicture[];
  formula: { source: [number, number]; size: [number, number]; sha256: string }[];
} = record("preprocess-extra");

function record(folder: string) {
  return JSON.parse(readFileSync(golden(`${folder}/expected.json`), "utf8"));
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A tensor of preprocess/arrays.safetensors, which is known to be sound. */
export function recordedArray(name: string): { shape: number[]; bytes: Uint8Array<ArrayBuffer> } {
  const file = readFileSync(golden("preprocess/arrays.safetensors"));
  const data = 8 + Number(file.readBigUInt64LE());
  const entry = JSON.parse(file.toString("utf8", 8, data))[name];
  const [begin, end] = entry.data_offsets;
  return { shape: entry.shape, bytes: new Uint8Array(file.subarray(data + begin, data + end)) };
}
