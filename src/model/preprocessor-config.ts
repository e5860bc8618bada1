import type { LayoutName } from "../weights/layout.js";
import { Fields, misconfigured, notRunnable } from "./fields.js";

/** How a picture becomes pixel_values [3, S, S]. */
export interface PreprocessConfig {
  readonly imageSize: number;
  /** No side becomes shorter than this, in pixels. */
  readonly minSize: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly rescaleFactor: number;
  readonly doNormalize: boolean;
  /** The colour that pads to a square, 0 to 255: trunc(mean * 255). */
  readonly background: readonly [number, number, number];
}

type Colours = readonly [number, number, number];

const HALF: Colours = [0.5, 0.5, 0.5];
/** What both constructors fall back to (image_processing_vlm.py; OPENAI_CLIP_MEAN in transformers), though no Janus ships it. */
const CLIP_MEAN: Colours = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD: Colours = [0.26862954, 0.26130258, 0.27577711];
/** PIL.Image.Resampling.BICUBIC. */
const BICUBIC = 3;
const LARGEST = Number.MAX_SAFE_INTEGER;
/** One level of 255 apart becomes at most 4,000 apart. */
const STD = { min: 1e-6, max: 1e6 };

/**
 * preprocessor_config.json, against the size of the tower's input. `background_color` is validated and not used: the original computes
 * it from the mean. Without the file the values that every Janus ships are used, with a warning.
 */
export function parsePreprocessor(
  bytes: Uint8Array | undefined,
  layout: LayoutName,
  imageSize: number,
  warnings: string[],
): PreprocessConfig {
  const file = "preprocessor_config.json";
  if (bytes === undefined) warnings.push(`${file} is missing; the values of Janus are used (mean and std 0.5)`);
  const fields = bytes === undefined ? Fields.absent(file) : Fields.parse(file, bytes);
  if (layout === "huggingface") refuseOtherSteps(fields);
  checkSize(fields, layout, imageSize);
  const minSize = fields.integer("min_size", { min: 1, max: LARGEST }) ?? 14;
  if (minSize > imageSize)
    throw misconfigured(file, `expected min_size to be at most the image size ${imageSize}, got ${minSize}`);
  if (fields.isNull("rescale_factor")) throw fields.wrong("rescale_factor", "a number");
  const rescaleFactor = fields.number("rescale_factor", { min: 0, max: 1e6 }) ?? 1 / 255;
  const doNormalize = fields.boolean("do_normalize") ?? true;
  const { mean, std } = normalisation(fields, bytes === undefined, doNormalize, warnings);
  // Without a mean the original pads with 127, which is what a mean of 0.5 gives too.
  const background: Colours = [pad(mean[0]), pad(mean[1]), pad(mean[2])];
  const stated = fields.colours("background_color", { min: 0, max: 255 });
  if (stated?.some((value, i) => value !== background[i]))
    warnings.push(`${file}: background_color [${stated.join(", ")}] is not trunc(image_mean * 255) and has no effect`);
  return { imageSize, minSize, mean, std, rescaleFactor, doNormalize, background };
}

function pad(mean: number): number {
  return Math.trunc(mean * 255);
}

function checkSize(fields: Fields, layout: LayoutName, imageSize: number): void {
  const size = layout === "huggingface" ? fields.child("size") : undefined;
  const range = { min: 1, max: LARGEST };
  const stated: readonly (readonly [string, number | undefined])[] = [
    ["image_size", fields.integer("image_size", range)],
    ["size.height", size?.integer("height", range)],
    ["size.width", size?.integer("width", range)],
  ];
  for (const [key, value] of stated)
    if (value !== undefined && value !== imageSize)
      throw misconfigured(
        fields.file,
        `expected ${key} to be ${imageSize}, the image size of config.json, got ${value}`,
      );
}

/** Steps that transformers' processor can leave out or change, and this package always does the one way. */
function refuseOtherSteps(fields: Fields): void {
  for (const step of ["do_resize", "do_rescale", "do_pad"])
    if (fields.boolean(step) === false) throw notRunnable(fields.file, `expected ${step} true, found false`);
  const resample = fields.integer("resample", { min: 0, max: 5 });
  if (resample !== undefined && resample !== BICUBIC)
    throw notRunnable(fields.file, `expected resample ${BICUBIC} (bicubic), found ${resample}`);
}

function normalisation(
  fields: Fields,
  absent: boolean,
  doNormalize: boolean,
  warnings: string[],
): { mean: Colours; std: Colours } {
  const mean = fields.colours("image_mean", { min: 0, max: 1 });
  const std = fields.colours("image_std", STD);
  if (absent) return { mean: HALF, std: HALF };
  if (!doNormalize) return { mean: mean ?? (fields.isNull("image_mean") ? HALF : CLIP_MEAN), std: std ?? CLIP_STD };
  for (const [key, value] of [
    ["image_mean", mean],
    ["image_std", std],
  ] as const) {
    if (value !== undefined) continue;
    if (fields.isNull(key)) throw fields.wrong(key, "three numbers, because do_normalize is true");
    warnings.push(`${fields.file}: ${key} is missing; the original's default, that of CLIP, is used`);
  }
  return { mean: mean ?? CLIP_MEAN, std: std ?? CLIP_STD };
}
