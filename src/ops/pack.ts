import type { Pointer, Storage } from "../wasm/abi.js";
import { PANEL, STORAGE, STORAGE_BYTES } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/**
 * Packs rows of a weight [rows, k], stored row-major in `storage`, as columns `column`… of a layer's panels. When `wide`, bf16 and f16
 * are widened to f32 on the way (through `widened`, [rows, k] f32), so that the panels are f32.
 */
export function packWeights(
  x: OpContext,
  panels: Pointer,
  src: Pointer,
  widened: Pointer,
  k: number,
  storage: Storage,
  wide: boolean,
  column: number,
  rows: number,
): void {
  // Workers meet at panel boundaries: two of them never write the same cache line of a panel.
  const lead = (PANEL - (column % PANEL)) % PANEL;
  const share = x.team.share(Math.max(0, rows - lead), PANEL);
  const begin = x.team.leads ? 0 : share.begin + lead;
  const end = Math.min(rows, share.end + lead);
  if (begin < end) {
    const widen = wide && storage !== STORAGE.f32;
    if (widen) x.kernels.widen(widened, src, storage, begin * k, end * k);
    const from = widen ? widened : src;
    const bytes = widen ? 4 : STORAGE_BYTES[storage];
    x.kernels.packPanels(panels, from, k, k, bytes, column + begin, begin, end);
  }
  x.team.barrier();
}

/** dst f32 [count] = src widened exactly: vectors (biases, norms, positions) are always kept in f32. */
export function widen(x: OpContext, dst: Pointer, src: Pointer, storage: Storage, count: number): void {
  const { begin, end } = x.team.share(count, 16);
  x.kernels.widen(dst, src, storage, begin, end);
  x.team.barrier();
}

/** Non-finite elements in this worker's share of `count`. No barrier: nothing is written. */
export function countNonFinite(x: OpContext, src: Pointer, storage: Storage, count: number): number {
  const { begin, end } = x.team.share(count, 16);
  return x.kernels.countNonFinite(src, storage, begin, end);
}
