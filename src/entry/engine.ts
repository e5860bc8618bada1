import { freeBytes } from "../image/free-bytes.js";
import type { RgbImage } from "../image/pixels.js";
import type { PicturePlan } from "../image/plan.js";
import type { JanusConfig } from "../model/config.js";
import type { Steps } from "../model/vision.js";
import { alignerStep, towerSteps } from "../model/vision.js";
import { sliceCount } from "../ops/pack.js";
import { CONTROL_BYTES } from "../threads/control.js";
import { Pool } from "../threads/pool.js";
import type { WorkerHandle } from "../threads/protocol.js";
import { Ring } from "../threads/ring.js";
import type { Pointer } from "../wasm/abi.js";
import { LEVELS } from "../wasm/abi.js";
import { createMemory, ensureMemory } from "../wasm/memory.js";
import type { ProductKind, Tiles } from "../wasm/tiles.js";
import type {
  ArriveInput,
  ArriveOutput,
  EncodeInput,
  EncodeOutput,
  GatherInput,
  GatherOwn,
  PackInput,
  PROGRAMS,
  ScatterInput,
  ScatterOwn,
  Setup,
  StagedPiece,
  TimeTilesInput,
  TimeTilesOutput,
} from "./programs.js";
import type { StagingPlan } from "./staging.js";
import { planStaging, ROOMS } from "./staging.js";

type Floats = Float32Array<ArrayBuffer>;

/** An image as the tower takes it: pixel_values f32 [3,S,S], or the picture of S x S that they are looked up from, in a quarter of the bytes. */
export type TowerImage = Float32Array | RgbImage;

export interface EngineOptions {
  readonly module: WebAssembly.Module;
  readonly threads: number;
  readonly config: JanusConfig;
  /** Of a model, or for `square` alone. */
  readonly plan: PicturePlan;
  /** The register tiles that every worker uses, until `timeTiles` finds faster ones. */
  readonly tiles: Tiles;
  readonly startWorker: () => WorkerHandle;
  /** Whether the caller can read into the workers' memory: always with several, on demand with one. The module must be of a variant for threads. */
  readonly shared?: boolean;
  /** Whether a worker may wait for the caller while a program runs: where the engine has SharedArrayBuffer, unless they are the same thread. */
  readonly waits?: boolean;
}

/** Sees to it that the weights of a step are in memory when it is computed. */
export interface Residence {
  /** Computes the steps in order, as many at a time as there is nothing to wait for. Steps are those of the tower, then the aligner. */
  pass(steps: Steps, compute: (steps: Steps) => Promise<void>, signal?: AbortSignal): Promise<void>;
}

/** All weights are in memory. */
const RESIDENT: Residence = { pass: (steps, compute) => compute(steps) };

/** What the tower makes of an image. */
export interface Encoded extends EncodeOutput {
  readonly features: Floats;
}

/** Batches on their way to the workers, which are to be read and filled in order. */
export interface Packing {
  /** A batch must be filled before room is asked for the next one. */
  readonly serial: boolean;
  /** Where batch `batch` is to be read to, when there is room. Rejects when packing has failed. */
  room(batch: number): Promise<Uint8Array>;
  /** It was read. */
  fill(batch: number): Promise<void>;
  /** When all batches are packed: elements of each piece that are NaN or infinite. */
  done(): Promise<readonly number[]>;
}

/**
 * The caller's side of the programs: typed calls that run on every worker. All compute happens there, also with one thread.
 *
 * Arrays handed in are transferred where noted "given away"; arrays handed out belong to the caller.
 */
export class Engine {
  readonly threads: number;
  /** Resolves when every worker has built its context. */
  readonly #pool: Promise<Pool>;
  readonly #plan: PicturePlan;
  readonly #config: JanusConfig;
  readonly #waits: boolean;
  #residence = RESIDENT;
  #memory: WebAssembly.Memory | undefined;
  #tiles: Tiles;
  /** Where batches are read to when memory is not shared: kept from one `pack` to the next. */
  #rooms: SharedArrayBuffer[] = [];
  #busy = false;

