import { JanusError } from "../errors.js";
import type { Placement, WeightPart } from "../model/plan.js";
import { offset } from "../ops/context.js";
import { largestSlice } from "../ops/pack.js";
import { elements } from "../tensor.js";
import type { Pointer, Storage } from "../wasm/abi.js";
import { PANEL, roundUp, STORAGE, STORAGE_BYTES } from "../wasm/abi.js";
import { ALIGNMENT } from "../wasm/memory.js";
import { type BoundTensor, storedRowBytes } from "../weights/bound-tensor.js";
import type { Checkpoint } from "../weights/checkpoint.js";
import type { WeightDtype } from "../weights/dtype.js";
import type { RowRange } from "../weights/seals.js";
import type { Engine } from "./engine.js";
import type { StagedPiece } from "./programs.js";

/**
 * Bytes of a batch: large enough that a disk or a server is busy, small enough that the few that are under way stay in the last cache and
 * are nothing beside the weights. Their rooms go round, so that loading leaves no garbage behind.
 */
const BATCH_BYTES = 4 << 20;

/** The ABI's name for a stored dtype. */
export const STORAGE_OF: Readonly<Record<WeightDtype, Storage>> = {
  F32: STORAGE.f32,
  BF16: STORAGE.bf16,
  F16: STORAGE.f16,
};

/** Rows of one stored tensor: one read. */
export interface Piece {
  readonly placement: Placement;
  readonly tensor: BoundTensor;
  readonly name: string;
  readonly firstRow: number;
  readonly rows: number;
  readonly bytes: number;
}

/** What is read to one room, and how each piece is packed from there. */
export interface Batch {
  readonly pieces: Piece[];
  readonly staged: StagedPiece[];
  bytes: number;
}

/**
 * Reads every placed tensor in batches and packs each while the next ones are being read. E_NUMERIC names the tensors that hold NaN or
 * infinity. `onBytes` is told what was read so far.
 */
