import { normalisedLevels } from "../image/levels.js";
import type { RgbImage } from "../image/pixels.js";
import type { PicturePlan } from "../image/plan.js";
import { preprocessPicture, squarePicture } from "../image/preprocess.js";
import { projectImage } from "../model/aligner.js";
import type { JanusConfig } from "../model/config.js";
import type { BlockWeights, ModelPlan } from "../model/plan.js";
import type { ImageForm, Steps } from "../model/vision.js";
import { encodeImage, towerSteps } from "../model/vision.js";
import { fromBlocks, toBlocks } from "../ops/column-blocks.js";
import type { OpContext, ProductContext } from "../ops/context.js";
import { offset } from "../ops/context.js";
import { gather } from "../ops/gather.js";
import { sumColumns } from "../ops/linear.js";
import type { StoredPiece, Supply } from "../ops/pack.js";
import { countNonFinite, packPieces } from "../ops/pack.js";
import { scatter } from "../ops/scatter.js";
import { CONTROL_BYTES } from "../threads/control.js";
import { Ring } from "../threads/ring.js";
import type { Program, Reply } from "../threads/serve.js";
import { Team } from "../threads/team.js";
import type { LevelForm, Pointer, Storage } from "../wasm/abi.js";
import { NULL, STORAGE_BYTES, TILE } from "../wasm/abi.js";
import { instantiateKernels } from "../wasm/instantiate.js";
import { Arena, createMemory, ensureMemory, f32, i32, u8 } from "../wasm/memory.js";
import type { ProductKind, Tiles } from "../wasm/tiles.js";
import { chooseInt8Tile, chooseTile } from "../wasm/tiles.js";
import type { StagingPlan } from "./staging.js";
import { ROOMS } from "./staging.js";

/** What every worker is started with; must survive a structured clone. A worker with a picture's plan runs `square` alone. */
export interface Setup<Plan extends PicturePlan = ModelPlan> {
  readonly module: WebAssembly.Module;
  /** Absent when there is a single worker, which then owns a memory that is not shared. */
  readonly memory: WebAssembly.Memory | undefined;
  /** Control block of a single worker; with shared memory it lies at plan.control. */
  readonly control: SharedArrayBuffer | undefined;
  readonly config: JanusConfig;
  readonly plan: Plan;
}

/** A worker's context: kernels over the one memory, its team, the model's blueprint and addresses. */
export interface ModelContext<Plan extends PicturePlan = ModelPlan> extends OpContext {
  readonly module: WebAssembly.Module;
  readonly config: JanusConfig;
  readonly plan: Plan;
}

/** Builds a worker's context. */
export function startModel<Plan extends PicturePlan>(
  setup: Setup<Plan>,
  index: number,
  count: number,
): ModelContext<Plan> {
  const { plan } = setup;
  const memory = setup.memory ?? createMemory(plan.free, false);
  const kernels = instantiateKernels(setup.module, memory);
  const control = setup.memory
    ? new Int32Array(memory.buffer, plan.control, CONTROL_BYTES / 4)
    : new Int32Array(setup.control ?? new ArrayBuffer(CONTROL_BYTES));
  const team = new Team(index, count, control, () => kernels.barrier(setup.memory ? plan.control : NULL, count));
  const scratch = offset(plan.scratch, index * plan.scratchBytes, 1);
  return { kernels, memory, team, scratch, module: setup.module, config: setup.config, plan };
}

export interface TimeTilesInput {
  readonly fallback: Tiles;
  /** What a model multiplies. */
  readonly kinds: readonly ProductKind[];
}

export interface TimeTilesOutput {
  readonly tiles: Tiles;
  readonly notes: readonly string[];
}

/** The leader times the tiles while the others rest; the code that it warms up is theirs, too. */
const timeTiles: Program<ModelContext> = (x, { fallback, kinds }: TimeTilesInput): Reply | undefined => {
  if (!x.team.leads) return undefined;
  const now = (): number => performance.now();
  // The kernels are those of a shared memory, whatever else it is shared with.
  const shared = !(x.memory.buffer instanceof ArrayBuffer);
  const output = { tiles: { ...fallback }, notes: [] as string[] };
  if (kinds.includes("float")) {
    const { tile, notes } = chooseTile(x.module, shared, fallback.float, now);
    output.tiles = { ...output.tiles, float: tile };
    output.notes.push(...notes);
  }
  if (kinds.includes("int8")) {
    const { tile, levels, notes } = chooseInt8Tile(x.module, shared, fallback, now);
    output.tiles = { ...output.tiles, int8: tile, levels };
    output.notes.push(...notes);
  }
  return { output: output satisfies TimeTilesOutput };
};

