/** Every op as a program that a test can call by name, in this thread or on a pool of workers. */
import { type PreprocessConfig, preprocessPicture, squarePicture } from "#dist/image/preprocess.js";
import { projectImage } from "#dist/model/aligner.js";
import type { JanusConfig } from "#dist/model/config.js";
import type { Activations, Weights } from "#dist/model/plan.js";
import { encodeImage, type ImageForm, towerSteps } from "#dist/model/vision.js";
import { type AttentionInputs, type AttentionShape, attention } from "#dist/ops/attention.js";
import { attentionInt16 } from "#dist/ops/attention-int16.js";
import { copyRows, fillRgb } from "#dist/ops/canvas.js";
import { fromBlocks } from "#dist/ops/column-blocks.js";
import { type Blocks, offset, type ProductContext } from "#dist/ops/context.js";
import { gather } from "#dist/ops/gather.js";
import { layernorm } from "#dist/ops/layernorm.js";
import { type Linear, type LinearOptions, linear, linearHeads, sumColumns } from "#dist/ops/linear.js";
import { normalise } from "#dist/ops/normalise.js";
import { countNonFinite, packPieces, type StoredPiece } from "#dist/ops/pack.js";
import { patchify } from "#dist/ops/patchify.js";
import { patchifyRgb } from "#dist/ops/patchify-rgb.js";
import { type Levels, quantise } from "#dist/ops/quantise.js";
import { resizeHorizontal, resizeVertical } from "#dist/ops/resize.js";
import { scatter } from "#dist/ops/scatter.js";
import { CONTROL_BYTES } from "#dist/threads/control.js";
import type { Reply } from "#dist/threads/serve.js";
import { Team } from "#dist/threads/team.js";
import { ARENA_BASE, LEVELS, NULL, type Pointer, type Storage, TILE, type Tile } from "#dist/wasm/abi.js";
import { instantiateKernels } from "#dist/wasm/instantiate.js";
import { Arena } from "#dist/wasm/memory.js";

/** More than any op of the tests asks for. */
export const SCRATCH_BYTES = 1 << 20;

/** Room that `pack` has for a slice in f32, of each of three workers. */
export const WIDENED_BYTES = 1 << 19;

/** First byte after the control block and the scratch of five workers. */
export const FREE = ARENA_BASE + CONTROL_BYTES + 5 * SCRATCH_BYTES;

