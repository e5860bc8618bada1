/**
 * The deterministic full-size checkpoint: every weight of a Janus-Pro-1B encoder from a formula, so that nothing large is shipped.
 *
 * Element i (row-major) of the tensor called `name`, in unsigned 32-bit integers and float32:
 *
 *     seed = FNV-1a 32 of the ASCII name
 *     h = lowbias32(i + seed)
 *     u = (h >>> 8) * 2^-23 - 1                      in [-1, 1)
 *     v = fround(base + fround(scale * u))
 *     if outlierEvery > 0 and i % outlierEvery == 0: v = fround(v * outlierFactor)
 *     value = v rounded to bfloat16, ties to even
 *
 * The magnitudes keep the residual stream of 24 blocks in the range of a trained model, outlier channels included.
 */
import { JanusError, quote } from "../errors.js";

/** Janus-Pro-1B: image size, patch, tokens per image, tower width, blocks, heads, MLP width, language-model width, vocabulary rows. */
export const JANUS_PRO_1B = {
  imageSize: 384,
  patchSize: 16,
  tokens: 576,
  width: 1024,
  layers: 24,
  heads: 16,
  mlp: 4096,
  dim: 2048,
  vocabulary: 102400,
} as const;

interface Rule {
  readonly base: number;
  readonly scale: number;
  readonly outlierEvery: number;
  readonly outlierFactor: number;
}

const TOWER = "vision_model.vision_tower.";
const EMBED_TOKENS = "language_model.model.embed_tokens.weight";

/** All numbers are dyadic, so `scale * u` is exact in float32 and one rounding is left. Keys: names with layer indices as `*`. */
const RULES: ReadonlyMap<string, Rule> = new Map([
  rule(`${TOWER}patch_embed.proj.weight`, 0, 0.125),
  rule(`${TOWER}patch_embed.proj.bias`, 0, 0.125),
  rule(`${TOWER}pos_embed`, 0, 0.5),
  rule(`${TOWER}blocks.*.norm1.weight`, 1, 0.25, 97, 6),
  rule(`${TOWER}blocks.*.norm1.bias`, 0, 0.125),
  rule(`${TOWER}blocks.*.attn.qkv.weight`, 0, 0.0625),
  rule(`${TOWER}blocks.*.attn.qkv.bias`, 0, 0.25),
  rule(`${TOWER}blocks.*.attn.proj.weight`, 0, 0.0625),
  rule(`${TOWER}blocks.*.attn.proj.bias`, 0, 0.125),
  rule(`${TOWER}blocks.*.norm2.weight`, 1, 0.25, 97, 6),
  rule(`${TOWER}blocks.*.norm2.bias`, 0, 0.125),
  rule(`${TOWER}blocks.*.mlp.fc1.weight`, 0, 0.0625),
  rule(`${TOWER}blocks.*.mlp.fc1.bias`, 0, 0.25),
  rule(`${TOWER}blocks.*.mlp.fc2.weight`, 0, 0.015625),
  rule(`${TOWER}blocks.*.mlp.fc2.bias`, 0, 0.125, 97, 6),
  rule(`${TOWER}norm.weight`, 1, 0.25, 97, 6),
  rule(`${TOWER}norm.bias`, 0, 0.125),
  rule("aligner.layers.*.weight", 0, 0.03125),
  rule("aligner.layers.*.bias", 0, 0.125),
  rule(EMBED_TOKENS, 0, 0.03125),
]);

