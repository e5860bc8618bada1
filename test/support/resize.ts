import type { RgbImage } from "#dist/image/pixels.js";
import { bicubicTable, type ResampleTable } from "#dist/image/resample.js";

/** Pillow's bicubic resize, slow and plain: horizontal pass, then vertical, u8 between, a pass of unchanged size left out. */
export function resize(image: RgbImage, width: number, height: number): Uint8Array {
  const rows =
    image.width === width
      ? image.data
      : horizontal(image.data, image.width, image.height, bicubicTable(image.width, width));
  return image.height === height ? rows : vertical(rows, width * 3, bicubicTable(image.height, height));
}

/** The square of `side` pixels, `level` everywhere but where the picture lies. */
export function pad(rgb: Uint8Array, width: number, x: number, y: number, side: number, level: number): Uint8Array {
  const square = new Uint8Array(side * side * 3).fill(level);
  for (let row = 0; row * width * 3 < rgb.length; row++) {
    square.set(rgb.subarray(row * width * 3, (row + 1) * width * 3), ((y + row) * side + x) * 3);
  }
  return square;
}

function horizontal(source: Uint8Array, sourceWidth: number, rows: number, table: ResampleTable): Uint8Array {
  const width = table.bounds.length / 2;
  const out = new Uint8Array(rows * width * 3);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        out[(y * width + x) * 3 + c] = pixel(table, x, (at) => source[(y * sourceWidth + at) * 3 + c]!);
      }
    }
  }
  return out;
}

function vertical(source: Uint8Array, rowElements: number, table: ResampleTable): Uint8Array {
  const height = table.bounds.length / 2;
  const out = new Uint8Array(height * rowElements);
  for (let y = 0; y < height; y++) {
    for (let e = 0; e < rowElements; e++) {
      out[y * rowElements + e] = pixel(table, y, (at) => source[at * rowElements + e]!);
    }
  }
  return out;
}

function pixel(table: ResampleTable, at: number, value: (source: number) => number): number {
  const first = table.bounds[at * 2]!;
  const count = table.bounds[at * 2 + 1]!;
  let sum = 2 ** 21;
  for (let k = 0; k < count; k++) sum += table.weights[at * table.taps + k]! * value(first + k);
  return Math.min(255, Math.max(0, sum >> 22));
}
