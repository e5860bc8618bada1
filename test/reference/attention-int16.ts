/** What `quantisePanels` and `attentionInt16` make of floats: symmetric levels, and where they lie. */
import { PANEL } from "#dist/wasm/abi.js";
import { nearest } from "./int8.js";

/** Place of element k in a row of levels: groups of 16, pairs of k and k + 8. */
export function pairedIndex(k: number): number {
  return k - (k % 16) + 2 * (k % 8) + Math.floor((k % 16) / 8);
}

/** Place of element k of a column in its panel, i16. */
export function panelLevelIndex(column: number, k: number): number {
  const at = pairedIndex(k);
  return (at - (at % 2)) * PANEL + 2 * column + (at % 2);
}

/** In the roundings of the kernel: f32, to nearest, ties to even. */
export function symmetricLevels(
  column: ArrayLike<number>,
  levels: number,
): { readonly levels: readonly number[]; readonly scale: number } {
  const elements = Array.from(column);
  const largest = Math.max(0, ...elements.map(Math.abs));
  const some = largest > 2 ** -100;
  const steps = some ? Math.fround(levels / largest) : 0;
  return {
    levels: elements.map((x) => nearest(Math.fround(x * steps))),
    scale: some ? Math.fround(largest / levels) : 0,
  };
}
