import type { Pointer, Storage } from "../wasm/abi.js";
import { PANEL, STORAGE, STORAGE_BYTES } from "../wasm/abi.js";
import type { OpContext } from "./context.js";
import { offset } from "./context.js";

/** A part of a stored tensor on its way to its place: rows of a matrix, which become columns of its layer's panels, or elements. */
export interface StoredPiece {
  readonly placement:
    | { readonly kind: "panels"; readonly at: Pointer; readonly k: number; readonly wide: boolean }
    | { readonly kind: "int8"; readonly at: Pointer; readonly scales: Pointer; readonly k: number }
    | { readonly kind: "vector"; readonly at: Pointer }
    | { readonly kind: "copy"; readonly at: Pointer };
  /** 8 bits are copied alone. */
  readonly stored: Storage | "int8";
  /** First row (column of the panels) or first element, and how many. */
  readonly first: number;
  readonly count: number;
}

/** Where the bytes of pieces come from. */
export interface Supply {
  /**
   * The address of `bytes` bytes of piece `index`, from its byte `from` on, valid until the next call. What does not lie in memory yet is put at `target`, when it is
   * given.
   */
  take(index: number, from: number, bytes: number, target?: Pointer): Pointer;
  /** They were packed. */
  done(index: number): void;
}

/** What one worker takes at a time: checked and packed while it lies in the L2 cache, 10 us of work (70 where the target is fresh memory). */
const SLICE_BYTES = 128 << 10;

/** A cache line, and a number of elements of any storage that end where one ends. */
const LINE_BYTES = 64;

/** Bytes of the largest slice where no matrix has longer rows than these. */
export function largestSlice(rowBytes: number): number {
  return Math.max(SLICE_BYTES, PANEL * rowBytes);
}

/**
 * Takes pieces to their places: matrices [rows, k], stored row-major, into panels, kept as stored, when `wide` widened to f32, or quantised to 8
 * bits; vectors widened to f32, or copied. Returns how many elements of each piece are NaN or infinite in the slices that this worker took.
 *
 * Whoever is free takes the next slice. `widened` has room for one in f32. What lies in its place as it is to lie there is only looked through.
 */
export function packPieces(x: OpContext, pieces: readonly StoredPiece[], supply: Supply, widened: Pointer): number[] {
  const nonFinite = pieces.map(() => 0);
  const slices = pieces.flatMap((piece, index) => cut(piece).map((rows) => ({ index, piece, ...rows })));
  x.team.each(slices.length, (item) => {
    x.team.poll();
    const { index, piece, begin, end } = slices[item]!;
    const { placement, stored, first } = piece;
    const k = rowElements(piece);
    const count = (end - begin) * k;
    const bytes = elementBytes(stored);
    const target = placement.kind === "copy" ? offset(placement.at, first + begin, bytes) : undefined;
    const src = supply.take(index, begin * k * bytes, count * bytes, target);
    if (stored !== "int8") nonFinite[index]! += x.kernels.countNonFinite(src, stored, 0, count);
    if (placement.kind === "copy" || stored === "int8") {
      if (target !== undefined && target !== src) x.kernels.copyRows(target, src, count * bytes, 0, 0, 0, 1);
    } else if (placement.kind === "vector") {
      const dst = offset(placement.at, first + begin);
      if (dst !== src) x.kernels.widen(dst, src, stored, 0, count);
    } else if (placement.kind === "int8") {
      x.kernels.packInt8(placement.at, placement.scales, src, widened, k, stored, first + begin, 0, end - begin);
    } else if (placement.wide && stored !== STORAGE.f32) {
      x.kernels.widen(widened, src, stored, 0, count);
      x.kernels.packPanels(placement.at, widened, k, k, 4, first + begin, 0, end - begin);
    } else {
      x.kernels.packPanels(placement.at, src, k, k, bytes, first + begin, 0, end - begin);
    }
    supply.done(index);
  });
  x.team.barrier();
  return nonFinite;
}

/** In how many slices a piece is taken. */
export function sliceCount(piece: StoredPiece): number {
  return cut(piece).length;
}

/**
 * Rows or elements [begin, end) of a piece. Slices meet at panel boundaries, and at cache lines of elements: no two of them write the same
 * line.
 */
function cut(piece: StoredPiece): { readonly begin: number; readonly end: number }[] {
  const grain = byRows(piece) ? PANEL : LINE_BYTES;
  const bytes = rowElements(piece) * elementBytes(piece.stored);
  const step = Math.max(grain, Math.floor(SLICE_BYTES / bytes / grain) * grain);
  const lead = (grain - (piece.first % grain)) % grain;
  const slices: { begin: number; end: number }[] = [];
  for (let begin = 0, end = 0; begin < piece.count; begin = end) {
    end = Math.min(piece.count, begin === 0 && lead > 0 ? lead : begin + step);
    slices.push({ begin, end });
  }
  return slices;
}

/** Elements of what `first` and `count` count. */
function rowElements({ placement }: StoredPiece): number {
  return "k" in placement ? placement.k : 1;
}

function byRows({ placement }: StoredPiece): boolean {
  return "k" in placement;
}

function elementBytes(stored: Storage | "int8"): number {
  return stored === "int8" ? 1 : STORAGE_BYTES[stored];
}

/** Non-finite elements in this worker's share of `count`. No barrier: nothing is written. */
export function countNonFinite(x: OpContext, src: Pointer, storage: Storage, count: number): number {
  const { begin, end } = x.team.share(count, 16);
  return x.kernels.countNonFinite(src, storage, begin, end);
}