export interface OpSetup {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** A worker's context over the shared memory; without threads the control block is not looked at. */
export function startOps(setup: OpSetup, index: number, count: number): ProductContext {
  const { module, memory } = setup;
  const kernels = instantiateKernels(module, memory);
  const threaded = memory.buffer instanceof SharedArrayBuffer;
  const control = threaded
    ? new Int32Array(memory.buffer, ARENA_BASE, CONTROL_BYTES / 4)
    : new Int32Array(CONTROL_BYTES / 4);
  const team = new Team(index, count, control, () => kernels.barrier(threaded ? (ARENA_BASE as Pointer) : NULL, count));
  const scratch = (ARENA_BASE + CONTROL_BYTES + index * SCRATCH_BYTES) as Pointer;
  return {
    kernels,
    memory,
    team,
    scratch,
    tile: TILE["4x8"],
    int8Tile: TILE["4x8"],
    levels: { at: NULL, scales: NULL, zeros: NULL, form: LEVELS.wide },
  };
}

/** `picture.data` is for the leader alone; buffers are taken from `free` on. */
function preprocess(
  x: ProductContext,
  config: PreprocessConfig,
  picture: { readonly width: number; readonly height: number; readonly data: Uint8Array },
  dst: Pointer,
  free: Pointer,
): void {
  preprocessPicture(x, config, picture, x.team.leads ? picture.data : undefined, dst, new Arena(free));
}

/** As `preprocess`. */
function square(
  x: ProductContext,
  config: PreprocessConfig,
  picture: { readonly width: number; readonly height: number; readonly data: Uint8Array },
  dst: Pointer,
  free: Pointer,
): void {
  squarePicture(x, config, picture, x.team.leads ? picture.data : undefined, dst, new Arena(free));
}

/** What the tap saw, in order: on every worker the same names. */
function encode(
  x: ProductContext,
  config: JanusConfig,
  weights: Weights,
  activations: Activations,
  form: ImageForm,
  taps: boolean,
): readonly (readonly [string, Float32Array])[] {
  const seen: [string, Float32Array][] = [];
  const tap = (stage: string, at: Pointer): number =>
    seen.push([stage, fromBlocks(x.memory, { at, rows: config.tokens }, config.width)]);
  encodeImage(
    x,
    config,
    weights,
    activations,
    form,
    towerSteps({ blocks: weights.blocks.length }),
    taps ? tap : undefined,
  );
  return seen;
}

/** One piece, whose bytes lie at `src`: how many elements of it are not finite in what this worker took. */
function packed(x: ProductContext, piece: StoredPiece, src: Pointer, widened: Pointer): number {
  const take = (_: number, from: number): Pointer => offset(src, from, 1);
  // Every worker widens in room of its own.
  const own = offset(widened, x.team.index * WIDENED_BYTES, 1);
  return packPieces(x, [piece], { take, done: () => {} }, own)[0]!;
}

function packWeights(
  x: ProductContext,
  at: Pointer,
  src: Pointer,
  widened: Pointer,
  k: number,
  stored: Storage,
  wide: boolean,
  first: number,
  count: number,
): number {
  return packed(x, { placement: { kind: "panels", at, k, wide }, stored, first, count }, src, widened);
}

function packVector(
  x: ProductContext,
  at: Pointer,
  src: Pointer,
  stored: Storage,
  first: number,
  count: number,
): number {
  return packed(x, { placement: { kind: "vector", at }, stored, first, count }, src, NULL);
}

/** As `packWeights`, to 8 bits. */
function packInt8(
  x: ProductContext,
  at: Pointer,
  scales: Pointer,
  src: Pointer,
  widened: Pointer,
  k: number,
  stored: Storage,
  first: number,
  count: number,
): number {
  return packed(x, { placement: { kind: "int8", at, scales, k }, stored, first, count }, src, widened);
}

/** A linear layer whose rows may be quantised to `levels`, with any tile. */
function linearOn(
  x: ProductContext,
  levels: Levels,
  tile: Tile,
  out: Blocks,
  a: Blocks,
  w: Linear,
  options: LinearOptions,
): void {
  linear({ ...x, levels, tile, int8Tile: tile }, out, a, w, options);
}

/** The same of attention, whose keys and values become levels there. */
function attentionInt16On(
  x: ProductContext,
  levels: Levels,
  tile: Tile,
  out: Blocks,
  inputs: AttentionInputs,
  s: AttentionShape,
): void {
  attentionInt16({ ...x, levels, tile, int8Tile: tile }, out, inputs, s);
}

export const OPS = {
  attention,
  attentionInt16On,
  copyRows,
  countNonFinite,
  encode,
  fillRgb,
  gather,
  layernorm,
  linear,
  linearHeads,
  linearOn,
  normalise,
  packInt8,
  packVector,
  packWeights,
  patchify,
  patchifyRgb,
  preprocess,
  project: projectImage,
  quantise,
  resizeHorizontal,
  resizeVertical,
  scatter,
  square,
  sumColumns,
};

export type Op = keyof typeof OPS;
type Rest<T> = T extends readonly [unknown, ...infer Tail] ? Tail : never;
/** The arguments of an op after its context. */
export type OpArguments<K extends Op> = Rest<Parameters<(typeof OPS)[K]>>;

export interface OpCall {
  readonly op: Op;
  readonly args: readonly unknown[];
}

export function callOp(x: ProductContext, { op, args }: OpCall): Reply {
  const call = OPS[op] as (x: ProductContext, ...args: readonly unknown[]) => unknown;
  return { output: call(x, ...args) };
}
