import { K_BLOCK, PANEL, type Storage } from "#dist/wasm/abi.js";
import { blockIndex } from "./column-block.js";
import { multiplyAdd } from "./multiply-add.js";
import { widenBits } from "./widen.js";

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** `multiply` in the order its contract gives, element by element; panels as bit patterns of their storage. */
export function multiply(
  partial: Float32Array,
  a: Float32Array,
  panels: Uint16Array | Uint32Array,
  rows: number,
  k: number,
  storage: Storage,
  rowBegin: number,
  rowEnd: number,
  kBegin: number,
  panelBegin: number,
  panelEnd: number,
  fused: boolean,
): void {
  const height = rowEnd - rowBegin;
  for (let n = panelBegin * PANEL; n < panelEnd * PANEL; n++) {
    for (let r = rowBegin; r < rowEnd; r++) {
      let chain = 0;
      for (let i = kBegin; i < Math.min(k, kBegin + K_BLOCK); i++) {
        word[0] = widenBits(panels[panelIndex(n, i, k)]!, storage);
        chain = multiplyAdd(a[blockIndex(rows, r, i)]!, float[0]!, chain, fused);
      }
      const at = ((Math.floor(n / PANEL) - panelBegin) * height + (r - rowBegin)) * PANEL + (n % PANEL);
      partial[at] = kBegin === 0 ? chain : Math.fround(partial[at]! + chain);
    }
  }
}

/** Where element i of column n of a product stands in a panel buffer. */
export function panelIndex(n: number, i: number, k: number): number {
  return Math.floor(n / PANEL) * PANEL * k + i * PANEL + (n % PANEL);
}
