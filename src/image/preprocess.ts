import { copyRows, fillRgb } from "../ops/canvas.js";
import type { OpContext } from "../ops/context.js";
import { normalise } from "../ops/normalise.js";
import type { AxisTables } from "../ops/resize.js";
import { resizeHorizontal, resizeVertical } from "../ops/resize.js";
import type { Pointer } from "../wasm/abi.js";
import type { Arena } from "../wasm/memory.js";
import { ensureMemory, f32, i32, u8 } from "../wasm/memory.js";
import { fitSquare } from "./geometry.js";
import { normalisedLevels } from "./levels.js";
import type { ResampleTable } from "./resample.js";
import { bicubicTable } from "./resample.js";

/** What preprocessor_config.json says; image_processing_vlm.py VLMImageProcessorConfig. */
export interface PreprocessConfig {
  readonly imageSize: number;
  readonly minSize: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly rescaleFactor: number;
  readonly doNormalize: boolean;
  readonly background: readonly number[];
}

const RGB = 3;

/**
 * dst u8 [S,S,3] from a picture of any size: Pillow's bicubic resize (horizontal pass first, to u8, a pass whose size does not change is
 * left out), padding to a square with the background colour. VLMImageProcessor.resize. A picture of S x S stays as it is.
 *
 * `data` is read on the leader alone. Buffers are taken from `arena`, the memory grown to hold them.
 */
export function squarePicture(
  x: OpContext,
  config: PreprocessConfig,
  picture: { readonly width: number; readonly height: number },
  data: Uint8Array | undefined,
  dst: Pointer,
  arena: Arena,
): void {
  const size = config.imageSize;
  const { width, height } = picture;
  const fit = fitSquare(width, height, size, config.minSize);
  const horizontal = fit.width === width ? undefined : bicubicTable(width, fit.width);
  const vertical = fit.height === height ? undefined : bicubicTable(height, fit.height);

  const source = arena.take(width * height * RGB);
  const narrowed = horizontal ? arena.take(fit.width * height * RGB) : source;
  const across = horizontal && placeTables(horizontal, arena);
  const down = vertical && placeTables(vertical, arena);
  if (x.team.leads) {
    ensureMemory(x.memory, arena.end);
    if (data) u8(x.memory, source, data.length).set(data);
    if (horizontal && across) writeTables(x, horizontal, across);
    if (vertical && down) writeTables(x, vertical, down);
  }
  x.team.barrier();

  const [red = 0, green = 0, blue = 0] = config.background;
  if (fit.width < size || fit.height < size) fillRgb(x, dst, [red, green, blue], size * size);
  if (across) resizeHorizontal(x, narrowed, source, across, width, fit.width, height);
  const stride = size * RGB;
  const paste = (dst + fit.y * stride + fit.x * RGB) as Pointer;
  if (down) resizeVertical(x, paste, narrowed, down, fit.width * RGB, stride, fit.height);
  else copyRows(x, paste, narrowed, fit.width * RGB, fit.width * RGB, stride, fit.height);
}

/**
 * dst f32 [3,S,S] from a picture of any size: its square, rescaled and normalised. VLMImageProcessor.resize and .preprocess. `data` and `arena`
 * as of `squarePicture`.
 */
export function preprocessPicture(
  x: OpContext,
  config: PreprocessConfig,
  picture: { readonly width: number; readonly height: number },
  data: Uint8Array | undefined,
  dst: Pointer,
  arena: Arena,
): void {
  const square = arena.take(config.imageSize ** 2 * RGB);
  const lut = arena.take(RGB * 256 * 4);
  squarePicture(x, config, picture, data, square, arena);
  if (x.team.leads) f32(x.memory, lut, RGB * 256).set(normalisedLevels(config));
  x.team.barrier();
  normalise(x, dst, square, lut, config.imageSize);
}

function placeTables(tables: ResampleTable, arena: Arena): AxisTables {
  return {
    bounds: arena.take(tables.bounds.byteLength),
    weights: arena.take(tables.weights.byteLength),
    taps: tables.taps,
  };
}

function writeTables(x: OpContext, tables: ResampleTable, at: AxisTables): void {
  i32(x.memory, at.bounds, tables.bounds.length).set(tables.bounds);
  i32(x.memory, at.weights, tables.weights.length).set(tables.weights);
}
