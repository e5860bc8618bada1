/**
 * The end of a fused q | k | v projection: partial + bias, written where attention wants it, for rows [rowBegin, rowEnd) (tokens) and the
 * columns of panels [panelBegin, panelEnd).
 *
 *   queries  f32 [heads, tokens, headWidth]
 *   keys     f32 [heads, panels of a head's keys]: 8 tokens side by side, (t, i) at (t / 8) * 8 * headWidth + i * 8 + t % 8
 *   values   f32 [heads, panels of a head's values]: 8 columns side by side, (t, n) at (n / 8) * 8 * tokens + t * 8 + n % 8
 *   partial  f32 [panelEnd - panelBegin, rowEnd - rowBegin, 8], what `multiply` leaves of the 3 * heads * headWidth columns; may be overwritten
 *   bias     f32 [columns rounded up to 8]
 *
 * A head's keys take tokens rounded up to 8 times headWidth elements, its values headWidth rounded up to 8 times tokens: what the last panel of
 * either has beyond that is left as it is. Where a head is a multiple of 8 wide, a panel is one head's and goes as vectors; else element by element.
 */
import { transpose4x4 } from "../simd/transpose";
import { addBias } from "../tiles/add-bias";
import { PANEL, PANEL_BYTES } from "../tiles/product";

export function finishHeads(
  queries: usize,
  keys: usize,
  values: usize,
  partial: usize,
  bias: usize,
  tokens: usize,
  heads: usize,
  headWidth: usize,
  rowBegin: usize,
  rowEnd: usize,
  panelBegin: usize,
  panelEnd: usize,
): void {
  if (rowBegin >= rowEnd) return;
  const height = rowEnd - rowBegin;
  const width = heads * headWidth;
  const keyStep = roundUp(tokens) * headWidth;
  const valueStep = roundUp(headWidth) * tokens;
  const whole = headWidth % PANEL === 0;
  const step: usize = whole ? PANEL : 1;
  let sums = partial;
  for (let panel = panelBegin; panel < panelEnd; panel++) {
    const end = sums + height * PANEL_BYTES;
    const shift = bias + panel * PANEL_BYTES;
    // Rows of 8 columns go to their place at once; what is turned round or taken apart, from sums with the bias in them.
    if (!whole || (panel * PANEL) / width === 1) addBias(sums, PANEL_BYTES, sums, end, shift);
    for (let lane: usize = 0; lane < PANEL; lane += step) {
      const column = panel * PANEL + lane;
      const part = column / width;
      if (part > 2) break;
      const head = (column % width) / headWidth;
      const n = column % headWidth;
      const from = sums + (lane << 2);
      if (part === 1) {
        writeKeys(keys + ((head * keyStep) << 2), headWidth, n, from, rowBegin, rowEnd, whole);
        continue;
      }
      const query = queries + (((head * tokens + rowBegin) * headWidth + n) << 2);
      const value = values + ((head * valueStep + (n / PANEL) * PANEL * tokens + rowBegin * PANEL + (n % PANEL)) << 2);
      const target = part === 0 ? query : value;
      const targetStep = part === 0 ? headWidth << 2 : PANEL_BYTES;
      if (whole) addBias(target, targetStep, sums, end, shift);
      else writeColumn(target, targetStep, from, end);
    }
    sums = end;
  }
}

function roundUp(count: usize): usize {
  return (count + PANEL - 1) & ~(PANEL - 1);
}

/** One column of a panel to rows `step` bytes apart. */
function writeColumn(target: usize, step: usize, sums: usize, end: usize): void {
  for (; sums < end; sums += PANEL_BYTES, target += step) store<f32>(target, load<f32>(sums));
}

/** Column n (columns n … n + 7 when `whole`) of the tokens [begin, end) to a head's key panels. */
function writeKeys(keys: usize, headWidth: usize, n: usize, sums: usize, begin: usize, end: usize, whole: bool): void {
  const columns: usize = whole ? PANEL : 1;
  let token = begin;
  while (token < end) {
    const target = keys + (((token / PANEL) * PANEL * headWidth + n * PANEL + (token % PANEL)) << 2);
    const from = sums + (token - begin) * PANEL_BYTES;
    if (whole && token % PANEL === 0 && token + PANEL <= end) {
      // 8 tokens x 8 columns turned round, in four squares.
      transpose4x4(target, from, PANEL_BYTES);
      transpose4x4(target + 16, from + 4 * PANEL_BYTES, PANEL_BYTES);
      transpose4x4(target + 4 * PANEL_BYTES, from + 16, PANEL_BYTES);
      transpose4x4(target + 4 * PANEL_BYTES + 16, from + 4 * PANEL_BYTES + 16, PANEL_BYTES);
      token += PANEL;
    } else {
      for (let i: usize = 0; i < columns; i++) store<f32>(target + i * PANEL_BYTES, load<f32>(from + (i << 2)));
      token++;
    }
  }
}
