import type { Storage, TileName } from "#dist/wasm/abi.js";
import {
  EPILOGUE,
  gemmScratchBytes,
  NULL,
  PANEL,
  panelElements,
  STORAGE,
  STORAGE_BYTES,
  TILE,
} from "#dist/wasm/abi.js";
import { f32, u8 } from "#dist/wasm/memory.js";
import type { Variant } from "#dist/wasm/variants.js";
import { bed } from "./memory.js";

/** The four products of a Janus-Pro block, 91 % of all work: columns x k. */
export const SHAPES = [
  { name: "qkv", columns: 3072, k: 1024 },
  { name: "proj", columns: 1024, k: 1024 },
  { name: "fc1", columns: 4096, k: 1024 },
  { name: "fc2", columns: 1024, k: 4096 },
] as const;

/** Rows of a call, as ops/gemm.ts slices them with two threads. */
const ROWS = 288;

export interface GemmCase {
  readonly name: string;
  /** Floating-point operations of one `run`, unpadded. */
  readonly flop: number;
  run(): void;
}

/** One product as the model calls it, its answer checked: throws when an element is off. */
export function gemmCase(
  variant: Variant,
  shape: (typeof SHAPES)[number],
  storage: "f32" | "bf16",
  tile: TileName,
): GemmCase {
  const { kernels, memory, take, fill } = bed(variant);
  const { columns, k } = shape;
  const kept: Storage = STORAGE[storage];
  const a = take(ROWS * k * 4);
  const weights = take(columns * k * 4);
  const panels = take(panelElements(columns, k) * STORAGE_BYTES[kept]);
  const out = take(ROWS * columns * 4);
  const scratch = take(gemmScratchBytes(ROWS));
  fill(a, ROWS * k, 1);
  const w = fill(weights, columns * k, 2);
  if (kept === STORAGE.bf16) {
    // Truncated to bf16, so that both storages hold the same values; packed from the upper halves.
    const halves = new Uint16Array(w.length);
    const words = new Uint32Array(memory.buffer, weights, w.length);
    words.forEach((word, i) => {
      halves[i] = word >>> 16;
    });
    u8(memory, weights, halves.byteLength).set(new Uint8Array(halves.buffer));
  }
  kernels.packPanels(panels, weights, k, k, STORAGE_BYTES[kept], 0, 0, columns);
  const count = columns / PANEL;
  // 16 MFLOP a call: what ops/gemm.ts takes.
  const step = Math.max(1, Math.floor(16e6 / (2 * PANEL * k * ROWS)));
  const run = (): void => {
    for (let panel = 0; panel < count; panel += step) {
      const end = Math.min(panel + step, count);
      kernels.gemm(
        out,
        a,
        panels,
        NULL,
        NULL,
        scratch,
        columns,
        k,
        k,
        columns,
        0,
        kept,
        EPILOGUE.none,
        0,
        ROWS,
        panel,
        end,
        TILE[tile],
      );
    }
  };
  run();
  verify(
    shape,
    storage,
    f32(memory, a, ROWS * k),
    (n, i) => weightAt(memory, panels, kept, n, i, k),
    f32(memory, out, ROWS * columns),
  );
  return {
    name: `${variant} ${shape.name} ${ROWS}x${columns}x${k} ${storage} ${tile}`,
    flop: 2 * ROWS * columns * k,
    run,
  };
}

function weightAt(
  memory: WebAssembly.Memory,
  panels: number,
  storage: Storage,
  n: number,
  i: number,
  k: number,
): number {
  const at = Math.floor(n / PANEL) * PANEL * k + i * PANEL + (n % PANEL);
  const view = new DataView(memory.buffer);
  if (storage === STORAGE.f32) return view.getFloat32(panels + at * 4, true);
  const word = new DataView(new ArrayBuffer(4));
  word.setUint32(0, view.getUint16(panels + at * 2, true) << 16);
  return word.getFloat32(0);
}

/** A few hundred elements against float64; the bound is the kernel's own: (K_BLOCK + blocks + 1) u sum |a w|. */
function verify(
  { columns, k }: (typeof SHAPES)[number],
  storage: string,
  a: Float32Array,
  w: (n: number, i: number) => number,
  out: Float32Array,
): void {
  for (let sample = 0; sample < 256; sample++) {
    const r = (sample * 37) % ROWS;
    const n = (sample * 613) % columns;
    let sum = 0;
    let magnitude = 0;
    for (let i = 0; i < k; i++) {
      const product = (a[r * k + i] ?? 0) * w(n, i);
      sum += product;
      magnitude += Math.abs(product);
    }
    const bound = (256 + k / 256 + 1) * 2 ** -24 * magnitude;
    const got = out[r * columns + n] ?? Number.NaN;
    if (!(Math.abs(got - sum) <= bound))
      throw new Error(`gemm ${storage} [${r},${n}]: ${got}, expected ${sum} within ${bound}`);
  }
}