/** What levels of this form need of the weights, once these are there. */
const sumInt8Columns: Program<ModelContext> = (x, form: LevelForm): undefined => {
  for (const block of x.plan.weights.blocks) sumBlock(x, block, form);
};

function sumBlock(x: OpContext, { qkv, proj, fc1, fc2 }: BlockWeights, form: LevelForm): void {
  for (const layer of [qkv, proj, fc1, fc2]) if ("scales" in layer) sumColumns(x, layer, form);
}

/** A piece, and where its bytes are. */
export interface StagedPiece extends StoredPiece {
  readonly batch: number;
  /** Its first byte, from the batch's. */
  readonly from: number;
}

export interface PackInput {
  readonly pieces: readonly StagedPiece[];
  /** Of every batch: in how many slices it is taken. */
  readonly slices: readonly number[];
  readonly staging: StagingPlan;
  /** Where batches lie in turn when memory is not shared. */
  readonly rooms: readonly SharedArrayBuffer[];
  /** Says which batches are there. Without shared memory of any kind there is none: the only batch comes with the message. */
  readonly ring: SharedArrayBuffer | undefined;
}

/** Takes batches of stored pieces to their places as they come. Answers with each piece's NaN and infinite elements in what this worker packed. */
const pack: Program<ModelContext> = (x, input: PackInput, own: Uint8Array | undefined): Reply => {
  const { pieces, slices, staging, rooms } = input;
  const { stored, widened } = staging.slices[x.team.index]!;
  const ring = input.ring && new Ring(input.ring);
  const buffers = own ? [own] : rooms.map((room) => new Uint8Array(room));
  if (buffers.length > 0) ensureMemory(x.memory, staging.end);
  const supply: Supply = {
    take(index, begin, bytes, target = stored) {
      const { batch, from } = pieces[index]!;
      ring?.await(batch, () => x.team.poll());
      const room = staging.rooms[batch % ROOMS];
      if (room !== undefined) return offset(room, from + begin, 1);
      const source = buffers[batch % buffers.length]!;
      u8(x.memory, target, bytes).set(source.subarray(from + begin, from + begin + bytes));
      return target;
    },
    done(index) {
      const { batch } = pieces[index]!;
      ring?.take(batch, slices[batch]!);
    },
  };
  return { output: packPieces(x, pieces, supply, widened) };
};

export interface ArriveInput {
  /** Of one part of the weights; `from` is an address, or, where a room comes along, counts from its first byte. */
  readonly pieces: readonly StagedPiece[];
  readonly slices: StagingPlan["slices"];
  /** The block whose weights these are, if its columns are to be summed for levels of this form. */
  readonly sums: { readonly block: number; readonly form: LevelForm } | undefined;
}

export interface ArriveOutput {
  /** NaN and infinite elements of each piece, in what this worker took. */
  readonly nonFinite: readonly number[];
  /** The room, given back. */
  readonly room: Uint8Array<ArrayBuffer> | undefined;
}

/** A part of the weights was read: takes it to its place, where it is not there already. The room comes to a worker alone. */
const arrive: Program<ModelContext> = (x, input: ArriveInput, own: Uint8Array<ArrayBuffer> | undefined): Reply => {
  const { pieces, slices, sums } = input;
  const { stored, widened } = slices[x.team.index]!;
  const supply: Supply = {
    take(index, begin, bytes, target = stored) {
      const from = pieces[index]!.from + begin;
      if (!own) return from as Pointer;
      u8(x.memory, target, bytes).set(own.subarray(from, from + bytes));
      return target;
    },
    done() {},
  };
  const nonFinite = packPieces(x, pieces, supply, widened);
  if (sums) sumBlock(x, x.plan.weights.blocks[sums.block]!, sums.form);
  return { output: { nonFinite, room: own } satisfies ArriveOutput, transfer: own ? [own.buffer] : [] };
};

