import { PANEL, panelElements } from "#dist/wasm/abi.js";
import { panelIndex } from "./multiply.js";

/** `finishHeads`, element by element. */
export function finishHeads(
  queries: Float32Array,
  keys: Float32Array,
  values: Float32Array,
  partial: Float32Array,
  bias: Float32Array,
  tokens: number,
  heads: number,
  headWidth: number,
  rowBegin: number,
  rowEnd: number,
  panelBegin: number,
  panelEnd: number,
): void {
  const width = heads * headWidth;
  const height = rowEnd - rowBegin;
  for (let column = panelBegin * PANEL; column < Math.min(3 * width, panelEnd * PANEL); column++) {
    const head = Math.floor((column % width) / headWidth);
    const n = column % headWidth;
    for (let t = rowBegin; t < rowEnd; t++) {
      const at = ((Math.floor(column / PANEL) - panelBegin) * height + (t - rowBegin)) * PANEL + (column % PANEL);
      const value = Math.fround(partial[at]! + bias[column]!);
      if (column < width) queries[(head * tokens + t) * headWidth + n] = value;
      else if (column < 2 * width) keys[head * panelElements(tokens, headWidth) + panelIndex(t, n, headWidth)] = value;
      else values[head * panelElements(headWidth, tokens) + panelIndex(n, t, tokens)] = value;
    }
  }
}
