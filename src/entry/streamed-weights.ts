import type { ModelPlan } from "../model/plan.js";
import type { Steps } from "../model/vision.js";
import type { BoundTensor } from "../weights/bound-tensor.js";
import type { Checkpoint } from "../weights/checkpoint.js";
import type { RowRange } from "../weights/seals.js";
import type { Engine, Residence } from "./engine.js";
import { orAborted } from "./or-aborted.js";
import type { StagedPiece } from "./programs.js";
import type { StagingPlan } from "./staging.js";
import type { Batch } from "./weights.js";
import { checkFinite, cutParts, inPlaceAt, readBatch } from "./weights.js";

/** How parts of the weights come into memory. */
export interface StreamPlan {
  /**
   * They are read to their places, one while another is computed. Otherwise they are read to a room, and taken from there to the only place for those that
   * do not stay: as much memory for what is computed and what is read.
   */
  readonly inPlace: boolean;
  /** Bytes of the room. */
  readonly roomBytes: number;
  /** Parts come to the room in batches of at most so many bytes; undefined: in one. */
  readonly batchBytes: number | undefined;
  /** What taking them to their places needs; has the room, where memory is shared. */
  readonly staging: StagingPlan;
  /** Every read of every part. */
  readonly reads: readonly RowRange[];
}

/** What is read at a time, and where to. */
interface StagedBatch {
  readonly batch: Batch;
  readonly staged: readonly StagedPiece[];
}

/** A part, as it is read and taken to its place: all of it at a time, unless the room is small. */
interface Part {
  readonly batches: readonly StagedBatch[];
  readonly slot: number | undefined;
  readonly block: number | undefined;
}

/** Weights that come and go, the parts that stay loaded. `onBytes` is told what was read so far. */
export async function streamWeights(
  engine: Engine,
  checkpoint: Checkpoint,
  bound: ReadonlyMap<string, BoundTensor>,
  plan: ModelPlan,
  stream: StreamPlan,
  onBytes: (loaded: number) => void,
  signal?: AbortSignal,
): Promise<Residence> {
  const weights = new StreamedWeights(engine, checkpoint, bound, plan, stream);
  await weights.load(onBytes, signal);
  return weights;
}

/**
 * Weights of which some stay in memory, and the others are read when they are needed, the next while one is computed.
 *
 * The first parts stay, not those used last: every image needs all parts in the same order, so what was used longest ago is what is needed next, and keeping the latest
 * would never find anything. The first ones are computed while those after them are read.
 *
 * A pass that fails or is aborted leaves nothing half-read behind: what was to come to a place is read anew.
 */
class StreamedWeights implements Residence {
  readonly #engine: Engine;
  readonly #checkpoint: Checkpoint;
  readonly #stream: StreamPlan;
  readonly #parts: readonly Part[];
  /** By slot: the part in it. */
  readonly #held: (number | undefined)[] = [];
  /** Where memory is not shared. With a worker while that takes from it. */
  #room: Uint8Array<ArrayBuffer> | undefined;
  /** Reads that were given up, and may still write to their places. */
  #late: Promise<unknown> = Promise.resolve();