  private constructor(options: EngineOptions, memory: WebAssembly.Memory | undefined, pool: Promise<Pool>) {
    this.threads = options.threads;
    this.#pool = pool;
    this.#plan = options.plan;
    this.#config = options.config;
    this.#waits = options.waits ?? typeof SharedArrayBuffer !== "undefined";
    this.#memory = memory;
    this.#tiles = options.tiles;
    pool.catch(() => undefined); // What is asked first rejects with it.
  }

  /**
   * Creates the memory (shared when there are several threads or it is asked for; E_OOM when the host refuses) and the workers, and does not wait for these:
   * what they are asked they do when they have started.
   */
  static async start(options: EngineOptions): Promise<Engine> {
    const { module, config, plan, threads, startWorker, shared = threads > 1 } = options;
    const memory = shared ? createMemory(plan.free, true) : undefined;
    const own = memory || typeof SharedArrayBuffer === "undefined" ? undefined : new SharedArrayBuffer(CONTROL_BYTES);
    const control = memory
      ? new Int32Array(memory.buffer, plan.control, CONTROL_BYTES / 4)
      : new Int32Array(own ?? new ArrayBuffer(CONTROL_BYTES));
    const setup: Setup<PicturePlan> = { module, memory, control: own, config, plan };
    return new Engine(options, memory, Pool.start({ count: threads, startWorker, control, setup }));
  }

  /** Whether the workers run a program. */
  get busy(): boolean {
    return this.#busy;
  }

  /** The register tiles that every worker uses. */
  get tiles(): Tiles {
    return this.#tiles;
  }

