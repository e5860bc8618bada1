// Which patches look to the model as one of them does.

/** Patches as directions, so that a similarity is one dot product. */
export class Similarity {
  /**
   * @param {Float32Array} features [patches, width]
   * @param {number} width
   */
  constructor(features, width) {
    this.width = width;
    this.patches = features.length / width;
    this.directions = Float32Array.from(features);
    for (let p = 0; p < this.patches; p++) {
      const row = this.directions.subarray(p * width, (p + 1) * width);
      const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
      if (length > 0) for (let i = 0; i < width; i++) row[i] /= length;
    }
  }

  /**
   * The cosine of every patch to one.
   *
   * @param {number} patch
   * @returns {Float32Array} [patches], -1 to 1
   */
  to(patch) {
    const { width, patches, directions } = this;
    const cosines = new Float32Array(patches);
    for (let p = 0; p < patches; p++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += directions[p * width + i] * directions[patch * width + i];
      cosines[p] = Math.min(1, Math.max(-1, sum));
    }
    return cosines;
  }
}
