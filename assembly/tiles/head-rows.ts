/** What both kinds of attention share: the rows they take at a time, and where a head's columns go. */
import { storePartial } from "../simd/partial";
import { elementAt, ROW_BYTES } from "./column-block";
import { PANEL_BYTES } from "./product";

/** A multiple of every tile height; 60 rows x 576 tokens of scores are 138 KB. Part of the ABI: it sizes `scratch`. */
export const ROW_BLOCK: usize = 60;

/** Bytes of one number for each row of a block, whole cache lines. */
export const NUMBERS_BYTES: usize = (ROW_BLOCK * 4 + 63) & ~63;

/** Rows of a panel, each times its factor, to the columns from `column` on; four lanes at a time where they do not cross a column block. */
export function storeHead(
  out: usize,
  tokens: usize,
  row: usize,
  column: usize,
  sums: usize,
  factors: usize,
  rows: usize,
  columns: usize,
): void {
  const low = min<usize>(4, columns);
  const end = sums + rows * PANEL_BYTES;
  if (column % 4 === 0) {
    let target = elementAt(out, tokens, row, column);
    let farTarget = elementAt(out, tokens, row, column + 4);
    for (; sums < end; sums += PANEL_BYTES, factors += 4) {
      const factor = v128.load32_splat(factors);
      storePartial(target, f32x4.mul(v128.load(sums), factor), low);
      storePartial(farTarget, f32x4.mul(v128.load(sums, 16), factor), columns - low);
      target += ROW_BYTES;
      farTarget += ROW_BYTES;
    }
  } else {
    for (; sums < end; sums += PANEL_BYTES, factors += 4, row++) {
      const factor = load<f32>(factors);
      for (let n: usize = 0; n < columns; n++)
        store<f32>(elementAt(out, tokens, row, column + n), load<f32>(sums + (n << 2)) * factor);
    }
  }
}
