/** How 8-bit levels become numbers: the fields of a preprocessor_config.json that matter here. */
export interface LevelScaling {
  /** 1/255 in every released checkpoint. */
  readonly rescaleFactor: number;
  /** False leaves the rescaled value as it is. */
  readonly doNormalize: boolean;
  /** One value for each of red, green, blue. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * The value of every level of every channel, float32 [3, 256]: what the kernel `normalise` looks pixels up in.
 *
 * Rescale is one float64 product rounded to float32; normalise is float32 throughout, mean and std rounded to it first: so do
 * numpy and transformers' `rescale` and `normalize`, and a fused (level - 127.5) / 127.5 differs on 128 of 256 levels.
 */
export function normalisedLevels(scaling: LevelScaling): Float32Array<ArrayBuffer> {
  const levels = new Float32Array(3 * 256);
  for (let channel = 0; channel < 3; channel++) {
    const mean = Math.fround(scaling.mean[channel]!);
    const std = Math.fround(scaling.std[channel]!);
    for (let level = 0; level < 256; level++) {
      const rescaled = Math.fround(level * scaling.rescaleFactor);
      // Float32 of a float64 quotient of float32 values is the float32 quotient: 53 >= 2 * 24 + 2 bits.
      levels[channel * 256 + level] = scaling.doNormalize ? Math.fround(rescaled - mean) / std : rescaled;
    }
  }
  return levels;
}
