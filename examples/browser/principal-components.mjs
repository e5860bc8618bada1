// The three directions in which patches differ most, as colours: patches that look alike to the model get like colours.

const COMPONENTS = 3;
/** Turns of the subspace iteration. Components whose variances differ by a fifth are told apart to a few levels of 255 by then. */
const TURNS = 24;

/**
 * RGB of every patch: its first three principal components, each from its 2nd to its 98th percentile. Their signs are free, so each is turned such that its
 * largest weight is positive: the same features always have the same colours.
 *
 * @param {Float32Array} features [patches, width]
 * @param {number} width
 * @returns {Uint8ClampedArray} [patches, 3]
 */
export function componentColours(features, width) {
  const patches = features.length / width;
  const centred = centre(features, patches, width);
  const directions = principalDirections(centred, patches, width);
  const colours = new Uint8ClampedArray(patches * 3);
  for (const [c, direction] of directions.entries()) {
    const scores = project(centred, patches, width, direction);
    const sorted = Float64Array.from(scores).sort();
    const low = sorted[Math.floor(0.02 * (patches - 1))];
    const high = sorted[Math.ceil(0.98 * (patches - 1))];
    for (let p = 0; p < patches; p++) {
      // A component without any variance is the middle grey of its channel.
      colours[p * 3 + c] = high > low ? (255 * (scores[p] - low)) / (high - low) : 128;
    }
  }
  return colours;
}

/**
 * The directions of largest variance, orthonormal, largest first: the subspace iteration on the covariance, which is never made.
 *
 * @param {Float64Array} centred [patches, width]
 * @param {number} patches
 * @param {number} width
 * @returns {Float64Array[]}
 */
export function principalDirections(centred, patches, width) {
  let directions = Array.from({ length: Math.min(COMPONENTS, width) }, (_, c) => start(width, c));
  orthonormalise(directions);
  for (let turn = 0; turn < TURNS; turn++) {
    directions = directions.map((direction) =>
      combine(centred, patches, width, project(centred, patches, width, direction)),
    );
    orthonormalise(directions);
  }
  for (const direction of directions) {
    const largest = direction.reduce((best, weight) => (Math.abs(weight) > Math.abs(best) ? weight : best), 0);
    if (largest < 0) for (let i = 0; i < width; i++) direction[i] = -direction[i];
  }
  return directions;
}

/**
 * @param {Float32Array} features
 * @param {number} patches
 * @param {number} width
 */
function centre(features, patches, width) {
  const means = new Float64Array(width);
  for (let p = 0; p < patches; p++) for (let i = 0; i < width; i++) means[i] += features[p * width + i] / patches;
  return Float64Array.from(features, (value, i) => value - means[i % width]);
}

/**
 * Any start that is not orthogonal to the answer: a fixed pseudo-random one, so that nothing changes from visit to visit.
 *
 * @param {number} width
 * @param {number} seed
 */
function start(width, seed) {
  let state = seed + 1;
  return Float64Array.from({ length: width }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/**
 * @param {Float64Array} rows
 * @param {number} patches
 * @param {number} width
 * @param {Float64Array} direction
 */
function project(rows, patches, width, direction) {
  const scores = new Float64Array(patches);
  for (let p = 0; p < patches; p++) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += rows[p * width + i] * direction[i];
    scores[p] = sum;
  }
  return scores;
}

/**
 * @param {Float64Array} rows
 * @param {number} patches
 * @param {number} width
 * @param {Float64Array} scores
 */
function combine(rows, patches, width, scores) {
  const out = new Float64Array(width);
  for (let p = 0; p < patches; p++) for (let i = 0; i < width; i++) out[i] += scores[p] * rows[p * width + i];
  return out;
}

/**
 * Gram-Schmidt, in place. A direction that the others leave nothing of becomes zero.
 *
 * @param {Float64Array[]} directions
 */
function orthonormalise(directions) {
  for (const [c, direction] of directions.entries()) {
    for (const other of directions.slice(0, c)) {
      const shared = direction.reduce((sum, value, i) => sum + value * other[i], 0);
      for (let i = 0; i < direction.length; i++) direction[i] -= shared * other[i];
    }
    const length = Math.hypot(...direction);
    for (let i = 0; i < direction.length; i++) direction[i] = length > 1e-12 ? direction[i] / length : 0;
  }
}
