import type { RgbImage } from "../image/pixels.js";
import type { PicturePlan } from "../image/plan.js";
import type { JanusConfig } from "../model/config.js";
import { CONTROL_BYTES } from "../threads/control.js";
import { Pool } from "../threads/pool.js";
import type { WorkerHandle } from "../threads/protocol.js";
import type { TileName } from "../wasm/abi.js";
import { createMemory } from "../wasm/memory.js";
import type { TileChoice } from "../wasm/tiles.js";
import type {
  EncodeOutput,
  GatherInput,
  GatherOwn,
  PackInput,
  PackOutput,
  PROGRAMS,
  ScatterInput,
  ScatterOwn,
  Setup,
} from "./programs.js";

type Floats = Float32Array<ArrayBuffer>;

export interface EngineOptions {
  readonly module: WebAssembly.Module;
  readonly threads: number;
  readonly config: JanusConfig;
  /** Of a model, or for `preprocess` alone. */
  readonly plan: PicturePlan;
  /** The register tile that every worker uses, until `timeTiles` finds a faster one. */
  readonly tile: TileName;
  readonly startWorker: () => WorkerHandle;
}

/**
 * The caller's side of the programs: typed calls that run on every worker. All compute happens there, also with one thread.
 *
 * Arrays handed in are transferred where noted "given away"; arrays handed out belong to the caller.
 */
export class Engine {
  readonly #pool: Pool;
  #tile: TileName;
  #busy = false;

  private constructor(pool: Pool, tile: TileName) {
    this.#pool = pool;
    this.#tile = tile;
  }

  /** Creates the memory (shared when there are several threads) and the workers. E_OOM when the host refuses the memory. */
  static async start(options: EngineOptions): Promise<Engine> {
    const { module, config, plan, threads } = options;
    const memory = threads > 1 ? createMemory(plan.free, true) : undefined;
    const own = memory || typeof SharedArrayBuffer === "undefined" ? undefined : new SharedArrayBuffer(CONTROL_BYTES);
    const control = memory
      ? new Int32Array(memory.buffer, plan.control, CONTROL_BYTES / 4)
      : new Int32Array(own ?? new ArrayBuffer(CONTROL_BYTES));
    const setup: Setup<PicturePlan> = { module, memory, control: own, config, plan };
    const { startWorker, tile } = options;
    return new Engine(await Pool.start({ count: threads, startWorker, control, setup }), tile);
  }

  get threads(): number {
    return this.#pool.size;
  }

  /** Whether the workers run a program. */
  get busy(): boolean {
    return this.#busy;
  }

  /** The register tile that every worker uses. */
  get tile(): TileName {
    return this.#tile;
  }

  /** Times every register tile, 7 to 40 ms, and uses the fastest from now on. Says what was surprising. */
  async timeTiles(signal?: AbortSignal): Promise<readonly string[]> {
    const [output] = await this.#run("timeTiles", { fallback: this.#tile }, undefined, [], signal);
    const { tile, notes } = output as TileChoice;
    this.#tile = tile;
    return notes;
  }

  /** Packs a piece of a weight; says how many of its elements are not finite. The buffer goes to a worker and comes back. */
  async pack(
    input: PackInput,
    bytes: Uint8Array<ArrayBuffer>,
    signal?: AbortSignal,
  ): Promise<{ readonly nonFinite: number; readonly buffer: ArrayBuffer }> {
    const outputs = (await this.#run("pack", input, bytes, [bytes.buffer], signal)) as PackOutput[];
    const nonFinite = outputs.reduce((sum, output) => sum + output.nonFinite, 0);
    return { nonFinite, buffer: outputs[0]?.buffer ?? new ArrayBuffer(0) };
  }

  /** pixel_values f32 [3,S,S] of a picture, whose data is given away. */
  async preprocess(picture: RgbImage, signal?: AbortSignal): Promise<Floats> {
    const { width, height, data } = picture;
    const [pixels] = await this.#run("preprocess", { width, height }, data, [data.buffer], signal);
    return pixels as Floats;
  }

  /** image_features f32 [P,W] of pixel_values [3,S,S]. */
  async encode(pixels: Float32Array, taps: boolean, signal?: AbortSignal): Promise<EncodeOutput> {
    const own = alone(pixels);
    const [output] = await this.#run("encode", { taps, tile: this.#tile }, own, [own.buffer], signal);
    return output as EncodeOutput;
  }

  /** image_embeds f32 [P,D] of image_features [P,W]. */
  async project(features: Float32Array, signal?: AbortSignal): Promise<Floats> {
    const own = alone(features);
    const [embeds] = await this.#run("project", { tile: this.#tile }, own, [own.buffer], signal);
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

  /** Text rows with source rows put in at their index; all three are given away. */
  async fuse(input: ScatterInput, own: ScatterOwn, signal?: AbortSignal): Promise<Floats> {
    const [fused] = await this.#run("fuse", input, own, [own.text.buffer, own.source.buffer, own.index.buffer], signal);
    return fused as Floats;
  }

  dispose(): Promise<void> {
    return this.#pool.dispose();
  }

  async #run(
    program: keyof typeof PROGRAMS,
    input: unknown,
    own: unknown,
    transfer: readonly ArrayBuffer[],
    signal?: AbortSignal,
  ): Promise<unknown[]> {
    this.#busy = true;
    try {
      return await this.#pool.run(program, input, { own, transfer, signal });
    } finally {
      this.#busy = false;
    }
  }
}

/** A copy in a buffer of its own, to be given away: a view that is posted takes the whole buffer behind it along, all other images too. */
function alone(values: Float32Array): Floats {
  return new Float32Array(values);
}
