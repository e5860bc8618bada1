import type { Storage, TileName } from "#dist/wasm/abi.js";
import {
  blockElements,
  COLUMN_BLOCK,
  EPILOGUE,
  K_BLOCK,
  NULL,
  PANEL,
  panelElements,
  partialBytes,
  STORAGE,
  STORAGE_BYTES,
  TILE,
  WIDENED_BYTES,
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

/** A task as ops/linear.ts takes them on one thread: all blocks of k of these rows and panels, then the end of the product. */
export const ROWS = 288;
export const TASK_PANELS = 16;

export interface GemmCase {
  readonly name: string;
  /** Floating-point operations of one `run`: the next task of the product. */
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
  const a = take(blockElements(ROWS, k) * 4);
  const weights = take(columns * k * 4);
  const panels = take(panelElements(columns, k) * STORAGE_BYTES[kept]);
  const out = take(blockElements(ROWS, columns) * 4);
  const partial = take(partialBytes(ROWS, TASK_PANELS));
  const scratch = take(WIDENED_BYTES);
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
  let panel = 0;
  const run = (): void => {
    const end = panel + TASK_PANELS;
    for (let i = 0; i < k; i += K_BLOCK)
      kernels.multiply(partial, a, panels, scratch, ROWS, k, kept, 0, ROWS, i, panel, end, TILE[tile]);
    kernels.finish(out, partial, NULL, NULL, ROWS, columns, 0, 0, EPILOGUE.none, 0, ROWS, panel, end);
    panel = end % count;
  };
  if (count % TASK_PANELS !== 0)
    throw new Error(`${shape.name}: ${count} panels are not cut evenly into ${TASK_PANELS}`);
  for (let done = 0; done < count; done += TASK_PANELS) run();
  verify(
    shape,
    storage,
    f32(memory, a, ROWS * k),
    weightReader(memory, panels, kept, columns, k),
    f32(memory, out, ROWS * columns),
  );
  return {
    name: `${variant} ${shape.name} ${ROWS}x${columns}x${k} ${storage} ${tile}`,
    flop: 2 * ROWS * TASK_PANELS * PANEL * k,
    run,
  };
}

/** What the panels hold of weight (n, i). It is asked for millions of them, so the views are made once. */
function weightReader(
  memory: WebAssembly.Memory,
  panels: number,
  storage: Storage,
  columns: number,
  k: number,
): (n: number, i: number) => number {
  const elements = panelElements(columns, k);
  const at = (n: number, i: number): number => (n - (n % PANEL)) * k + i * PANEL + (n % PANEL);
  if (storage === STORAGE.f32) {
    const values = new Float32Array(memory.buffer, panels, elements);
    return (n, i) => values[at(n, i)] ?? Number.NaN;
  }
  const halves = new Uint16Array(memory.buffer, panels, elements);
  const word = new Uint32Array(1);
  const value = new Float32Array(word.buffer);
  return (n, i) => {
    word[0] = (halves[at(n, i)] ?? 0) << 16;
    return value[0] ?? Number.NaN;
  };
}

/** Where element (r, c) of a matrix of ROWS rows in column blocks lies. */
export function blockIndex(r: number, c: number): number {
  return (Math.floor(c / COLUMN_BLOCK) * ROWS + r) * COLUMN_BLOCK + (c % COLUMN_BLOCK);
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
      const product = (a[blockIndex(r, i)] ?? 0) * w(n, i);
      sum += product;
      magnitude += Math.abs(product);
    }
    const bound = (K_BLOCK + k / K_BLOCK + 1) * 2 ** -24 * magnitude;
    const got = out[blockIndex(r, n)] ?? Number.NaN;
    if (!(Math.abs(got - sum) <= bound))
      throw new Error(`gemm ${storage} [${r},${n}]: ${got}, expected ${sum} within ${bound}`);
  }
}
