import { JanusError } from "../errors.js";
import type { Placement } from "../model/plan.js";
import { elements } from "../tensor.js";
import type { Storage } from "../wasm/abi.js";
import { PANEL, STORAGE } from "../wasm/abi.js";
import { type BoundTensor, type Checkpoint, storedRowBytes } from "../weights/checkpoint.js";
import type { Engine } from "./engine.js";

/**
 * Bytes of one read: large enough that a disk or a server is busy, small enough that the two that are under way are nothing beside the
 * weights. Their buffers go to a worker and come back, so that loading leaves no garbage behind: with new ones for every piece
 * a full-size model peaked 60 MB higher.
 */
const PIECE_BYTES = 4 << 20;

/** The ABI's name for a stored dtype. */
export const STORAGE_OF: Readonly<Record<BoundTensor["dtype"], Storage>> = {
  F32: STORAGE.f32,
  BF16: STORAGE.bf16,
  F16: STORAGE.f16,
};

interface Piece {
  readonly placement: Placement;
  readonly tensor: BoundTensor;
  /** The stored tensor that all its rows come from. */
  readonly name: string;
  readonly firstRow: number;
  readonly rows: number;
  readonly rowElements: number;
  readonly bytes: number;
}

/**
 * Reads every placed tensor in pieces and packs each while the next is being read. E_NUMERIC names the tensors that hold NaN or infinity.
 * `onBytes` is told what was read so far.
 */
export async function loadWeights(
  engine: Engine,
  checkpoint: Checkpoint,
  bound: ReadonlyMap<string, BoundTensor>,
  placements: readonly Placement[],
  onBytes: (loaded: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const nonFinite = new Map<string, number>();
  let loaded = 0;
  const pieces = [...cut(bound, placements)];
  const largest = Math.max(0, ...pieces.map((piece) => piece.bytes));
  const free: ArrayBuffer[] = [];
  const read = async (piece: Piece | undefined): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    if (!piece) return undefined;
    const bytes = new Uint8Array(free.pop() ?? new ArrayBuffer(largest), 0, piece.bytes);
    await checkpoint.readRowsInto(piece.tensor, piece.firstRow, piece.rows, bytes, signal);
    return bytes;
  };
  let next = read(pieces[0]);
  for (const [at, piece] of pieces.entries()) {
    const bytes = await next;
    if (!bytes) break;
    next = read(pieces[at + 1]);
    next.catch(() => undefined); // Awaited in the next turn, unless packing fails first.
    const { placement, tensor, name } = piece;
    // A vector is placed by element, a matrix by row.
    const unit = placement.kind === "vector" ? piece.rowElements : 1;
    const input = {
      placement,
      first: piece.firstRow * unit,
      count: piece.rows * unit,
      stored: STORAGE_OF[tensor.dtype],
      bytes: piece.bytes,
    };
    const packed = await engine.pack(input, bytes, signal);
    free.push(packed.buffer);
    if (packed.nonFinite > 0) nonFinite.set(name, (nonFinite.get(name) ?? 0) + packed.nonFinite);
    loaded += piece.bytes;
    onBytes(loaded);
  }
  if (nonFinite.size > 0) {
    const list = [...nonFinite].slice(0, 8).map(([name, count]) => `${name} (${count})`);
    throw new JanusError(
      "E_NUMERIC",
      `loading weights: expected finite numbers, got NaN or infinity in ${nonFinite.size} tensors: ${list.join(", ")}`,
    );
  }
}

/** Whole rows of about PIECE_BYTES, cut at panel boundaries and where a stored tensor ends (q, k and v make up one layer). */
function* cut(bound: ReadonlyMap<string, BoundTensor>, placements: readonly Placement[]): Generator<Piece> {
  for (const placement of placements) {
    const tensor = bound.get(placement.role);
    if (!tensor) throw new JanusError("E_INTERNAL", `loading weights: ${placement.role} was planned but not bound`);
    const rows = tensor.shape[0] ?? 1;
    const rowElements = elements(tensor.shape) / rows;
    const rowBytes = storedRowBytes(tensor);
    const step = Math.max(PANEL, Math.floor(PIECE_BYTES / rowBytes / PANEL) * PANEL);
    const partRows = rows / tensor.names.length;
    for (const [part, name] of tensor.names.entries()) {
      const end = (part + 1) * partRows;
      for (let firstRow = part * partRows; firstRow < end; firstRow += step) {
        const count = Math.min(step, end - firstRow);
        yield { placement, tensor, name, firstRow, rows: count, rowElements, bytes: count * rowBytes };
      }
    }
  }
}
