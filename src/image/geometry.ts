/** Where a picture lands in the square that the vision tower sees. */
export interface SquareFit {
  /** Size after the resize, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Left and top of the resized picture in the square; an odd remainder goes to the right or to the bottom. */
  readonly x: number;
  readonly y: number;
}

/**
 * The long side becomes `size`, the short side keeps the proportion but never falls below `minSize` (so it stretches beyond
 * size / minSize : 1), and the picture is centred. `minSize` must not exceed `size`.
 *
 * The division comes before the multiplication and the result is truncated: that order gives the long side exactly, where
 * `dim * (size / longest)` gives 383 for 441 of the long sides up to 10000.
 *
 * Upstream: `VLMImageProcessor.resize` and `expand2square` of janus/models/image_processing_vlm.py.
 */
export function fitSquare(width: number, height: number, size: number, minSize: number): SquareFit {
  const longest = Math.max(width, height);
  const fittedWidth = Math.max(Math.trunc((width / longest) * size), minSize);
  const fittedHeight = Math.max(Math.trunc((height / longest) * size), minSize);
  return {
    width: fittedWidth,
    height: fittedHeight,
    x: Math.floor((size - fittedWidth) / 2),
    y: Math.floor((size - fittedHeight) / 2),
  };
}
