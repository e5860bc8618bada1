import type { Epilogue, LevelForm, Pointer, Storage } from "../wasm/abi.js";
import {
  EPILOGUE,
  INT8_WIDENED_BYTES,
  K_BLOCK,
  levelBlock,
  NULL,
  PANEL,
  partialBytes,
  roundUp,
  TILE_PANELS,
  WIDENED_BYTES,
} from "../wasm/abi.js";
import type { AttentionInputs, AttentionShape } from "./attention.js";
import type { Blocks, OpContext, ProductContext, Rows } from "./context.js";
import { offset } from "./context.js";
import { quantise } from "./quantise.js";

/** A packed linear layer: y = x Wᵀ + b, W [columns, k] in panels of 8 columns, b f32 padded to whole panels. */
interface Layer {
  readonly panels: Pointer;
  readonly bias: Pointer;
  readonly columns: number;
  readonly k: number;
}

export interface FloatLinear extends Layer {
  readonly storage: Storage;
}

/** W in 8 bits, times the scale of each column, f32 padded to whole panels. */
export interface Int8Linear extends Layer {
  readonly scales: Pointer;
  /** i32 padded to whole panels: of the columns, once `sumColumns` has made them. */
  readonly sums: Pointer;
}

export type Linear = FloatLinear | Int8Linear;

/** `rows`, which the op that writes them also quantises where `next` takes them in 8 bits. */
export function rowsFor(x: ProductContext, rows: Blocks, next: Linear): Blocks {
  return "scales" in next ? { ...rows, levels: x.levels } : rows;
}

/** Rows of one task: 288 rows of a block of 256 k are 295 KB, which stay in an L2 of 512 KB while panels pass by. */
const TASK_ROWS = 288;

/**
 * Columns of one task, in panels: the more, the fewer times a worker brings the rows into L2 (512 columns cost 2 % less than 128); the fewer, the
 * less is left to wait for when other workers have finished.
 */
const MAX_TASK_PANELS = 64;
const MIN_TASK_PANELS = 16;

/** Tasks are cut until every worker finds this many of them: 4 cost 2 % more than 2, and the larger layers have more anyway. */
const TASKS_PER_WORKER = 2;

/** Rows of a task are a multiple of what most tiles are high. */
const EVEN_ROWS = 12;

/** Fewer rows than this do not pay for bringing a panel into L1. */
const MIN_TASK_ROWS = 60;

/** Scratch for a panel block of either kind, made wide. */
const PANEL_SCRATCH_BYTES = Math.max(WIDENED_BYTES, INT8_WIDENED_BYTES);

/** Scratch that a linear layer of `rows` rows needs of each worker, in bytes: widened panels, partial sums. */
export function linearScratchBytes(rows: number): number {
  return PANEL_SCRATCH_BYTES + partialBytes(Math.min(TASK_ROWS, rows), MAX_TASK_PANELS);
}

export interface LinearOptions {
  readonly epilogue?: Epilogue;
  /** f32 [rows, columns] added last; may be `out`. */
  readonly residual?: Rows;
}

/** out [rows, columns] = epilogue(a [rows, k] Wᵀ + b). torch.nn.Linear, with the GELU or the residual sum that follows it. */
export function linear(x: ProductContext, out: Blocks, a: Blocks, w: Linear, options: LinearOptions = {}): void {
  const epilogue = options.residual ? EPILOGUE.residual : (options.epilogue ?? EPILOGUE.none);
  const residual = options.residual ?? { at: NULL, row: 0, block: 0 };
  product(x, a, w, (partial, rowBegin, rowEnd, panelBegin, panelEnd) =>
    x.kernels.finish(
      out.at,
      partial,
      w.bias,
      residual.at,
      a.rows,
      w.columns,
      residual.row,
      residual.block,
      epilogue,
      rowBegin,
      rowEnd,
      panelBegin,
      panelEnd,
    ),
  );
}

/** q, k and v of all heads = a [tokens, k] Wᵀ + b, W [3 * heads * headWidth, k] = q | k | v, written where attention wants them. */
export function linearHeads(x: ProductContext, out: AttentionInputs, a: Blocks, w: Linear, s: AttentionShape): void {
  product(x, a, w, (partial, rowBegin, rowEnd, panelBegin, panelEnd) =>
    x.kernels.finishHeads(
      out.queries,
      out.keys,
      out.values,
      partial,
      w.bias,
      s.tokens,
      s.heads,
      s.headWidth,
      rowBegin,
      rowEnd,
      panelBegin,
      panelEnd,
    ),
  );
}

