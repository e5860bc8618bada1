import type { LevelForm, TileName } from "#dist/wasm/abi.js";
import {
  blockElements,
  EPILOGUE,
  INT8_WIDENED_BYTES,
  int8PanelBytes,
  LEVEL_BLOCK,
  LEVELS,
  levelBlock,
  levelElements,
  NULL,
  PANEL,
  partialBytes,
  STORAGE,
  TILE,
} from "#dist/wasm/abi.js";
import { f32 } from "#dist/wasm/memory.js";
import type { Variant } from "#dist/wasm/variants.js";
import type { GemmCase, SHAPES } from "./gemm.js";
import { blockIndex, ROWS, TASK_PANELS } from "./gemm.js";
import { bed } from "./memory.js";

/** Where level (r, i) lies. */
function levelIndex(r: number, i: number): number {
  return (Math.floor(i / LEVEL_BLOCK) * ROWS + r) * LEVEL_BLOCK + (i % LEVEL_BLOCK);
}

/** Of a product in 8 bits: what is exact is exact, then three roundings of f32. */
const BOUND = 4 * 2 ** -24;

const FORM_NAMES = ["plain", "fused", "fused", "crossed"];

/** One product in 8 bits as the model calls it, its rows being quantised already; its answer checked: throws when an element is off. */
export function gemmInt8Case(
  variant: Variant,
  shape: (typeof SHAPES)[number],
  tile: TileName,
  form: LevelForm,
): GemmCase {
  const { kernels, memory, take, fill } = bed(variant);
  const { columns, k } = shape;
  const a = take(blockElements(ROWS, k) * 4);
  const levels = take(levelElements(ROWS, k) * 2);
  const kept = take(levelElements(ROWS, k) * 2);
  const scales = take(ROWS * 4);
  const zeros = take(ROWS * 4);
  const weights = take(columns * k * 4);
  const panels = take(int8PanelBytes(columns, k));
  const weightScales = take(columns * 4);
  const weightSums = take(columns * 4);
  const out = take(blockElements(ROWS, columns) * 4);
  const partial = take(partialBytes(ROWS, TASK_PANELS));
  const scratch = take(Math.max(INT8_WIDENED_BYTES, k * 4));
  fill(a, ROWS * k, 1);
  fill(weights, columns * k, 2);
  // The answer is checked by the levels without zero points, whatever the product is made of.
  kernels.quantise(levels, a, scales, zeros, LEVELS.wide, ROWS, k, 0, ROWS);
  kernels.quantise(kept, a, scales, zeros, form, ROWS, k, 0, ROWS);
  kernels.packInt8(panels, weightScales, weights, scratch, k, STORAGE.f32, 0, 0, columns);
  kernels.sumInt8(weightSums, panels, form, k, 0, columns / PANEL);
  const count = columns / PANEL;
  let panel = 0;
  const run = (): void => {
    const end = panel + TASK_PANELS;
    const tail = [panel, end, TILE[tile]] as const;
    for (let i = 0; i < k; i += levelBlock(form))
      kernels.multiplyInt8(
        partial,
        kept,
        panels,
        scratch,
        scales,
        zeros,
        weightScales,
        weightSums,
        form,
        ROWS,
        k,
        0,
        ROWS,
        i,
        ...tail,
      );
    kernels.finish(out, partial, NULL, NULL, ROWS, columns, 0, 0, EPILOGUE.none, 0, ROWS, panel, end);
    panel = end % count;
  };
  if (count % TASK_PANELS !== 0)
    throw new Error(`${shape.name}: ${count} panels are not cut evenly into ${TASK_PANELS}`);
  for (let done = 0; done < count; done += TASK_PANELS) run();
  const view = new DataView(memory.buffer);
  const result = f32(memory, out, ROWS * columns);
  for (let sample = 0; sample < 256; sample++) {
    const r = (sample * 37) % ROWS;
    const n = (sample * 613) % columns;
    let sum = 0;
    for (let i = 0; i < k; i++) {
      const word = Math.floor(n / PANEL) * PANEL * k + Math.floor(i / 4) * 32 + (n % PANEL) * 4 + (i % 4);
      sum += view.getInt16(levels + 2 * levelIndex(r, i), true) * view.getInt8(panels + word);
    }
    const expected = sum * view.getFloat32(scales + 4 * r, true) * view.getFloat32(weightScales + 4 * n, true);
    const got = result[blockIndex(r, n)] ?? Number.NaN;
    if (!(Math.abs(got - expected) <= BOUND * Math.abs(expected)))
      throw new Error(`gemm int8 ${shape.name} [${r},${n}]: ${got}, expected ${expected}`);
  }
  return {
    name: `${variant} ${shape.name} ${ROWS}x${columns}x${k} int8 ${FORM_NAMES[form]} ${tile}`,
    flop: 2 * ROWS * TASK_PANELS * PANEL * k,
    run,
  };
}
