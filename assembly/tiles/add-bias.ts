/**
 * out[r] = sums[r] + bias for the rows of a panel of sums: what is done to every product, whatever becomes of it afterwards.
 *
 *   out   rows of 8 f32, `step` bytes apart; may be `sums` where the step is PANEL_BYTES
 *   sums  f32 [rows, 8], up to `end`
 *   bias  f32 [8]
 */
import { PANEL_BYTES } from "./product";

export function addBias(out: usize, step: usize, sums: usize, end: usize, bias: usize): void {
  const biasLow = v128.load(bias);
  const biasHigh = v128.load(bias, 16);
  for (; sums < end; sums += PANEL_BYTES, out += step) {
    const low = f32x4.add(v128.load(sums), biasLow);
    const high = f32x4.add(v128.load(sums, 16), biasHigh);
    v128.store(out, low);
    v128.store(out, high, 16);
  }
}