  constructor(
    engine: Engine,
    checkpoint: Checkpoint,
    bound: ReadonlyMap<string, BoundTensor>,
    plan: ModelPlan,
    stream: StreamPlan,
  ) {
    this.#engine = engine;
    this.#checkpoint = checkpoint;
    this.#stream = stream;
    const [room = 0] = stream.staging.rooms;
    this.#parts = cutParts(bound, plan.parts, stream.batchBytes).map((batches, part) => ({
      batches: batches.map((batch) => ({
        batch,
        staged: batch.staged.map((piece) => ({
          ...piece,
          from: stream.inPlace ? inPlaceAt(piece) : room + piece.from,
        })),
      })),
      slot: plan.parts[part]?.slot,
      block: part >= 1 && part <= plan.weights.blocks.length ? part - 1 : undefined,
    }));
  }

  /** Loads the parts that stay. */
  async load(onBytes: (loaded: number) => void, signal?: AbortSignal): Promise<void> {
    let loaded = 0;
    for (const [part, { batches, slot }] of this.#parts.entries()) {
      if (slot !== undefined || batches.length === 0) continue;
      const reading = new AbortController();
      const ending = signal ? AbortSignal.any([signal, reading.signal]) : reading.signal;
      await this.#read(batches[0]!, ending).catch((error: unknown) => {
        reading.abort(error);
        throw error;
      });
      await this.#settle(part, (batch) => this.#read(batch, signal), signal);
      for (const { bytes } of batches.flatMap(({ batch }) => batch.pieces)) loaded += bytes;
      onBytes(loaded);
    }
  }

  async pass(steps: Steps, compute: (steps: Steps) => Promise<void>, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const failing = new AbortController();
    const ending = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
    await orAborted(this.#late, ending);
    const { inPlace } = this.#stream;
    const coming = range(steps).filter((part) => this.#parts[part]?.slot !== undefined);
    const reads: Promise<boolean>[] = [];
    const begin = (at: number): void => {
      const part = coming[at];
      if (part === undefined) return;
      reads[at] = this.#bring(part, ending);
      reads[at].catch(() => undefined); // Awaited when its turn comes, unless the pass has ended by then.
    };
    let rest: Promise<void> = Promise.resolve();
    const further = (batch: StagedBatch): Promise<void> => {
      rest = this.#read(batch, ending);
      rest.catch(() => undefined); // As above.
      return orAborted(rest, ending);
    };
    begin(0);
    if (inPlace) begin(1);
    try {
      let at = 0;
      for (const run of this.#runs(steps)) {
        if (run.from !== coming[at]) {
          await compute(run);
          continue;
        }
        if (await orAborted(reads[at]!, ending)) await this.#settle(run.from, further, signal);
        // The room is free when all was taken from it, a place when what lay there was computed.
        if (!inPlace) begin(at + 1);
        await compute(run);
        if (inPlace) begin(at + 2);
        at++;
      }
    } catch (error) {
      failing.abort(error);
      throw error;
    } finally {
      this.#late = Promise.allSettled([...reads, rest]);
    }
  }

  /** Steps that can be computed without waiting, together, and each of the others alone. */
  #runs({ from, to }: Steps): Steps[] {
    const runs: Steps[] = [];
    for (let begin = from; begin < to; ) {
      let end = begin + 1;
      const stays = (part: number): boolean => this.#parts[part]?.slot === undefined;
      if (stays(begin)) while (end < to && stays(end)) end++;
      runs.push({ from: begin, to: end });
      begin = end;
    }
    return runs;
  }

  /** Reads a part that does not stay, or the first batch of it. False where it is in its place still. */
  async #bring(part: number, signal: AbortSignal): Promise<boolean> {
    const { slot, batches } = this.#parts[part]!;
    if (this.#held[slot!] === part) return false;
    this.#held[slot!] = undefined;
    await this.#read(batches[0]!, signal);
    return true;
  }

  /** Settles when all reads of the batch have: none of them writes any more. */
  async #read({ batch, staged }: StagedBatch, signal?: AbortSignal): Promise<void> {
    const address = new Map(batch.staged.map(({ from }, index) => [from, staged[index]!.from]));
    const failing = new AbortController();
    const ending = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
    const reads = readBatch(
      this.#checkpoint,
      batch,
      (from, bytes) => this.#target(from, address.get(from)!, bytes),
      ending,
    );
    for (const read of reads) read.catch((error: unknown) => failing.abort(error));
    await Promise.allSettled(reads);
    signal?.throwIfAborted();
    failing.signal.throwIfAborted();
  }

  #target(from: number, address: number, bytes: number): Uint8Array {
    const place = this.#engine.view(address, bytes);
    if (place) return place;
    this.#room ??= new Uint8Array(this.#stream.roomBytes);
    return this.#room.subarray(from, from + bytes);
  }

  /** What was read becomes weights, and so does what is left of the part, read by `further`. E_NUMERIC for a part with NaN or infinity. */
  async #settle(part: number, further: (batch: StagedBatch) => Promise<void>, signal?: AbortSignal): Promise<void> {
    const { batches, slot, block } = this.#parts[part]!;
    for (const [at, batch] of batches.entries()) {
      if (at > 0) await further(batch);
      const room = this.#room;
      this.#room = undefined;
      // Columns are summed when all of them are there.
      const whole = at === batches.length - 1 ? block : undefined;
      const arrived = await this.#engine.arrive(batch.staged, this.#stream.staging.slices, room, whole, signal);
      this.#room = arrived.room;
      checkFinite(batch.batch.pieces, arrived.nonFinite);
    }
    if (slot !== undefined) this.#held[slot] = part;
  }
}

function range({ from, to }: Steps): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
