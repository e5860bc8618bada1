import { JanusError } from "../errors.js";
import type { Placement } from "../model/plan.js";
import { elements } from "../tensor.js";
import type { Storage } from "../wasm/abi.js";
import { PANEL, STORAGE } from "../wasm/abi.js";
import type { BoundTensor, Checkpoint } from "../weights/checkpoint.js";
import type { Engine } from "./engine.js";

/** Bytes of one read: large enough that a disk or a server is busy, small enough that two of them are nothing beside the weights. */
const PIECE_BYTES = 8 << 20;

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
  const read = (piece: Piece | undefined): Promise<Uint8Array> | undefined => {
    const bytes = piece && checkpoint.readRows(piece.tensor, piece.firstRow, piece.rows, signal);
    bytes?.catch(() => undefined); // Awaited below, unless packing fails first.
    return bytes;
  };
  let next = read(pieces[0]);
  for (const [at, piece] of pieces.entries()) {
    const bytes = ownBuffer((await next) ?? new Uint8Array(0));
    next = read(pieces[at + 1]);
    const { placement, tensor, name } = piece;
    loaded += bytes.length;
    // A vector is placed by element, a matrix by row.
    const unit = placement.kind === "vector" ? piece.rowElements : 1;
    const input = {
      placement,
      first: piece.firstRow * unit,
      count: piece.rows * unit,
      stored: STORAGE_OF[tensor.dtype],
      bytes: bytes.length,
    };
    const bad = await engine.pack(input, bytes, signal);
    if (bad > 0) nonFinite.set(name, (nonFinite.get(name) ?? 0) + bad);
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
    const rowBytes = rowElements * (tensor.dtype === "F32" ? 4 : 2);
    const step = Math.max(PANEL, Math.floor(PIECE_BYTES / rowBytes / PANEL) * PANEL);
    const partRows = rows / tensor.names.length;
    for (const [part, name] of tensor.names.entries()) {
      const end = (part + 1) * partRows;
      for (let firstRow = part * partRows; firstRow < end; firstRow += step) {
        yield { placement, tensor, name, firstRow, rows: Math.min(step, end - firstRow), rowElements };
      }
    }
  }
}

/** The same bytes in a buffer that holds nothing else, so that it can be transferred. */
export function ownBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const alone = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
  return alone ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
