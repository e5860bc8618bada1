/**
 * dst[r] = (src[r] - mean) * rstd * gamma + beta, rows r of [rowBegin, rowEnd), mean and biased variance of the row,
 * rstd = 1 / sqrt(variance + eps): torch.nn.LayerNorm over the last dimension.
 *
 *   dst, src     f32 [rows, width] in column blocks of `rows` rows (`tiles/column-block.ts`); dst may be src
 *   gamma, beta  f32 [width]
 *   width        at least 1; a ragged tail neither reads nor writes beyond it
 *
 * Two passes (the mean, then the squared deviations), so nothing cancels when the mean is large. Each sum runs in four accumulators of four
 * lanes, 16 elements a step, and is added up in one fixed order: the error of a sum grows with width / 16, and the bytes depend on the
 * row alone. Error, u = 2^-24, d = the row's largest |src|: mean within (width/16 + 6) u d; relative error of variance and rstd within (width/16 + 10) u
 * where that error of the mean is small beside the deviation.
 */
import { multiplyAdd } from "../simd/fma";
import { loadPartial, maskPartial, storePartial } from "../simd/partial";
import { COLUMN_BLOCK, elementAt } from "../tiles/column-block";

export function layernorm(
  dst: usize,
  src: usize,
  gamma: usize,
  beta: usize,
  rows: usize,
  width: usize,
  eps: f32,
  rowBegin: usize,
  rowEnd: usize,
): void {
  const step = (rows * COLUMN_BLOCK) << 2;
  for (let row = rowBegin; row < rowEnd; row++) {
    const source = elementAt(src, rows, row, 0);
    const mean = sum(source, step, width) / (width as f32);
    const variance = sumOfSquares(source, step, width, mean) / (width as f32);
    const rstd: f32 = 1 / sqrt<f32>(variance + eps);
    scaleRow(elementAt(dst, rows, row, 0), source, step, gamma, beta, width, mean, rstd);
  }
}

/** `step`: bytes from a row's part in one column block to that in the next. */
function sum(row: usize, step: usize, width: usize): f32 {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let begin: usize = 0; begin < width; begin += COLUMN_BLOCK, row += step) {
    const count = min<usize>(COLUMN_BLOCK, width - begin);
    let i: usize = 0;
    for (; i + 16 <= count; i += 16) {
      const at = row + (i << 2);
      s0 = f32x4.add(s0, v128.load(at));
      s1 = f32x4.add(s1, v128.load(at, 16));
      s2 = f32x4.add(s2, v128.load(at, 32));
      s3 = f32x4.add(s3, v128.load(at, 48));
    }
    for (; i < count; i += 4) s0 = f32x4.add(s0, loadPartial(row + (i << 2), count - i));
  }
  return addLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

function sumOfSquares(row: usize, step: usize, width: usize, mean: f32): f32 {
  const means = f32x4.splat(mean);
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let begin: usize = 0; begin < width; begin += COLUMN_BLOCK, row += step) {
    const count = min<usize>(COLUMN_BLOCK, width - begin);
    let i: usize = 0;
    for (; i + 16 <= count; i += 16) {
      const at = row + (i << 2);
      s0 = addSquare(s0, f32x4.sub(v128.load(at), means));
      s1 = addSquare(s1, f32x4.sub(v128.load(at, 16), means));
      s2 = addSquare(s2, f32x4.sub(v128.load(at, 32), means));
      s3 = addSquare(s3, f32x4.sub(v128.load(at, 48), means));
    }
    for (; i < count; i += 4) {
      const rest = count - i;
      const deviation = f32x4.sub(loadPartial(row + (i << 2), rest), means);
      s0 = addSquare(s0, v128.and(deviation, maskPartial(rest)));
    }
  }
  return addLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

function scaleRow(
  dst: usize,
  src: usize,
  step: usize,
  gamma: usize,
  beta: usize,
  width: usize,
  mean: f32,
  rstd: f32,
): void {
  const means = f32x4.splat(mean);
  const rstds = f32x4.splat(rstd);
  for (let begin: usize = 0; begin < width; begin += COLUMN_BLOCK, src += step, dst += step) {
    const count = min<usize>(COLUMN_BLOCK, width - begin);
    for (let i: usize = 0; i < count; i += 4) {
      const at = i << 2;
      const rest = count - i;
      const weight = (begin + i) << 2;
      const normal = f32x4.mul(f32x4.sub(loadPartial(src + at, rest), means), rstds);
      const scaled = multiplyAdd(normal, loadPartial(gamma + weight, rest), loadPartial(beta + weight, rest));
      storePartial(dst + at, scaled, rest);
    }
  }
}

function addSquare(total: v128, deviation: v128): v128 {
  return multiplyAdd(deviation, deviation, total);
}

function addLanes(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}
