import { COLOUR, type PngFile } from "./png-chunks.js";

const SAMPLES = { [COLOUR.grey]: 1, [COLOUR.rgb]: 3, [COLOUR.palette]: 1, [COLOUR.greyAlpha]: 2, [COLOUR.rgba]: 4 };

/** A reduced picture of an interlaced PNG: every `dx`th column from `x` of every `dy`th row from `y`. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly dx: number;
  readonly dy: number;
}

const WHOLE: readonly Pass[] = [{ x: 0, y: 0, dx: 1, dy: 1 }];
/** Adam7. */
const PASSES: readonly Pass[] = [
  { x: 0, y: 0, dx: 8, dy: 8 },
  { x: 4, y: 0, dx: 8, dy: 8 },
  { x: 0, y: 4, dx: 4, dy: 8 },
  { x: 2, y: 0, dx: 4, dy: 4 },
  { x: 0, y: 2, dx: 2, dy: 4 },
  { x: 1, y: 0, dx: 2, dy: 2 },
  { x: 0, y: 1, dx: 1, dy: 2 },
];

/** One row of the stream: its bytes after the filter's, and where its pixels go. */
export interface PngRow {
  /** Pixels. */
  readonly width: number;
  readonly bytes: number;
  /** First byte of the first pixel in packed RGB, and the bytes from there to the next one. */
  readonly to: number;
  readonly step: number;
  /** Whether it is the first of its pass: what is above it counts as zero. */
  readonly first: boolean;
}

/** The rows of a PNG in the order of its stream. */
export function* rowsOf({ width, height, depth, colourType, interlaced }: PngFile): Generator<PngRow> {
  for (const { x, y, dx, dy } of interlaced ? PASSES : WHOLE) {
    const columns = Math.ceil((width - x) / dx);
    if (columns <= 0) continue;
    const bytes = Math.ceil((columns * depth * SAMPLES[colourType]) / 8);
    for (let row = y; row < height; row += dy)
      yield { width: columns, bytes, to: (row * width + x) * 3, step: dx * 3, first: row === y };
  }
}

/** Bytes from a sample to the one of the pixel before, as filters count them. */
export function filterDistance({ depth, colourType }: PngFile): number {
  return Math.max(1, (depth * SAMPLES[colourType]) / 8);
}

/** Undoes a row's filter in place (PNG 3rd edition, 9.2). @throws Error for a filter that there is not. */
export function unfilter(filter: number, row: Uint8Array, above: Uint8Array, distance: number): void {
  const { length } = row;
  if (filter === 1) {
    for (let i = distance; i < length; i++) row[i] = row[i]! + row[i - distance]!;
  } else if (filter === 2) {
    for (let i = 0; i < length; i++) row[i] = row[i]! + above[i]!;
  } else if (filter === 3) {
    for (let i = 0; i < distance && i < length; i++) row[i] = row[i]! + (above[i]! >> 1);
    for (let i = distance; i < length; i++) row[i] = row[i]! + ((row[i - distance]! + above[i]!) >> 1);
  } else if (filter === 4) {
    for (let i = 0; i < distance && i < length; i++) row[i] = row[i]! + above[i]!;
    for (let i = distance; i < length; i++)
      row[i] = row[i]! + paeth(row[i - distance]!, above[i]!, above[i - distance]!);
  } else if (filter !== 0) {
    throw new Error(`there is no filter ${filter}`);
  }
}

function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** Puts the pixels of a row into packed RGB, as Pillow's `convert("RGB")` has them. */
export type PutRow = (row: Uint8Array, place: PngRow, rgb: Uint8Array) => void;

/**
 * Alpha and transparent colours are dropped, colours under them stay. Of 16 bits the high byte is taken; but grey of 16 bits without alpha, which Pillow opens as
 * `I;16`, is clipped at 255.
 */
export function putterOf({ depth, colourType, palette }: PngFile): PutRow {
  const bytes = depth / 8;
  if (colourType === COLOUR.rgb || colourType === COLOUR.rgba) return putColours(SAMPLES[colourType] * bytes, bytes);
  if (colourType === COLOUR.greyAlpha) return putGreys(2 * bytes, (row, at) => row[at]!);
  if (depth === 16) return putGreys(2, (row, at) => (row[at]! > 0 ? 255 : row[at + 1]!));
  return putLevels(depth, colourType === COLOUR.palette ? palette : greyLevels(depth));
}

/** Samples of whole bytes; `pixel` bytes a pixel and `sample` a sample. */
function putColours(pixel: number, sample: number): PutRow {
  return (row, { width, to, step }, rgb) => {
    if (pixel === 3 && step === 3) return rgb.set(row, to);
    for (let n = 0, from = 0, at = to; n < width; n++, from += pixel, at += step) {
      rgb[at] = row[from]!;
      rgb[at + 1] = row[from + sample]!;
      rgb[at + 2] = row[from + 2 * sample]!;
    }
  };
}

function putGreys(pixel: number, level: (row: Uint8Array, at: number) => number): PutRow {
  return (row, { width, to, step }, rgb) => {
    for (let n = 0, at = to; n < width; n++, at += step) rgb.fill(level(row, n * pixel), at, at + 3);
  };
}

/** Indices of up to 8 bits, the first in the highest bits; what is beyond the palette is black. */
function putLevels(depth: number, palette: Uint8Array): PutRow {
  const perByte = 8 / depth;
  const mask = 2 ** depth - 1;
  return (row, { width, to, step }, rgb) => {
    for (let n = 0, at = to; n < width; n++, at += step) {
      const shift = 8 - depth * ((n % perByte) + 1);
      const index = ((row[Math.floor(n / perByte)]! >> shift) & mask) * 3;
      rgb[at] = palette[index] ?? 0;
      rgb[at + 1] = palette[index + 1] ?? 0;
      rgb[at + 2] = palette[index + 2] ?? 0;
    }
  };
}

/** All levels of grey of so many bits, from black to white. */
function greyLevels(depth: number): Uint8Array {
  const count = 2 ** depth;
  return Uint8Array.from({ length: count * 3 }, (_, i) => (Math.floor(i / 3) * 255) / (count - 1));
}