/** Name and shape of every tensor the encoder needs, in file order; the names of the original layout. */
export function syntheticTensors(): { readonly name: string; readonly dims: readonly number[] }[] {
  const { patchSize, tokens, width, layers, mlp, dim, vocabulary } = JANUS_PRO_1B;
  const table: { name: string; dims: number[] }[] = [];
  const single = (name: string, ...dims: number[]) => table.push({ name, dims });
  const pair = (name: string, out: number, ...rest: number[]) => {
    single(`${name}.weight`, out, ...rest);
    single(`${name}.bias`, out);
  };
  single(`${TOWER}pos_embed`, 1, tokens, width);
  pair(`${TOWER}patch_embed.proj`, width, 3, patchSize, patchSize);
  for (let n = 0; n < layers; n++) {
    const block = `${TOWER}blocks.${n}`;
    pair(`${block}.norm1`, width);
    pair(`${block}.attn.qkv`, 3 * width, width);
    pair(`${block}.attn.proj`, width, width);
    pair(`${block}.norm2`, width);
    pair(`${block}.mlp.fc1`, mlp, width);
    pair(`${block}.mlp.fc2`, width, mlp);
  }
  pair(`${TOWER}norm`, width);
  pair("aligner.layers.0", dim, width);
  pair("aligner.layers.2", dim, dim);
  single(EMBED_TOKENS, vocabulary, dim);
  return table;
}

/**
 * Elements [start, start + count) of a tensor as bfloat16 bit patterns, into the first `count` elements of `target`.
 *
 * @throws JanusError E_INTERNAL for a name outside `syntheticTensors()`.
 */
export function syntheticTensor(
  name: string,
  start: number,
  count: number,
  target: Uint16Array = new Uint16Array(count),
): Uint16Array {
  const found = RULES.get(name.replace(/(?<=\.)\d+(?=\.)/g, "*"));
  if (!found) throw new JanusError("E_INTERNAL", `synthesize: no formula for a tensor called ${quote(name)}`);
  const seed = fnv1a(name);
  const floats = new Float32Array(Math.min(count, RUN));
  const bits = new Uint32Array(floats.buffer);
  for (let done = 0; done < count; done += RUN) {
    const run = Math.min(RUN, count - done);
    fillValues(floats, run, start + done, seed, found);
    roundToBf16(target, done, bits, run);
  }
  return target;
}

/** Elements made at a time: 32 KB of float32, so that the rounding pass reads them from the L1 cache. */
const RUN = 8192;

function fillValues(values: Float32Array, count: number, start: number, seed: number, rule: Rule): void {
  const { base, scale, outlierEvery, outlierFactor } = rule;
  for (let i = 0; i < count; i++) {
    values[i] = base + scale * ((lowbias32(start + i + seed) >>> 8) * 2 ** -23 - 1);
  }
  if (outlierEvery === 0) return;
  const first = (outlierEvery - (start % outlierEvery)) % outlierEvery;
  for (let i = first; i < count; i += outlierEvery) values[i] = values[i]! * outlierFactor;
}

/** Round to nearest, ties to even; the formula has no NaN, infinity or overflow. */
function roundToBf16(target: Uint16Array, offset: number, bits: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const word = bits[i]!;
    target[offset + i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

/** Chris Wellons' 32-bit integer hash of that name. */
function lowbias32(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

function fnv1a(name: string): number {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return hash >>> 0;
}

function rule(pattern: string, base: number, scale: number, outlierEvery = 0, outlierFactor = 1): [string, Rule] {
  return [pattern, { base, scale, outlierEvery, outlierFactor }];
}

/**
 * The picture that goes with the weights: RGB u8 [384, 384, 3], row y, column x, channel c:
 * (x * (c + 2) + y * (5 - c) + (lowbias32((y * 384 + x) * 3 + c) >>> 27)) mod 256.
 */
export function syntheticPicture(): { width: number; height: number; data: Uint8Array<ArrayBuffer> } {
  const size = JANUS_PRO_1B.imageSize;
  const data = new Uint8Array(size * size * 3);
  for (let i = 0; i < data.length; i++) {
    const c = i % 3;
    const x = Math.floor(i / 3) % size;
    const y = Math.floor(i / (3 * size));
    data[i] = x * (c + 2) + y * (5 - c) + (lowbias32(i) >>> 27);
  }
  return { width: size, height: size, data };
}