  /** Times every register tile of each kind, 7 to 40 ms, and uses the fastest from now on. Says what was surprising. */
  async timeTiles(kinds: readonly ProductKind[], signal?: AbortSignal): Promise<readonly string[]> {
    const input: TimeTilesInput = { fallback: this.#tiles, kinds };
    const [output] = await this.#run("timeTiles", input, undefined, [], signal);
    const { tiles, notes } = output as TimeTilesOutput;
    this.#tiles = tiles;
    return notes;
  }

  /**
   * Packs batches of stored pieces as they come; `done` says how many elements of each piece are not finite. `roomBytes` is the largest
   * batch, and no slice of a matrix takes more than `sliceBytes`.
   */
  pack(pieces: readonly StagedPiece[], roomBytes: number, sliceBytes: number, signal?: AbortSignal): Packing {
    const memory = this.#memory;
    const staging = planStaging(this.#plan.idle, this.threads, roomBytes, sliceBytes, memory !== undefined);
    if (memory) ensureMemory(memory, staging.end);
    const slices: number[] = [];
    for (const piece of pieces) slices[piece.batch] = (slices[piece.batch] ?? 0) + sliceCount(piece);
    return !this.#waits
      ? this.#packApart(pieces, slices, staging, roomBytes, signal)
      : this.#packFlowing(pieces, slices, staging, roomBytes, memory, signal);
  }

  /** One program takes all batches: rooms and words are shared. */
  #packFlowing(
    pieces: readonly StagedPiece[],
    slices: readonly number[],
    staging: StagingPlan,
    roomBytes: number,
    memory: WebAssembly.Memory | undefined,
    signal: AbortSignal | undefined,
  ): Packing {
    const words = Ring.words(slices.length);
    const ring = new Ring(words);
    if ((this.#rooms[0]?.byteLength ?? 0) < roomBytes)
      this.#rooms = memory ? [] : Array.from({ length: ROOMS }, () => new SharedArrayBuffer(roomBytes));
    const buffers = this.#rooms;
    const rooms = memory
      ? staging.rooms.map((at) => new Uint8Array(memory.buffer, at, roomBytes))
      : buffers.map((buffer) => new Uint8Array(buffer));
    const input: PackInput = { pieces, slices, staging, rooms: buffers, ring: words };
    const done = this.#run("pack", input, undefined, [], signal).then((outputs) => summed(outputs as number[][]));
    done.catch(() => undefined); // Awaited when all is read, or instead of a room.
    return {
      serial: false,
      async room(batch) {
        const before = batch - ROOMS;
        if (before >= 0) await Promise.race([ring.taken(before, slices[before]!), done]);
        return rooms[batch % ROOMS]!;
      },
      async fill() {
        ring.fill();
      },
      done: () => done,
    };
  }

  /** Without shared memory, or in one thread: a program for every batch, which goes to the only worker. */
  #packApart(
    pieces: readonly StagedPiece[],
    slices: readonly number[],
    staging: StagingPlan,
    roomBytes: number,
    signal: AbortSignal | undefined,
  ): Packing {
    const nonFinite: number[] = [];
    let room = new Uint8Array(0);
    return {
      serial: true,
      async room() {
        room = new Uint8Array(roomBytes);
        return room;
      },
      fill: async (batch) => {
        const staged = pieces.filter((piece) => piece.batch === batch);
        const input: PackInput = { pieces: staged, slices, staging, rooms: [], ring: undefined };
        nonFinite.push(...summed((await this.#run("pack", input, room, [room.buffer], signal)) as number[][]));
      },
      done: async () => nonFinite,
    };
  }

  /** Nothing will be packed any more, for now: frees what packing keeps. */
  endPacking(): void {
    this.#rooms = [];
  }

  /** To be called when weights of 8 bits are loaded: sums their columns where the way they are multiplied needs that. */
  async sumInt8Columns(signal?: AbortSignal): Promise<void> {
    const { levels } = this.#tiles;
    if (levels !== LEVELS.wide) await this.#run("sumInt8Columns", levels, undefined, [], signal);
  }

  /** From now on `residence` says which steps can be computed. */
  reside(residence: Residence): void {
    this.#residence = residence;
  }

  /** `bytes` bytes of the workers' memory, where it is shared. */
  view(at: number, bytes: number): Uint8Array | undefined {
    return this.#memory && new Uint8Array(this.#memory.buffer, at, bytes);
  }

  /**
   * Takes a part of the weights, which lies in the workers' memory, or in `room`, to its places. The room is given away, and given back. `block`: if it is a block's, which.
   * Says how many elements of each piece are not finite.
   */
  async arrive(
    pieces: readonly StagedPiece[],
    slices: StagingPlan["slices"],
    room: Uint8Array<ArrayBuffer> | undefined,
    block: number | undefined,
    signal?: AbortSignal,
  ): Promise<ArriveOutput> {
    const { levels: form } = this.#tiles;
    const sums = block === undefined || form === LEVELS.wide ? undefined : { block, form };
    const input: ArriveInput = { pieces, slices, sums };
    const outputs = (await this.#run("arrive", input, room, room ? [room.buffer] : [], signal)) as ArriveOutput[];
    return { nonFinite: summed(outputs.map(({ nonFinite }) => nonFinite)), room: outputs[0]?.room };
  }

  /** Puts `bytes` bytes of the workers' memory at `at`, which are zero afterwards, at the beginning of `room`: given away, and given back. */
  async takeOut(at: Pointer, bytes: number, room: ArrayBuffer, signal?: AbortSignal): Promise<ArrayBuffer> {
    const [filled] = await this.#run("takeOut", { at, bytes }, room, [room], signal);
    return filled as ArrayBuffer;
  }

  /** A picture resized and padded to the S x S that the tower sees; its data is given away. */
  async square(picture: RgbImage, signal?: AbortSignal): Promise<RgbImage> {
    const { width, height, data } = picture;
    const [square] = await this.#run("square", { width, height }, data, [data.buffer], signal);
    freeBytes(data);
    return square as RgbImage;
  }

  /** pixel_values f32 [3,S,S] of a picture, whose data is given away. */
  async preprocess(picture: RgbImage, signal?: AbortSignal): Promise<Floats> {
    const { width, height, data } = picture;
    const [pixels] = await this.#run("preprocess", { width, height }, data, [data.buffer], signal);
    freeBytes(data);
    return pixels as Floats;
  }

  /** image_features f32 [P,W] of an image. A square's data is given away. */
  async encode(image: TowerImage, taps: boolean, signal?: AbortSignal): Promise<Encoded> {
    const [form, given] =
      image instanceof Float32Array ? (["pixels", alone(image)] as const) : (["square", image.data] as const);
    let features: Floats = new Float32Array(0);
    const stages: EncodeOutput["stages"][number][] = [];
    const compute = async (steps: Steps): Promise<void> => {
      const own = steps.from === 0 ? given : undefined;
      const input: EncodeInput = { form, taps, tiles: this.#tiles, steps };
      const [answer] = await this.#run("encode", input, own, own ? [own.buffer] : [], signal);
      const output = answer as EncodeOutput;
      stages.push(...output.stages);
      features = output.features ?? features;
    };
    await this.#residence.pass(towerSteps(this.#config), compute, signal);
    return { features, stages };
  }

  /** image_embeds f32 [P,D] of image_features [P,W]. */
  project(features: Float32Array, signal?: AbortSignal): Promise<Floats> {
    return this.projectOwn(alone(features), signal);
  }

  /** `project` of features in a buffer of their own, which is given away. */
  async projectOwn(own: Floats, signal?: AbortSignal): Promise<Floats> {
    let embeds: unknown;
    const compute = async (): Promise<void> => {
      [embeds] = await this.#run("project", { tiles: this.#tiles }, own, [own.buffer], signal);
    };
    await this.#residence.pass(alignerStep(this.#config), compute, signal);
    return embeds as Floats;
  }

  /** text_embeds f32 [rows,D] from stored rows of the token table (given away), and how many of their elements are not finite. */
  async embedTokens(
    input: GatherInput,
    own: GatherOwn,
    signal?: AbortSignal,
  ): Promise<{ embeds: Floats; bad: number }> {
    const buffers = [own.table.buffer, own.index.buffer];
    const outputs = (await this.#run("embedTokens", input, own, buffers, signal)) as { bad: number; data?: Floats }[];
    const embeds = outputs[0]?.data ?? new Float32Array(0);
    return { embeds, bad: outputs.reduce((sum, output) => sum + output.bad, 0) };
  }

  /** Text rows with source rows put in at their index; all three are given away, and the text's buffer comes back. */
  async fuse(input: ScatterInput, own: ScatterOwn, signal?: AbortSignal): Promise<Floats> {
    const [fused] = await this.#run("fuse", input, own, [own.text.buffer, own.source.buffer, own.index.buffer], signal);
    return fused as Floats;
  }

  async dispose(): Promise<void> {
    // Whoever keeps a disposed model must not keep its memory.
    this.#memory = undefined;
    // A pool that did not start has ended its workers itself.
    await this.#pool.then(
      (pool) => pool.dispose(),
      () => undefined,
    );
  }

  async #run(
    program: keyof typeof PROGRAMS,
    input: unknown,
    own: unknown,
    transfer: readonly ArrayBuffer[],
    signal?: AbortSignal,
  ): Promise<unknown[]> {
    signal?.throwIfAborted();
    this.#busy = true;
    try {
      const pool = await this.#pool;
      return await pool.run(program, input, { own, transfer, signal });
    } finally {
      this.#busy = false;
    }
  }
}

/** A copy in a buffer of its own, to be given away: a view that is posted takes the whole buffer behind it along, all other images too. */
function alone(values: Float32Array): Floats {
  return new Float32Array(values);
}

/** Counts of all workers. */
function summed(outputs: readonly (readonly number[])[]): number[] {
  const [first = [], ...others] = outputs;
  return first.map((count, at) => others.reduce((sum, output) => sum + (output[at] ?? 0), count));
}
