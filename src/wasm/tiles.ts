import type { Kernels, LevelForm, TileName } from "./abi.js";
import {
  ARENA_BASE,
  blockElements,
  INT8_WIDENED_BYTES,
  K_BLOCK,
  LEVELS,
  levelBlock,
  NULL,
  PANEL,
  panelElements,
  partialBytes,
  STORAGE,
  TILE,
  WIDENED_BYTES,
} from "./abi.js";
import { instantiateKernels } from "./instantiate.js";
import { Arena, createMemory, ensureMemory, f32 } from "./memory.js";

/**
 * Which register tile is fastest here, found by running all of them: it depends on the engine's registers, its register allocator and its
 * flags, and no instruction tells. All tiles give the same bytes, so a wrong choice costs time and nothing else.
 */
export const TILES = Object.keys(TILE) as TileName[];

/** What is multiplied: floats in f32, or levels and weights of 8 bits. Each has a tile of its own. */
export type ProductKind = "float" | "int8";

/** The tiles of a model's products, and what the levels of those of 8 bits are kept as. */
export interface Tiles extends Readonly<Record<ProductKind, TileName>> {
  readonly levels: LevelForm;
}

/** One sample: 0.98 MFLOP, 15 us at 65 GFLOP/s, or twice that of 8-bit products. Rows are a multiple of every tile's; two panels of one k block. */
const SHAPE = { rows: 120, columns: 2 * PANEL };

/**
 * V8 starts wasm unoptimised and swaps in optimised code, compiled beside, after 6 to 150 such calls and 1 to 7 ms (Node 20, 22, 24 and
 * 26). Unoptimised, every tile does 11 to 20 GFLOP/s; optimised, the slowest (it spills) 29 and never less than 0.5 of the fastest, so
 * the first limit tells that optimised code has come at all and the second for which tiles it has not.
 */
const SPEED_UP = 1.5;
const WORST_OPTIMISED = 0.45;

/** Rounds without a new minimum, 5 % below the last one, after which the minima are taken: 1.5 ms of optimised code. */
const STEADY_ROUNDS = 20;
const GAIN = 0.95;

/** An engine that tiers up later, unseen or not at all is given this long, ms: on busy processors optimised code of one tile may come 30 ms after that of another. */
const PATIENCE_MS = 100;

export interface TileRace {
  /** Milliseconds of the fastest sample of each tile. */
  readonly best: Readonly<Record<TileName, number>>;
  /** Some tiles were optimised and others not when patience ended. */
  readonly unfinished: boolean;
  /** The clock stood still during a sample: nothing can be told. */
  readonly coarse: boolean;
}

/** Samples all tiles in turn until their minima are steady. `now` is in milliseconds. */
export function raceTiles(sample: (tile: TileName) => void, now: () => number): TileRace {
  const best = Object.fromEntries(TILES.map((tile) => [tile, Number.POSITIVE_INFINITY])) as Record<TileName, number>;
  for (const tile of TILES) sample(tile); // Compiles, where the engine is lazy.
  const begin = now();
  let unoptimised: number | undefined;
  for (let steady = 0; ; ) {
    steady++;
    let end = begin;
    for (const tile of TILES) {
      const start = now();
      sample(tile);
      end = now();
      const took = end - start;
      if (took <= 0) return { best, unfinished: false, coarse: true };
      if (took < best[tile] * GAIN) steady = 0;
      best[tile] = Math.min(best[tile], took);
    }
    // The slowest first sample may have been interrupted: the second slowest.
    unoptimised ??= Object.values(best).sort((a, b) => b - a)[1] ?? 0;
    const fastest = Math.min(...Object.values(best));
    const unfinished = TILES.some((tile) => best[tile] * WORST_OPTIMISED > fastest);
    const optimised = fastest * SPEED_UP < unoptimised && !unfinished;
    if (steady >= STEADY_ROUNDS && (optimised || end - begin >= PATIENCE_MS))
      return { best, unfinished, coarse: false };
  }
}

export interface TileChoice {
  readonly tile: TileName;
  /** Billions of operations a second of one thread, in the race: GFLOP/s, or GOP/s of 8-bit products. Empty when the clock is too coarse to tell. */
  readonly gflops: Readonly<Partial<Record<TileName, number>>>;
  /** What was not as expected. */
  readonly notes: readonly string[];
}

/**
 * Times every tile of a compiled variant on this thread, in a memory of its own: products of floats, or of 8 bits with levels of this form. `fallback` is taken where the clock is
 * too coarse.
 */
export function chooseTile(
  module: WebAssembly.Module,
  shared: boolean,
  fallback: TileName,
  now: () => number,
  form?: LevelForm,
): TileChoice {
  const { rows, columns } = SHAPE;
  // As many bytes of each, and as many operations to a vector: 8-bit products are made of pairs or of fours of k.
  const k = form === undefined ? K_BLOCK : levelBlock(form);
  const arena = new Arena(ARENA_BASE);
  const partial = arena.take(partialBytes(rows, columns / PANEL));
  const a = arena.take(blockElements(rows, k) * 4);
  const panels = arena.take(panelElements(columns, k) * 4);
  const scratch = arena.take(Math.max(WIDENED_BYTES, INT8_WIDENED_BYTES));
  const memory = createMemory(ARENA_BASE, shared);
  ensureMemory(memory, arena.end);
  // Pages never written to are one page of zeros to the processor, and reading it under many addresses is a fifth slower (Zen 4).
  f32(memory, partial, (arena.end - partial) / 4).fill(1);
  const { multiply, multiplyInt8 }: Kernels = instantiateKernels(module, memory);
  const end = columns / PANEL;
  const sample = (tile: TileName): void => {
    const code = TILE[tile];
    if (form === undefined) multiply(partial, a, panels, scratch, rows, k, STORAGE.f32, 0, rows, 0, 0, end, code);
    else
      multiplyInt8(partial, a, panels, scratch, NULL, scratch, NULL, scratch, form, rows, k, 0, rows, 0, 0, end, code);
  };
  return judge(raceTiles(sample, now), 2 * rows * columns * k, fallback);
}

/** Of 8-bit products: times those of 16-bit dots, and those of the fused dot where it is exact (`fallback.levels`), and takes the fastest of all. */
export function chooseInt8Tile(
  module: WebAssembly.Module,
  shared: boolean,
  fallback: Tiles,
  now: () => number,
): TileChoice & { readonly levels: LevelForm } {
  const choose = (levels: LevelForm) => ({ ...chooseTile(module, shared, fallback.int8, now, levels), levels });
  const wide = choose(LEVELS.wide);
  if (fallback.levels === LEVELS.wide) return wide;
  const fused = choose(fallback.levels);
  const rate = ({ tile, gflops }: TileChoice): number => gflops[tile] ?? 0;
  return rate(fused) >= rate(wide) ? fused : wide;
}

function judge({ best, unfinished, coarse }: TileRace, operations: number, fallback: TileName): TileChoice {
  if (coarse) return { tile: fallback, gflops: {}, notes: [`tile ${fallback}: the clock is too coarse to time tiles`] };
  const tile = TILES.reduce((a, b) => (best[b] < best[a] ? b : a));
  const gflops = Object.fromEntries(TILES.map((name) => [name, operations / best[name] / 1e6]));
  const notes = unfinished ? [`tile ${tile}: the engine had not optimised every tile when they were timed`] : [];
  return { tile, gflops, notes };
}
