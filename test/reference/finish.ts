import { EPILOGUE, type Epilogue, PANEL } from "#dist/wasm/abi.js";
import { blockIndex } from "./column-block.js";

/** `finish`, element by element. GELU has a reference of its own. */
export function finish(
  out: Float32Array,
  partial: Float32Array,
  bias: Float32Array,
  residual: Float32Array | undefined,
  rows: number,
  columns: number,
  residualRow: number,
  residualBlock: number,
  epilogue: Exclude<Epilogue, typeof EPILOGUE.gelu>,
  rowBegin: number,
  rowEnd: number,
  panelBegin: number,
  panelEnd: number,
): void {
  const height = rowEnd - rowBegin;
  for (let n = panelBegin * PANEL; n < Math.min(columns, panelEnd * PANEL); n++) {
    for (let r = rowBegin; r < rowEnd; r++) {
      const at = ((Math.floor(n / PANEL) - panelBegin) * height + (r - rowBegin)) * PANEL + (n % PANEL);
      let value = Math.fround(partial[at]! + bias[n]!);
      if (epilogue === EPILOGUE.residual)
        value = Math.fround(value + residual![Math.floor(n / 256) * residualBlock + r * residualRow + (n % 256)]!);
      out[blockIndex(rows, r, n)] = value;
    }
  }
}
