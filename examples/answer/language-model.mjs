// The language-model half of the demo checkpoint, as plainly as it can be said: a Llama decoder that takes one position at a time.
// RMSNorm, rotary positions (rotate-half), SwiGLU, untied head; float32 weights, everything else in JavaScript's numbers.

/** In front of the names of its tensors. */
export const PREFIX = "language_model.";

export class LanguageModel {
  /**
   * @param {Map<string, { shape: number[], data: Float32Array }>} weights
   * @param {{ num_hidden_layers: number, num_attention_heads: number, rms_norm_eps: number, rope_theta: number, eos_token_id: number }} config
   */
  constructor(weights, config) {
    this.weights = weights;
    this.layers = config.num_hidden_layers;
    this.heads = config.num_attention_heads;
    this.eps = config.rms_norm_eps;
    this.eos = config.eos_token_id;
    this.dim = this.weight("model.norm").shape[0];
    this.headDim = this.dim / this.heads;
    // The reference computes angles in float32, and at position 100 that rounding is larger than everything else here.
    this.frequencies = Float32Array.from(
      { length: this.headDim / 2 },
      (_, i) => config.rope_theta ** ((-2 * i) / this.headDim),
    );
  }

  /**
   * The greedy answer to a prompt.
   *
   * @param {Float32Array} embeds `inputs_embeds` of one row without padding, [T, dim]
   * @param {number} [longest] tokens after which to stop anyway
   */
  greedy(embeds, longest) {
    const positions = this.positions(embeds, longest);
    for (;;) {
      const { done, value } = positions.next();
      if (done) return value;
    }
  }

  /**
   * The same position by position, for who has other things to do in between.
   *
   * @param {Float32Array} embeds
   * @param {number} [longest]
   * @returns {Generator<undefined, { ids: number[], firstLogits: Float64Array }>} without the end token; the scores of every first token
   */
  *positions(embeds, longest = 24) {
    /** Keys and values of every position so far, by layer. @type {{ keys: Float64Array[], values: Float64Array[] }[]} */
    const cache = Array.from({ length: this.layers }, () => ({ keys: [], values: [] }));
    let hidden = new Float64Array(this.dim);
    for (let start = 0; start < embeds.length; start += this.dim) {
      hidden = this.step(Float64Array.from(embeds.subarray(start, start + this.dim)), cache);
      yield;
    }
    const firstLogits = this.linear(hidden, "lm_head");
    /** @type {number[]} */
    const ids = [];
    for (let next = argmax(firstLogits); next !== this.eos && ids.length < longest; ) {
      ids.push(next);
      const { data } = this.weight("model.embed_tokens");
      hidden = this.step(Float64Array.from(data.subarray(next * this.dim, (next + 1) * this.dim)), cache);
      next = argmax(this.linear(hidden, "lm_head"));
      yield;
    }
    return { ids, firstLogits };
  }

  /**
   * One position through all layers. What it may look at is exactly what the cache holds, so no mask is needed.
   *
   * @param {Float64Array} x [dim]
   * @param {{ keys: Float64Array[], values: Float64Array[] }[]} cache
   */
  step(x, cache) {
    for (const [i, { keys, values }] of cache.entries()) {
      const layer = `model.layers.${i}`;
      const position = keys.length;
      const h = this.norm(x, `${layer}.input_layernorm`);
      keys.push(this.rotate(this.linear(h, `${layer}.self_attn.k_proj`), position));
      values.push(this.linear(h, `${layer}.self_attn.v_proj`));
      const query = this.rotate(this.linear(h, `${layer}.self_attn.q_proj`), position);
      x = add(x, this.linear(this.attend(query, keys, values), `${layer}.self_attn.o_proj`));

      const g = this.norm(x, `${layer}.post_attention_layernorm`);
      const gate = this.linear(g, `${layer}.mlp.gate_proj`);
      const up = this.linear(g, `${layer}.mlp.up_proj`);
      x = add(
        x,
        this.linear(
          up.map((value, j) => (value * gate[j]) / (1 + Math.exp(-gate[j]))),
          `${layer}.mlp.down_proj`,
        ),
      );
    }
    return this.norm(x, "model.norm");
  }

  /**
   * Softmax attention of one query over all positions, head by head.
   *
   * @param {Float64Array} query [dim]
   * @param {Float64Array[]} keys
   * @param {Float64Array[]} values
   */
  attend(query, keys, values) {
    const out = new Float64Array(this.dim);
    for (let begin = 0; begin < this.dim; begin += this.headDim) {
      const scores = keys.map((key) => {
        let sum = 0;
        for (let j = begin; j < begin + this.headDim; j++) sum += query[j] * key[j];
        return sum / Math.sqrt(this.headDim);
      });
      const highest = Math.max(...scores);
      const shares = scores.map((score) => Math.exp(score - highest));
      const total = shares.reduce((sum, share) => sum + share, 0);
      for (const [t, value] of values.entries()) {
        for (let j = begin; j < begin + this.headDim; j++) out[j] += (shares[t] / total) * value[j];
      }
    }
    return out;
  }

  /**
   * Rotary position: element j of a head and its partner half a head further turn by position * frequency j.
   *
   * @param {Float64Array} x [dim]
   * @param {number} position
   */
  rotate(x, position) {
    const out = new Float64Array(this.dim);
    const half = this.headDim / 2;
    for (let begin = 0; begin < this.dim; begin += this.headDim) {
      for (let j = 0; j < half; j++) {
        const angle = Math.fround(position * this.frequencies[j]);
        const [a, b] = [x[begin + j], x[begin + j + half]];
        out[begin + j] = a * Math.cos(angle) - b * Math.sin(angle);
        out[begin + j + half] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
    return out;
  }

  /**
   * @param {Float64Array} x
   * @param {string} name
   */
  norm(x, name) {
    const { data } = this.weight(name);
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + this.eps);
    return x.map((value, j) => value * scale * data[j]);
  }

  /**
   * x times the transpose of a weight [out, in].
   *
   * @param {Float64Array} x [in]
   * @param {string} name
   */
  linear(x, name) {
    const { shape, data } = this.weight(name);
    const [rows, columns] = shape;
    const out = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += data[row * columns + j] * x[j];
      out[row] = sum;
    }
    return out;
  }

  /** @param {string} name without `language_model.` and `.weight` */
  weight(name) {
    const found = this.weights.get(`${PREFIX}${name}.weight`);
    if (!found) throw new Error(`the checkpoint has no ${PREFIX}${name}.weight`);
    return found;
  }
}

/**
 * @param {Float64Array} a
 * @param {Float64Array} b
 */
function add(a, b) {
  return a.map((value, j) => value + b[j]);
}

/** @param {Float64Array} scores */
function argmax(scores) {
  return scores.reduce((best, score, i) => (score > scores[best] ? i : best), 0);
}
