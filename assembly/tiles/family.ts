/**
 * The tiles a host may choose from, by the code of the ABI: rows x columns. All give the same bytes; which is fastest is the engine's doing.
 *
 *   6x8    12 accumulators, 2 of b and 1 of a: the 15 registers that V8 leaves on x64, so nothing for the product of an unfused multiply-add
 *   4x8    8 + 2 + 1 and the product, and also 8 + 2 + 4 + 1 where an engine moves all loads of a step to its front (V8 before
 *          Turboshaft; there six rows spill and run at half the speed)
 *   6x16   as 6x8 on registers of 256 bits (V8's revectorizer) or on 32 registers (ARM); spills on 15 of 128 bits
 *   5x16   10 + 2 + 1 and the product of an unfused multiply-add, or of 8 bits, at 256 bits
 *   2x16   8 + 2 of a + 4 of b and the product of 8 bits: all registers at 128 bits, and the fewest loads for them
 *   3x8, 3x16   of `crossed.ts`, at 128 and 256 bits; elsewhere they are 4x8 and 5x16 with rows left over
 */
import { tile } from "./tile";

/**
 * Sizes as types: AssemblyScript compiles a generic function once per set of types, and how many parameters a function type has is a constant.
 * So `tile<f32, Six, Two>` is a function of its own, without a branch for what it does not have.
 */
type One = (a: u8) => void;
type Two = (a: u8, b: u8) => void;
type Four = (a: u8, b: u8, c: u8, d: u8) => void;
type Five = (a: u8, b: u8, c: u8, d: u8, e: u8) => void;
type Six = (a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) => void;

const TILE_6X8: i32 = 0;
const TILE_4X8: i32 = 1;
const TILE_3X8: i32 = 2;
const TILE_6X16: i32 = 3;
const TILE_5X16: i32 = 4;
const TILE_3X16: i32 = 5;
const TILE_2X16: i32 = 6;

export function tileRows(code: i32): usize {
  if (code === TILE_4X8) return 4;
  if (code === TILE_5X16) return 5;
  if (code === TILE_2X16) return 2;
  return code === TILE_3X8 || code === TILE_3X16 ? 3 : 6;
}

/** Panels of 8 columns that a tile takes side by side: what a host rounds its ranges of panels to. */
export function tilePanels(code: i32): usize {
  return code >= TILE_6X16 ? 2 : 1;
}

/** `tile.ts` in the size of the code. */
export function runTile<T>(
  code: i32,
  sums: usize,
  sumsStep: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  panel: usize,
  panelStep: usize,
  k: usize,
  first: bool,
): void {
  if (code === TILE_6X8) tile<T, Six, One>(sums, 0, a, aStride, rows, panel, 0, k, first);
  else if (code === TILE_4X8 || code === TILE_3X8) tile<T, Four, One>(sums, 0, a, aStride, rows, panel, 0, k, first);
  else if (code === TILE_6X16) tile<T, Six, Two>(sums, sumsStep, a, aStride, rows, panel, panelStep, k, first);
  else if (code === TILE_2X16) tile<T, Two, Two>(sums, sumsStep, a, aStride, rows, panel, panelStep, k, first);
  else tile<T, Five, Two>(sums, sumsStep, a, aStride, rows, panel, panelStep, k, first);
}