/** What is done with a task's block of rows by block of columns, its sums being at `partial`. */
type Work = (partial: Pointer, rowBegin: number, rowEnd: number, panelBegin: number, panelEnd: number) => void;

/**
 * The tasks of a product, each a block of rows by a block of columns: all blocks of k into partial sums, then `finish` while they are in the cache. The
 * rows' part of a stays in L2 while the panels of a task pass, then comes the next block of k.
 */
function product(x: ProductContext, a: Blocks, w: Linear, finish: Work): void {
  const multiply = "scales" in w ? int8Sums(x, a, w) : floatSums(x, a, w);
  const partial = offset(x.scratch, PANEL_SCRATCH_BYTES, 1);
  const panels = Math.ceil(w.columns / PANEL);
  const cut = cutTasks(a.rows, panels, x.team.count);
  const columnTasks = Math.ceil(panels / cut.panels);
  x.team.each(Math.ceil(a.rows / cut.rows) * columnTasks, (task) => {
    const rowBegin = Math.floor(task / columnTasks) * cut.rows;
    const rowEnd = Math.min(rowBegin + cut.rows, a.rows);
    const panelBegin = (task % columnTasks) * cut.panels;
    const panelEnd = Math.min(panelBegin + cut.panels, panels);
    multiply(partial, rowBegin, rowEnd, panelBegin, panelEnd);
    finish(partial, rowBegin, rowEnd, panelBegin, panelEnd);
  });
  x.team.barrier();
}

function floatSums(x: ProductContext, a: Blocks, w: FloatLinear): Work {
  return (partial, rowBegin, rowEnd, panelBegin, panelEnd) => {
    for (let k = 0; k < w.k; k += K_BLOCK) {
      x.team.poll();
      x.kernels.multiply(
        partial,
        a.at,
        w.panels,
        x.scratch,
        a.rows,
        w.k,
        w.storage,
        rowBegin,
        rowEnd,
        k,
        panelBegin,
        panelEnd,
        x.tile,
      );
    }
  };
}

/** Rows that come without their levels are quantised first, all of them by all workers. */
function int8Sums(x: ProductContext, a: Blocks, w: Int8Linear): Work {
  const levels = a.levels ?? x.levels;
  if (!a.levels) quantise(x, levels, a, w.k);
  const block = levelBlock(levels.form);
  return (partial, rowBegin, rowEnd, panelBegin, panelEnd) => {
    for (let k = 0; k < w.k; k += block) {
      x.team.poll();
      x.kernels.multiplyInt8(
        partial,
        levels.at,
        w.panels,
        x.scratch,
        levels.scales,
        levels.zeros,
        w.scales,
        w.sums,
        levels.form,
        a.rows,
        w.k,
        rowBegin,
        rowEnd,
        k,
        panelBegin,
        panelEnd,
        x.int8Tile,
      );
    }
  };
}

/** Panels of one task: 512 KB of 4096 k. */
const SUMMED_PANELS = 16;

/** The sums of a layer's columns, which all levels but plain wide ones need: once, when its weights are there. */
export function sumColumns(x: OpContext, w: Int8Linear, form: LevelForm): void {
  const panels = Math.ceil(w.columns / PANEL);
  x.team.each(Math.ceil(panels / SUMMED_PANELS), (task) => {
    const begin = task * SUMMED_PANELS;
    x.kernels.sumInt8(w.sums, w.panels, form, w.k, begin, Math.min(begin + SUMMED_PANELS, panels));
  });
  x.team.barrier();
}

/** Rows and panels of a task: as many rows as stay in the cache, cut evenly; then columns and at last rows are cut for the workers. */
function cutTasks(rows: number, panels: number, workers: number): { readonly rows: number; readonly panels: number } {
  const wanted = workers === 1 ? 1 : TASKS_PER_WORKER * workers;
  const blocks = Math.ceil(rows / TASK_ROWS);
  const even = roundUp(Math.ceil((panels * blocks) / wanted), TILE_PANELS);
  const taskPanels = Math.min(MAX_TASK_PANELS, Math.max(MIN_TASK_PANELS, even));
  const missing = Math.ceil(wanted / Math.ceil(panels / taskPanels));
  const rowBlocks = Math.max(blocks, Math.min(missing, Math.floor(rows / MIN_TASK_ROWS)));
  return { rows: Math.min(TASK_ROWS, roundUp(Math.ceil(rows / rowBlocks), EVEN_ROWS)), panels: taskPanels };
}
