/** The vision tower and the aligner in double precision, as plainly as they can be written; rows as arrays of arrays. */
import type { JanusConfig } from "#dist/model/config.js";
import { gelu } from "./numbers.js";
import { type LinearValues, linearValues, normValues, positions } from "./placed-model.js";

type Matrix = readonly (readonly number[])[];

function linear(x: Matrix, { weight, bias, columns, k }: LinearValues): Matrix {
  return x.map((row) =>
    Array.from({ length: columns }, (_, n) =>
      row.reduce((sum, value, i) => sum + value * weight[n * k + i]!, bias[n]!),
    ),
  );
}

function layernorm(x: Matrix, role: string, eps: number): Matrix {
  return x.map((row) => {
    const { weight, bias } = normValues(role, row.length);
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    return row.map((value, i) => ((value - mean) / Math.sqrt(variance + eps)) * weight[i]! + bias[i]!);
  });
}

function attention(qkv: Matrix, heads: number, headWidth: number): Matrix {
  const width = heads * headWidth;
  return qkv.map((query) =>
    Array.from({ length: width }, (_, column) => {
      const head = Math.floor(column / headWidth) * headWidth;
      const scores = qkv.map((row) => {
        let dot = 0;
        for (let i = head; i < head + headWidth; i++) dot += query[i]! * row[width + i]!;
        return dot / Math.sqrt(headWidth);
      });
      const largest = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - largest));
      const sum = powers.reduce((a, b) => a + b, 0);
      return powers.reduce((total, power, t) => total + (power / sum) * qkv[t]![2 * width + column]!, 0);
    }),
  );
}

function add(a: Matrix, b: Matrix): Matrix {
  return a.map((row, r) => row.map((value, i) => value + b[r]![i]!));
}

function rows(values: Float32Array, width: number): Matrix {
  return Array.from({ length: values.length / width }, (_, r) => [...values.subarray(r * width, (r + 1) * width)]);
}

function patches(pixels: Float32Array, { imageSize, patchSize, grid, tokens }: JanusConfig): Matrix {
  return Array.from({ length: tokens }, (_, token) => {
    const [y, x] = [Math.floor(token / grid) * patchSize, (token % grid) * patchSize];
    const patch: number[] = [];
    for (let c = 0; c < 3; c++) {
      for (let ky = 0; ky < patchSize; ky++) {
        for (let kx = 0; kx < patchSize; kx++) patch.push(pixels[(c * imageSize + y + ky) * imageSize + x + kx]!);
      }
    }
    return patch;
  });
}

/** Every stage by its name, `vision.norm` last. */
export function tower(config: JanusConfig, pixels: Float32Array, blocks = config.blocks): Map<string, Float64Array> {
  const { width, mlpWidth, heads, headWidth, layerNormEps: eps } = config;
  const stages = new Map<string, Float64Array>();
  const embedding = linearValues("patch_embed", width, 3 * config.patchSize ** 2);
  let x = add(linear(patches(pixels, config), embedding), rows(positions(config), width));
  stages.set("vision.patch_embed", Float64Array.from(x.flat()));
  for (let n = 0; n < blocks; n++) {
    const qkv = linear(layernorm(x, `${n}.norm1`, eps), linearValues(`${n}.qkv`, 3 * width, width));
    x = add(x, linear(attention(qkv, heads, headWidth), linearValues(`${n}.proj`, width, width)));
    const hidden = linear(layernorm(x, `${n}.norm2`, eps), linearValues(`${n}.fc1`, mlpWidth, width));
    x = add(
      x,
      linear(
        hidden.map((row) => row.map(gelu)),
        linearValues(`${n}.fc2`, width, mlpWidth),
      ),
    );
    stages.set(`vision.block.${n}`, Float64Array.from(x.flat()));
  }
  return stages.set("vision.norm", Float64Array.from(layernorm(x, "norm", eps).flat()));
}

export function aligner(config: JanusConfig, features: Float32Array): Float64Array {
  let x = rows(features, config.width);
  for (let n = 0; n < config.aligner.depth; n++) {
    if (n > 0) x = x.map((row) => row.map(gelu));
    x = linear(x, linearValues(`aligner.${n}`, config.dim, n === 0 ? config.width : config.dim));
  }
  return Float64Array.from(x.flat());
}
