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
 * Which register tile is fastest here, found by running all that may be: it depends on the engine's registers, its register allocator and its
 * flags, and no instruction tells. All tiles give the same bytes, so a wrong choice costs time and nothing else.
 */
export const TILES = Object.keys(TILE) as TileName[];

/** Those that may be fastest where every product is a multiplication, and those of `assembly/tiles/crossed.ts`, which holds two operands of each kind. */
const PLAIN: readonly TileName[] = ["6x8", "4x8", "6x16", "5x16", "2x16"];
const CROSSED: readonly TileName[] = ["3x8", "3x16", "2x16"];

/** A tile, and what it multiplies: floats, or levels of this form. */
interface Contender {
  readonly tile: TileName;
  readonly form?: LevelForm;
  readonly label: string;
}

const FLOATS: readonly Contender[] = PLAIN.map((tile) => ({ tile, label: tile }));

function contenders(form: LevelForm, name: string, tiles: readonly TileName[]): Contender[] {
  return tiles.map((tile) => ({ tile, form, label: `${name} ${tile}` }));
}

/** What is multiplied: floats in f32, or levels and weights of 8 bits. Each has a tile of its own. */
export type ProductKind = "float" | "int8";

/** The tiles of a model's products, and what the levels of those of 8 bits are kept as. */
export interface Tiles extends Readonly<Record<ProductKind, TileName>> {
  readonly levels: LevelForm;
}

/** One call: 0.98 MFLOP, 15 us at 65 GFLOP/s, or two or four times that of 8-bit products. Rows are a multiple of every tile's; two panels of one k block. */
const SHAPE = { rows: 120, columns: 2 * PANEL };

/**
 * V8 starts wasm unoptimised and swaps in optimised code, compiled beside, after 6 to 150 such calls and 1 to 7 ms (Node 20, 22, 24 and
 * 26). Unoptimised, every tile does 11 to 20 GFLOP/s; optimised, the slowest (it spills) 29 and never less than 0.5 of the fastest, so
 * the first limit tells that optimised code has come at all and the second for which tiles it has not.
 */
const SPEED_UP = 1.5;
const WORST_OPTIMISED = 0.45;

/** Calls of each without a new minimum, 5 % below the last one, after which the minima are taken: 1.5 ms of optimised code. In no fewer rounds than some may be interrupted in. */
const STEADY_CALLS = 20;
const STEADY_ROUNDS = 5;
const GAIN = 0.95;

/**
 * A clock that goes in steps of 5 us, as Chromium's on an isolated page, says 10 or 15 of a sample of 13: the tile was one of chance there. So a sample is as many calls, of at least
 * 8 us, as take so many steps of the clock.
 */
const STEPS = 32;
const CALL_MS = 0.008;
/** Firefox's steps on an isolated page are 0.02 ms. Longer ones, as on pages that are not isolated, would take longer than a right choice gains. */
const COARSE_MS = 0.025;

/** An engine that tiers up later, unseen or not at all is given this long, ms: on busy processors optimised code of one tile may come 30 ms after that of another. */
const PATIENCE_MS = 100;

export interface TileRace {
  /** Milliseconds of the fastest call of each contender. */
  readonly best: readonly number[];
  /** Some were optimised and others not when patience ended. */
  readonly unfinished: boolean;
  /** The clock stands still, or moves in steps that are too long: nothing can be told. */
  readonly coarse: boolean;
}

/** What a clock moves by, in its own unit; undefined for one that (nearly) stands still. */
function stepOf(now: () => number): number | undefined {
  const steps: number[] = [];
  let before = now();
  // Of 5 steps that in the middle, in 2 ms at the most: work of others makes one longer.
  for (let call = 0; call < 20_000 && steps.length < 5; call++) {
    const at = now();
    if (at > before) steps.push(at - before);
    before = at;
  }
  return steps.sort((a, b) => a - b)[2];
}

/** Calls `count` contenders in turn until their minima are steady. `now` is in milliseconds. */
export function raceTiles(count: number, call: (index: number) => void, now: () => number): TileRace {
  const best = new Array<number>(count).fill(Number.POSITIVE_INFINITY);
  const step = stepOf(now);
  if (step === undefined || step > COARSE_MS) return { best, unfinished: false, coarse: true };
  const calls = Math.ceil((STEPS * step) / CALL_MS);
  const rounds = Math.max(STEADY_ROUNDS, STEADY_CALLS / calls);
  for (let index = 0; index < count; index++) call(index); // Compiles, where the engine is lazy.
  const begin = now();
  let unoptimised: number | undefined;
  for (let steady = 0; ; ) {
    steady++;
    let end = begin;
    for (let index = 0; index < count; index++) {
      const start = now();
      for (let n = 0; n < calls; n++) call(index);
      end = now();
      const took = (end - start) / calls;
      if (took <= 0) return { best, unfinished: false, coarse: true };
      const before = best[index]!;
      if (took < before * GAIN) steady = 0;
      best[index] = Math.min(before, took);
    }
    // The slowest first sample may have been interrupted: the second slowest.
    unoptimised ??= best.toSorted((a, b) => b - a)[1] ?? 0;
    const fastest = Math.min(...best);
    const unfinished = best.some((time) => time * WORST_OPTIMISED > fastest);
    const optimised = fastest * SPEED_UP < unoptimised && !unfinished;
    if (steady >= rounds && (optimised || end - begin >= PATIENCE_MS)) return { best, unfinished, coarse: false };
  }
}