export interface TakeOutInput {
  readonly at: Pointer;
  readonly bytes: number;
}

/** Hands out what was packed, in the room that came along, and leaves zeros. */
const takeOut: Program<ModelContext> = (x, { at, bytes }: TakeOutInput, own: ArrayBuffer): Reply | undefined => {
  if (!x.team.leads) return undefined;
  const content = u8(x.memory, at, bytes);
  new Uint8Array(own).set(content);
  content.fill(0);
  return { output: own, transfer: [own] };
};

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Packed RGB u8 in, the picture of S x S that the tower sees out. */
const square: Program<ModelContext<PicturePlan>> = (
  x,
  input: PictureSize,
  own: Uint8Array | undefined,
): Reply | undefined => {
  const { square } = x.plan.activations;
  const { preprocess, imageSize: size } = x.config;
  squarePicture(x, preprocess, input, own, square, new Arena(x.plan.idle, x.plan.limit));
  if (!x.team.leads) return undefined;
  const output: RgbImage = { width: size, height: size, data: u8(x.memory, square, 3 * size ** 2).slice() };
  return { output, transfer: [output.data.buffer] };
};

/** Packed RGB u8 in, pixel_values f32 [3,S,S] out. */
const preprocess: Program<ModelContext> = (x, input: PictureSize, own: Uint8Array | undefined): Reply | undefined => {
  const { pixels } = x.plan.activations;
  preprocessPicture(x, x.config.preprocess, input, own, pixels, new Arena(x.plan.idle, x.plan.limit));
  return answer(x, pixels, 3 * x.config.imageSize ** 2);
};

export interface EncodeOutput {
  /** Of the last step. */
  readonly features: Float32Array<ArrayBuffer> | undefined;
  /** Tapped stages in order; empty unless asked for. */
  readonly stages: readonly (readonly [string, Float32Array<ArrayBuffer>])[];
}

export interface EncodeInput {
  readonly form: ImageForm;
  readonly taps: boolean;
  readonly tiles: Tiles;
  /** Those whose weights are there. */
  readonly steps: Steps;
}

/** pixel_values f32 [3,S,S] or a square u8 [S,S,3] in with the first step, image_features f32 [P,W] out after the last one. */
const encode: Program<ModelContext> = (
  x,
  input: EncodeInput,
  own: Float32Array | Uint8Array | undefined,
): Reply | undefined => {
  const a = x.plan.activations;
  const { tokens, width } = x.config;
  if (own) {
    if (input.form === "pixels") {
      f32(x.memory, a.pixels, own.length).set(own);
    } else {
      const levels = normalisedLevels(x.config.preprocess);
      u8(x.memory, a.square, own.length).set(own);
      f32(x.memory, a.levels, levels.length).set(levels);
    }
  }
  x.team.barrier();
  const stages: [string, Float32Array<ArrayBuffer>][] = [];
  // The leader copies a stage while the others start the next op, which reads it and writes elsewhere.
  const tap = (stage: string, at: Pointer): number =>
    stages.push([stage, fromBlocks(x.memory, { at, rows: tokens }, width)]);
  encodeImage(
    { ...x, ...productsBy(input.tiles, a.quantised) },
    x.config,
    x.plan.weights,
    a,
    input.form,
    input.steps,
    input.taps && x.team.leads ? tap : undefined,
  );
  if (!x.team.leads) return undefined;
  const last = input.steps.to === towerSteps(x.config).to;
  const features = last ? fromBlocks(x.memory, { at: a.normed, rows: tokens }, width) : undefined;
  const output: EncodeOutput = { features, stages };
  return { output, transfer: [...(features ? [features.buffer] : []), ...stages.map(([, data]) => data.buffer)] };
};