export async function loadWeights(
  engine: Engine,
  checkpoint: Checkpoint,
  bound: ReadonlyMap<string, BoundTensor>,
  placements: readonly Placement[],
  onBytes: (loaded: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const batches = cut(bound, placements, BATCH_BYTES);
  const { roomBytes, sliceBytes } = sizesOf(batches, bound, placements);
  const failing = new AbortController();
  const ending = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
  const staged = batches.flatMap((batch) => batch.staged);
  const packing = engine.pack(staged, roomBytes, sliceBytes, ending);
  const read = (batch: Batch, room: Uint8Array): Promise<unknown> =>
    Promise.all(readBatch(checkpoint, batch, (from, bytes) => room.subarray(from, from + bytes), ending));
  let loaded = 0;
  let filled: Promise<unknown> = Promise.resolve();
  try {
    for (const [at, batch] of batches.entries()) {
      if (packing.serial) await filled;
      // Reads of several batches are under way, and each is handed over when those before it were.
      const reading = read(batch, await packing.room(at));
      filled = Promise.all([filled, reading]).then(async () => {
        await packing.fill(at);
        for (const { bytes } of batch.pieces) {
          loaded += bytes;
          onBytes(loaded);
        }
      });
      filled.catch((error: unknown) => failing.abort(error)); // The workers wait for what does not come.
    }
    await filled;
  } catch (error) {
    failing.abort(error);
  }
  const counts = await packing.done();
  failing.signal.throwIfAborted();
  checkFinite(
    batches.flatMap((batch) => batch.pieces),
    counts,
  );
}

/** What `loadWeights` takes beside the weights: bytes of the largest batch, and of the largest slice of one. */
export function loadingSizes(
  bound: ReadonlyMap<string, BoundTensor>,
  placements: readonly Placement[],
): { readonly roomBytes: number; readonly sliceBytes: number } {
  return sizesOf(cut(bound, placements, BATCH_BYTES), bound, placements);
}

/** Each part as batches of at most `most` bytes, or one of all of it: what is read of it at a time, and how it is packed from there. */
export function cutParts(
  bound: ReadonlyMap<string, BoundTensor>,
  parts: readonly WeightPart[],
  most = Number.POSITIVE_INFINITY,
): Batch[][] {
  return parts.map(({ placements }) => cut(bound, placements, most));
}

/** What batches read, in order. */
export function readsOf(batches: readonly Batch[]): RowRange[] {
  const pieces = batches.flatMap((batch) => batch.pieces);
  return pieces.map(({ tensor: { role }, firstRow: first, rows: count }) => ({ role, first, count }));
}

/** What `loadWeights` reads. */
export function loadingReads(
  bound: ReadonlyMap<string, BoundTensor>,
  placements: readonly Placement[],
): readonly RowRange[] {
  return readsOf(cut(bound, placements, BATCH_BYTES));
}

/** Whether a tensor lies in the checkpoint as in memory: of a packed one all do, in the precision that it was packed in. */
export function isInPlace(bound: ReadonlyMap<string, BoundTensor>, placement: Placement): boolean {
  const { layout, dtype } = boundTensor(bound, placement);
  return placement.kind === "copy" || (placement.kind === "vector" && layout === "vector8" && dtype === "F32");
}

/** The address of a piece that is. */
export function inPlaceAt({ placement, stored, first }: StagedPiece): Pointer {
  return offset(placement.at, first, stored === "int8" ? 1 : STORAGE_BYTES[stored]);
}

function sizesOf(
  batches: readonly Batch[],
  bound: ReadonlyMap<string, BoundTensor>,
  placements: readonly Placement[],
): { readonly roomBytes: number; readonly sliceBytes: number } {
  const rowBytes = Math.max(0, ...placements.map((placement) => matrixRowBytes(placement, bound)));
  return { roomBytes: Math.max(0, ...batches.map(({ bytes }) => bytes)), sliceBytes: largestSlice(rowBytes) };
}

/** The reads of a batch, under way, each of `bytes` bytes to where `target` says for its place `from` in the batch. */
export function readBatch(
  checkpoint: Checkpoint,
  { pieces, staged }: Batch,
  target: (from: number, bytes: number) => Uint8Array,
  signal: AbortSignal,
): Promise<void>[] {
  return pieces.map(({ tensor, firstRow, rows, bytes }, index) =>
    checkpoint.readRowsInto(tensor, firstRow, rows, target(staged[index]!.from, bytes), signal),
  );
}

/** E_NUMERIC names the tensors of the pieces that have elements which are not finite. */
export function checkFinite(pieces: readonly { readonly name: string }[], counts: readonly number[]): void {
  const nonFinite = new Map<string, number>();
  for (const [at, { name }] of pieces.entries()) {
    const count = counts[at] ?? 0;
    if (count > 0) nonFinite.set(name, (nonFinite.get(name) ?? 0) + count);
  }
  if (nonFinite.size === 0) return;
  const list = [...nonFinite].slice(0, 8).map(([name, count]) => `${name} (${count})`);
  throw new JanusError(
    "E_NUMERIC",
    `loading weights: expected finite numbers, got NaN or infinity in ${nonFinite.size} tensors: ${list.join(", ")}`,
  );
}

/**
 * Every tensor in order, cut into whole rows at panel boundaries, where a stored tensor ends (q, k and v make up one layer), and where a
 * batch of `most` bytes is full.
 */
function cut(bound: ReadonlyMap<string, BoundTensor>, placements: readonly Placement[], most: number): Batch[] {
  const batches: Batch[] = [];
  for (const placement of placements) {
    const tensor = boundTensor(bound, placement);
    const rowBytes = storedRowBytes(tensor);
    const partRows = (tensor.shape[0] ?? 1) / tensor.names.length;
    for (const [part, name] of tensor.names.entries()) {
      const end = (part + 1) * partRows;
      for (let firstRow = part * partRows; firstRow < end; ) {
        const { batch, rows } = roomFor(end - firstRow, rowBytes, batches, most);
        add(batch, { placement, tensor, name, firstRow, rows, bytes: rows * rowBytes }, batches.length - 1);
        firstRow += rows;
      }
    }
  }
  return batches;
}

/** How many of `rows` the last batch takes, or else a new one: all of them, or whole panels. */
function roomFor(rows: number, rowBytes: number, batches: Batch[], batchBytes: number): { batch: Batch; rows: number } {
  const last = batches.at(-1);
  const room = last ? batchBytes - roundUp(last.bytes, ALIGNMENT) : 0;
  const fitting = Math.floor(room / rowBytes);
  if (last && fitting >= rows) return { batch: last, rows };
  const panels = Math.floor(fitting / PANEL) * PANEL;
  if (last && panels > 0) return { batch: last, rows: panels };
  const batch: Batch = { pieces: [], staged: [], bytes: 0 };
  batches.push(batch);
  const most = Math.max(PANEL, Math.floor(batchBytes / rowBytes / PANEL) * PANEL);
  return { batch, rows: Math.min(rows, most) };
}

function add(batch: Batch, piece: Piece, index: number): void {
  const { placement, tensor, firstRow, rows, bytes } = piece;
  const from = roundUp(batch.bytes, ALIGNMENT);
  // A matrix is placed by row, everything else by element.
  const unit = "k" in placement ? 1 : elements(tensor.shape.slice(1));
  const stored = tensor.dtype === "I8" ? "int8" : STORAGE_OF[tensor.dtype];
  batch.pieces.push(piece);
  batch.staged.push({ placement, stored, first: firstRow * unit, count: rows * unit, batch: index, from });
  batch.bytes = from + bytes;
}

function matrixRowBytes(placement: Placement, bound: ReadonlyMap<string, BoundTensor>): number {
  return "k" in placement ? storedRowBytes(boundTensor(bound, placement)) : 0;
}

function boundTensor(bound: ReadonlyMap<string, BoundTensor>, { role }: Placement): BoundTensor {
  const tensor = bound.get(role);
  if (!tensor) throw new JanusError("E_INTERNAL", `loading weights: ${role} was planned but not bound`);
  return tensor;
}
