/** 8-bit quantisation and products, element by element, in the arithmetic of the contracts. */
const f = Math.fround;
const LEAST = 2 ** -100;

/** To nearest, ties to even; |x| below 2^51. */
export function nearest(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest < 0.5 ? floor : floor + 1;
}

/** Where byte (k, n) of 8-bit panels stands. */
export function int8Index(n: number, i: number, k: number): number {
  const fours = Math.ceil(k / 4);
  return Math.floor(n / 8) * 32 * fours + Math.floor(i / 4) * 32 + (n % 8) * 4 + (i % 4);
}

/** Where level (r, c) of a matrix of `rows` rows stands, in blocks of 512 columns. */
export function levelIndex(rows: number, r: number, c: number): number {
  return (Math.floor(c / 512) * rows + r) * 512 + (c % 512);
}

/** Where level (r, c) stands when levels are bytes, in blocks of 1024 columns. */
export function byteIndex(rows: number, r: number, c: number): number {
  return (Math.floor(c / 1024) * rows + r) * 1024 + (c % 1024);
}

/** Levels of a row less their zero point, that, and its scale. */
export function quantiseRow(row: ArrayLike<number>): {
  readonly levels: number[];
  readonly zero: number;
  readonly scale: number;
} {
  let low = 0;
  let high = 0;
  for (const x of Array.from(row)) {
    low = Math.min(low, x);
    high = Math.max(high, x);
  }
  const range = f(high - low);
  if (!(range > LEAST)) return { levels: Array.from(row, () => 0), zero: 0, scale: 0 };
  const steps = f(255 / range);
  const zero = nearest(f(-low * steps));
  const level = (x: number): number => Math.min(255 - zero, Math.max(-zero, nearest(f(x * steps))));
  return { levels: Array.from(row, level), zero, scale: f(range / 255) };
}

/** Levels of a weight's row, symmetric, and its scale. */
export function quantiseWeight(row: ArrayLike<number>): { readonly levels: number[]; readonly scale: number } {
  const largest = Math.max(0, ...Array.from(row, Math.abs));
  if (!(largest > LEAST)) return { levels: Array.from(row, () => 0), scale: 0 };
  const steps = f(127 / largest);
  return { levels: Array.from(row, (x) => nearest(f(x * steps))), scale: f(largest / 127) };
}

/** Of every four numbers the first by the third and the second by the fourth, what is missing being 0. */
export function crossTerm(numbers: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i + 2 < numbers.length; i++) if (i % 4 < 2) sum += numbers[i]! * numbers[i + 2]!;
  return sum;
}

/** `multiplyInt8` over all of k: partial i32 [panels, rows of the range, 8]. */
export function multiplyInt8(
  partial: Int32Array,
  a: Int16Array,
  panels: Int8Array,
  rows: number,
  k: number,
  rowBegin: number,
  rowEnd: number,
  panelBegin: number,
  panelEnd: number,
): void {
  const height = rowEnd - rowBegin;
  for (let n = panelBegin * 8; n < panelEnd * 8; n++) {
    for (let r = rowBegin; r < rowEnd; r++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += a[levelIndex(rows, r, i)]! * panels[int8Index(n, i, k)]!;
      partial[((Math.floor(n / 8) - panelBegin) * height + (r - rowBegin)) * 8 + (n % 8)] = sum;
    }
  }
}