/** image_features f32 [P,W] in, image_embeds f32 [P,D] out. */
const project: Program<ModelContext> = (x, input: { readonly tiles: Tiles }, own: Float32Array): Reply | undefined => {
  const a = x.plan.activations;
  const { tokens: rows, width, dim } = x.config;
  if (x.team.leads) toBlocks(x.memory, { at: a.normed, rows }, own, width);
  x.team.barrier();
  const context = { ...x, ...productsBy(input.tiles, a.quantised) };
  const embeds = projectImage(context, x.config, x.plan.weights, a);
  if (!x.team.leads) return undefined;
  const output = fromBlocks(x.memory, { at: embeds, rows }, dim);
  return { output, transfer: [output.buffer] };
};

export interface GatherInput {
  readonly rows: number;
  readonly distinct: number;
  readonly storage: Storage;
}

export interface GatherOwn {
  /** Stored rows [distinct, D]. */
  readonly table: Uint8Array<ArrayBuffer>;
  /** For every output row its row of the table, [rows]. */
  readonly index: Int32Array<ArrayBuffer>;
}

/** Stored rows of the token table in, text_embeds f32 [rows,D] out; NaN or infinite elements in the first output of each worker. */
const embedTokens: Program<ModelContext> = (x, input: GatherInput, own: GatherOwn): Reply => {
  const { dim } = x.config;
  const arena = new Arena(x.plan.idle, x.plan.limit);
  const table = arena.take(input.distinct * dim * STORAGE_BYTES[input.storage]);
  const index = arena.take(input.rows * 4);
  const embeds = arena.take(input.rows * dim * 4);
  if (x.team.leads) {
    ensureMemory(x.memory, arena.end);
    u8(x.memory, table, own.table.length).set(own.table);
    i32(x.memory, index, input.rows).set(own.index);
  }
  x.team.barrier();
  const bad = countNonFinite(x, table, input.storage, input.distinct * dim);
  gather(x, embeds, table, index, dim, input.storage, input.rows);
  const data = x.team.leads ? f32(x.memory, embeds, input.rows * dim).slice() : undefined;
  return { output: { bad, data }, transfer: data ? [data.buffer] : [] };
};

export interface ScatterInput {
  readonly rows: number;
  readonly sources: number;
}

export interface ScatterOwn {
  /** f32 [rows,D], overwritten at `index`. */
  readonly text: Float32Array<ArrayBuffer>;
  /** f32 [sources,D]. */
  readonly source: Float32Array<ArrayBuffer>;
  /** For every source its row of the text, [sources]. */
  readonly index: Int32Array<ArrayBuffer>;
}

/** Text rows with the image rows put in their slots. */
const fuse: Program<ModelContext> = (x, input: ScatterInput, own: ScatterOwn): Reply | undefined => {
  const { dim } = x.config;
  const arena = new Arena(x.plan.idle, x.plan.limit);
  const text = arena.take(input.rows * dim * 4);
  const source = arena.take(input.sources * dim * 4);
  const index = arena.take(input.sources * 4);
  if (x.team.leads) {
    ensureMemory(x.memory, arena.end);
    f32(x.memory, text, own.text.length).set(own.text);
    f32(x.memory, source, own.source.length).set(own.source);
    i32(x.memory, index, input.sources).set(own.index);
  }
  x.team.barrier();
  scatter(x, text, source, index, dim, input.sources);
  if (!x.team.leads) return undefined;
  own.text.set(f32(x.memory, text, own.text.length));
  return { output: own.text, transfer: [own.text.buffer] };
};

/** What a context of products has of these tiles. */
function productsBy(
  { float, int8, levels }: Tiles,
  quantised: ModelPlan["activations"]["quantised"],
): Pick<ProductContext, "tile" | "int8Tile" | "levels"> {
  return { tile: TILE[float], int8Tile: TILE[int8], levels: { ...quantised, form: levels } };
}

/** The leader's copy of a result, handed over to the caller. */
function answer(x: OpContext, at: Pointer, count: number): Reply | undefined {
  if (!x.team.leads) return undefined;
  const output = f32(x.memory, at, count).slice();
  return { output, transfer: [output.buffer] };
}

/** Every program a worker knows, by the name the caller uses. */
export const PROGRAMS = {
  sumInt8Columns,
  timeTiles,
  pack,
  arrive,
  takeOut,
  square,
  preprocess,
  encode,
  project,
  embedTokens,
  fuse,
} as const;
