import { JanusError } from "../errors.js";

/**
 * How far one array of floats is from another: the three numbers of every comparison, and the bounds they are held against.
 *
 * `maxAbs` = max |a - e|; `relative` = RMS(a - e) / RMS(e), or RMS(a - e) when e is all zero; `oneMinusCosine` = the largest
 * 1 - cos(a, e) over rows of the last axis, 0 for two zero rows and 1 for one zero row.
 */
export interface Difference {
  readonly maxAbs: number;
  readonly relative: number;
  readonly oneMinusCosine: number;
  /** RMS of the expected array. */
  readonly rms: number;
  /** Index of the element with the largest difference. */
  readonly worst: number;
  /** Elements that are NaN or infinite on either side; they count in nothing above. */
  readonly nonFinite: number;
}

export interface Bounds {
  /** Largest RMS-relative difference. */
  readonly maxRelative: number;
  /** Largest difference of an element, in units of the RMS of the expected array. */
  readonly maxAbs: number;
  /** Smallest cosine of a row. */
  readonly minCosine: number;
}

/** Five to six times the noise floor of the float32 reference against float64, largest over all recorded cases. */
export const FLOAT32_BOUNDS: Bounds = { maxRelative: 1e-5, maxAbs: 3e-4, minCosine: 1 - 1e-9 };

/** |a - e|^2 / (|a| |e|) up to which two rows are close: below it, rounding |a - e|^2 costs less than rounding a cosine. */
const CLOSE = 1 / 4;

type Floats = Float32Array | Float64Array;

/** Sums a pair of arrays piece by piece, so that neither has to be in memory as a whole. Pieces may end within a row. */
export class DifferenceSum {
  readonly #row: number;
  #count = 0;
  #nonFinite = 0;
  #maxAbs = 0;
  #worst = 0;
  #squaredDifference = 0;
  #squaredExpected = 0;
  #oneMinusCosine = 0;
  #rowActual = 0;
  #rowExpected = 0;
  #rowDifference = 0;
  #rowDot = 0;
  #rowCross = 0;

  /** @param rowLength elements of the last axis. */
  constructor(rowLength: number) {
    this.#row = rowLength;
  }

  /** The next elements of both arrays. @throws JanusError E_INTERNAL when they are not as many. */
  add(actual: Floats, expected: Floats): void {
    if (actual.length !== expected.length) {
      throw new JanusError("E_INTERNAL", `compare: expected ${expected.length} elements, got ${actual.length}`);
    }
    for (let i = 0; i < expected.length; ) {
      const end = Math.min(expected.length, i + this.#row - (this.#count % this.#row));
      this.#addWithinRow(actual, expected, i, end);
      i = end;
      if (this.#count % this.#row === 0) this.#endRow();
    }
  }

  result(): Difference {
    const count = Math.max(1, this.#count);
    const rms = Math.sqrt(this.#squaredExpected / count);
    return {
      maxAbs: this.#maxAbs,
      relative: Math.sqrt(this.#squaredDifference / count) / (rms > 0 ? rms : 1),
      oneMinusCosine: this.#oneMinusCosine,
      rms,
      worst: this.#worst,
      nonFinite: this.#nonFinite,
    };
  }

  #addWithinRow(actual: Floats, expected: Floats, begin: number, end: number): void {
    let [aa, ee, dd, dot, cross] = [0, 0, 0, 0, 0];
    for (let i = begin; i < end; i++) {
      const a = actual[i]!;
      const e = expected[i]!;
      const d = a - e;
      // NaN, or an infinity on either side.
      if (d - d !== 0 || e - e !== 0) {
        this.#nonFinite++;
        continue;
      }
      if (Math.abs(d) > this.#maxAbs) {
        this.#maxAbs = Math.abs(d);
        this.#worst = this.#count + i - begin;
      }
      aa += a * a;
      ee += e * e;
      dd += d * d;
      dot += a * e;
      cross += d * (a + e);
    }
    this.#count += end - begin;
    this.#rowActual += aa;
    this.#rowExpected += ee;
    this.#rowDifference += dd;
    this.#rowDot += dot;
    this.#rowCross += cross;
  }

  #endRow(): void {
    this.#squaredExpected += this.#rowExpected;
    this.#squaredDifference += this.#rowDifference;
    this.#oneMinusCosine = Math.max(this.#oneMinusCosine, this.#rowOneMinusCosine());
    this.#rowActual = this.#rowExpected = this.#rowDifference = this.#rowDot = this.#rowCross = 0;
  }

  /**
   * 1 - a.e / (|a| |e|) has lost all digits below 1e-16, and more the longer the row. For rows close to each other therefore, with
   * d = a - e: |a| |e| (1 - cos) = (|d|^2 - (|a| - |e|)^2) / 2, where |a| - |e| = d.(a + e) / (|a| + |e|): every term is of the size
   * of the difference, so its rounding is too.
   */
  #rowOneMinusCosine(): number {
    const actual = Math.sqrt(this.#rowActual);
    const expected = Math.sqrt(this.#rowExpected);
    const product = actual * expected;
    if (product === 0) return actual === expected ? 0 : 1;
    if (this.#rowDifference > product * CLOSE) return 1 - this.#rowDot / product;
    const longer = this.#rowCross / (actual + expected);
    return Math.max(0, (this.#rowDifference - longer * longer) / (2 * product));
  }
}

/** The difference of two arrays in memory. @param rowLength elements of the last axis; the whole array when not given. */
export function difference(actual: Floats, expected: Floats, rowLength: number = expected.length): Difference {
  const sum = new DifferenceSum(rowLength);
  sum.add(actual, expected);
  return sum.result();
}

/** Whether a difference is within the bounds. One that is exactly zero always is; one with a NaN or an infinity never. */
export function isWithin(found: Difference, bounds: Bounds = FLOAT32_BOUNDS): boolean {
  if (found.nonFinite > 0) return false;
  if (found.maxAbs === 0) return true;
  return (
    found.relative <= bounds.maxRelative &&
    found.maxAbs <= bounds.maxAbs * found.rms &&
    found.oneMinusCosine <= 1 - bounds.minCosine
  );
}

/** `max|d| 3.8e-05 at 17  rel 1.7e-06  1-cos 1.5e-11`: how a difference is written everywhere. */
export function differenceText(found: Difference): string {
  const { maxAbs, worst, relative, oneMinusCosine, nonFinite } = found;
  const numbers = `max|d| ${maxAbs.toExponential(3)} at ${worst}  rel ${relative.toExponential(3)}  1-cos ${oneMinusCosine.toExponential(3)}`;
  return nonFinite > 0 ? `${numbers}  ${nonFinite} not finite` : numbers;
}
