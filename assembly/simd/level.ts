/**
 * A range of f32 values below this counts as none when it is cut into 8-bit levels: 255 divided by it stays finite, and nothing that a model computes with
 * is as small. 2^-100.
 */
export const LEAST_RANGE: f32 = 7.888609052210118e-31;

/** What levels are kept as, by the codes of the ABI: i16 less their zero point; bytes from 0, or from -128 on. */
export const WIDE: i32 = 0;
export const SIGNED: i32 = 2;
