import { EPILOGUE, type Epilogue, K_BLOCK, PANEL, type Storage } from "#dist/wasm/abi.js";
import { multiplyAdd } from "./multiply-add.js";
import { widenBits } from "./widen.js";

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** `gemm` in the order its contract gives, element by element; panels as bit patterns of their storage. GELU has a reference of its own. */
export function gemm(
  out: Float32Array,
  a: Float32Array,
  panels: Uint16Array | Uint32Array,
  bias: Float32Array | undefined,
  residual: Float32Array | undefined,
  columns: number,
  k: number,
  aStride: number,
  outStride: number,
  residualStride: number,
  storage: Storage,
  epilogue: Exclude<Epilogue, typeof EPILOGUE.gelu>,
  rowBegin: number,
  rowEnd: number,
  panelBegin: number,
  panelEnd: number,
  fused: boolean,
): void {
  for (let r = rowBegin; r < rowEnd; r++) {
    for (let n = panelBegin * PANEL; n < Math.min(columns, panelEnd * PANEL); n++) {
      let total = 0;
      for (let block = 0; block < k; block += K_BLOCK) {
        let chain = 0;
        for (let i = block; i < Math.min(k, block + K_BLOCK); i++) {
          word[0] = widenBits(panels[panelIndex(n, i, k)]!, storage);
          chain = multiplyAdd(a[r * aStride + i]!, float[0]!, chain, fused);
        }
        total = Math.fround(total + chain);
      }
      total = Math.fround(total + (bias?.[n] ?? 0));
      if (epilogue === EPILOGUE.residual) total = Math.fround(total + residual![r * residualStride + n]!);
      out[r * outStride + n] = total;
    }
  }
}

/** Where element i of column n of a product stands in a panel buffer. */
export function panelIndex(n: number, i: number, k: number): number {
  return Math.floor(n / PANEL) * PANEL * k + i * PANEL + (n % PANEL);
}
