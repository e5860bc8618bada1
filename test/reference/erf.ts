/** Φ(x), the distribution function of the normal law, in double precision with small relative error on both sides. */
export function normalCdf(x: number): number {
  const z = Math.abs(x) * Math.SQRT1_2;
  const tail = z < 2 ? 0.5 - 0.5 * erfSeries(z) : 0.5 * erfcFraction(z);
  return x > 0 ? 1 - tail : tail;
}

/** Maclaurin series; terms stay below 8, so 2^-50 absolute is kept. */
function erfSeries(z: number): number {
  if (z === 0) return 0;
  let term = z;
  let sum = z;
  for (let n = 1; Math.abs(term) > 1e-18 * sum; n++) {
    term *= (-z * z) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** Laplace's continued fraction, from the inside out; 120 levels are past double precision at z = 2. */
function erfcFraction(z: number): number {
  if (z > 27) return 0;
  let fraction = z;
  for (let n = 120; n >= 1; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction);
}