export interface TileChoice {
  readonly tile: TileName;
  /** Its name among the rates. */
  readonly label: string;
  /** Billions of operations a second of one thread, in the race: GFLOP/s of tiles, or GOP/s of 8-bit products by levels and tiles. Empty when the clock is too coarse to tell. */
  readonly gflops: Readonly<Record<string, number>>;
  /** What was not as expected. */
  readonly notes: readonly string[];
}

/** Times the tiles of f32 products of a compiled variant on this thread, in a memory of its own. `fallback` is taken where the clock is too coarse. */
export function chooseTile(
  module: WebAssembly.Module,
  shared: boolean,
  fallback: TileName,
  now: () => number,
): TileChoice {
  return choose(module, shared, FLOATS, { tile: fallback, label: fallback }, now);
}

/** The same of 8-bit products: by plain 16-bit dots, by those of sums, and by the fused dot where it is exact (`fallback.levels`). */
export function chooseInt8Tile(
  module: WebAssembly.Module,
  shared: boolean,
  fallback: Tiles,
  now: () => number,
): TileChoice & { readonly levels: LevelForm } {
  const { int8: tile, levels } = fallback;
  const racing = [...contenders(LEVELS.wide, "plain", PLAIN), ...contenders(LEVELS.crossed, "crossed", CROSSED)];
  if (levels !== LEVELS.wide) racing.push(...contenders(levels, "fused", PLAIN));
  const { form, ...choice } = choose(module, shared, racing, { tile, form: levels, label: tile }, now);
  return { ...choice, levels: form ?? levels };
}

function choose(
  module: WebAssembly.Module,
  shared: boolean,
  racing: readonly Contender[],
  fallback: Contender,
  now: () => number,
): TileChoice & Contender {
  const { best, unfinished, coarse } = raceTiles(racing.length, sampler(module, shared, racing), now);
  if (coarse)
    return { ...fallback, gflops: {}, notes: [`tile ${fallback.label}: the clock is too coarse to time tiles`] };
  const winner = racing[best.indexOf(Math.min(...best))]!;
  const rates = racing.map(({ label, form }, index) => [label, operations(form) / best[index]! / 1e6] as const);
  const { label } = winner;
  const notes = unfinished ? [`tile ${label}: the engine had not optimised every tile when they were timed`] : [];
  return { ...winner, gflops: Object.fromEntries(rates), notes };
}

/** As many bytes of each, and so as many operations to a vector: 8-bit products are made of pairs or of fours of k. */
function depth(form: LevelForm | undefined): number {
  return form === undefined ? K_BLOCK : levelBlock(form);
}

function operations(form: LevelForm | undefined): number {
  return 2 * SHAPE.rows * SHAPE.columns * depth(form);
}

/** Calls a contender once. */
function sampler(module: WebAssembly.Module, shared: boolean, racing: readonly Contender[]): (index: number) => void {
  const { rows, columns } = SHAPE;
  const end = columns / PANEL;
  const arena = new Arena(ARENA_BASE);
  const partial = arena.take(partialBytes(rows, end));
  const a = arena.take(blockElements(rows, K_BLOCK) * 4);
  const panels = arena.take(panelElements(columns, K_BLOCK) * 4);
  const scratch = arena.take(Math.max(WIDENED_BYTES, INT8_WIDENED_BYTES));
  const memory = createMemory(ARENA_BASE, shared);
  ensureMemory(memory, arena.end);
  // Pages never written to are one page of zeros to the processor, and reading it under many addresses is a fifth slower (Zen 4).
  f32(memory, partial, (arena.end - partial) / 4).fill(1);
  const { multiply, multiplyInt8 }: Kernels = instantiateKernels(module, memory);
  return (index) => {
    const { tile, form } = racing[index]!;
    const k = depth(form);
    const code = TILE[tile];
    if (form === undefined) multiply(partial, a, panels, scratch, rows, k, STORAGE.f32, 0, rows, 0, 0, end, code);
    else
      multiplyInt8(partial, a, panels, scratch, NULL, scratch, NULL, scratch, form, rows, k, 0, rows, 0, 0, end, code);
  };
}
