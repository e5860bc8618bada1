/**
 * The harness of the op tests: one case, run in this thread without threads compiled in, and on one, two and three workers.
 *
 * Buffers are 64 bytes apart, and all of memory reads as NaN: what an op takes from beyond its shape shows in the result, what it writes there is
 * found afterwards. What a case returns must be the same bytes on every team.
 */
import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { startComputeWorker } from "#dist/entry/node/workers.js";
import type { ProductContext } from "#dist/ops/context.js";
import { CONTROL_BYTES } from "#dist/threads/control.js";
import { Pool } from "#dist/threads/pool.js";
import { ARENA_BASE, type Pointer } from "#dist/wasm/abi.js";
import { callOp, FREE, type OPS, type Op, type OpArguments, startOps } from "./op-programs.js";
import { ROOT } from "./paths.js";

const PAGES = 1024;
const GAP = 64;
const FILL = 0xff;

type Numbers = Uint8Array | Uint16Array | Int32Array | Uint32Array | Float32Array;

/** One team, and its memory. */
export class Team {
  readonly title: string;
  readonly #memory: WebAssembly.Memory;
  readonly #alone: ProductContext | undefined;
  readonly #pool: Pool | undefined;
  #top = FREE;
  #taken: { begin: number; end: number }[] = [];

  private constructor(
    title: string,
    memory: WebAssembly.Memory,
    alone: ProductContext | undefined,
    pool: Pool | undefined,
  ) {
    this.title = title;
    this.#memory = memory;
    this.#alone = alone;
    this.#pool = pool;
  }

  /** Without workers: the binary that knows no threads, in this thread. */
  static alone(): Team {
    const memory = new WebAssembly.Memory({ initial: PAGES });
    return new Team("simd", memory, startOps({ module: binary("simd"), memory }, 0, 1), undefined);
  }

  static async of(count: number): Promise<Team> {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 4 * PAGES, shared: true });
    const pool = await Pool.start({
      count,
      startWorker: () => startComputeWorker(new URL("./op-worker.js", import.meta.url)),
      control: new Int32Array(memory.buffer, ARENA_BASE, CONTROL_BYTES / 4),
      setup: { module: binary("simd-threads"), memory },
    });
    return new Team(`simd-threads, ${count}`, memory, undefined, pool);
  }

  /** Room for `bytes`, filled with NaN. */
  take(bytes: number): Pointer {
    const begin = this.#top + GAP;
    const end = begin + bytes;
    this.#top = Math.ceil(end / GAP) * GAP;
    assert.ok(this.#top + GAP <= PAGES * 65536, "the harness memory is large enough");
    new Uint8Array(this.#memory.buffer, begin - GAP, this.#top + GAP - begin + GAP).fill(FILL);
    this.#taken.push({ begin, end });
    return begin as Pointer;
  }

  /** The same, with values. */
  put(values: Numbers): Pointer {
    const at = this.take(values.byteLength);
    new Uint8Array(this.#memory.buffer).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    return at;
  }

  /** First byte after everything taken: what an op allocates for itself begins here. */
  get free(): Pointer {
    return (this.#top + GAP) as Pointer;
  }

  /** A copy of what lies at `at`. */
  f32(at: Pointer, count: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.bytes(at, count * 4).buffer);
  }

  bytes(at: Pointer, count: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(new Uint8Array(this.#memory.buffer, at, count));
  }

  /** What each worker's call returned, the leader's first. */
  async call<K extends Op>(op: K, ...args: OpArguments<K>): Promise<ReturnType<(typeof OPS)[K]>[]> {
    const outputs = this.#alone ? [callOp(this.#alone, { op, args }).output] : this.#pool?.run("call", { op, args });
    return (await outputs) as ReturnType<(typeof OPS)[K]>[];
  }

  /** Fails when something was written between the buffers; forgets them. */
  finish(): void {
    const all = new Uint8Array(this.#memory.buffer);
    this.#taken.forEach(({ begin, end }, index) => {
      for (let at = begin - GAP; at < begin; at++) if (all[at] !== FILL) assert.unreachable(`before buffer ${index}`);
      const next = Math.ceil(end / GAP) * GAP;
      for (let at = end; at < next; at++) if (all[at] !== FILL) assert.unreachable(`after buffer ${index}`);
    });
    this.#taken = [];
    this.#top = FREE;
  }

  async dispose(): Promise<void> {
    await this.#pool?.dispose();
  }
}

function binary(variant: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(`${ROOT}dist/wasm/${variant}.wasm`));
}

/** What a suite of ops has: `test.before(openTeams)`, `test.after(closeTeams)`. */
export interface Teams {
  teams: Team[];
}

export async function openTeams(context: Teams): Promise<void> {
  context.teams = [Team.alone(), await Team.of(1), await Team.of(2), await Team.of(3)];
}

export async function closeTeams({ teams }: Teams): Promise<void> {
  for (const team of teams) await team.dispose();
}

/** Runs `work` on every team and returns what all of them returned, which must be the same bytes. */
export async function onEvery<T extends Numbers>(teams: readonly Team[], work: (team: Team) => Promise<T>): Promise<T> {
  let first: T | undefined;
  for (const team of teams) {
    const result = await work(team);
    team.finish();
    if (first && !buffer(result).equals(buffer(first))) assert.unreachable(`${team.title}: other bytes than alone`);
    first ??= result;
  }
  if (!first || first.length === 0) throw new Error("the case ran nowhere, or made nothing");
  return first;
}

function buffer(values: Numbers): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}
