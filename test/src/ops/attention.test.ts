import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type AttentionShape,
  attention,
  attentionScratch,
  keyElements,
  queryElements,
  valueElements,
} from "#dist/ops/attention.js";
import { attentionScratchBytes, blockElements, K_BLOCK, PANEL, type Pointer, roundUp } from "#dist/wasm/abi.js";
import { unblocked } from "../../reference/column-block.js";
import { finishHeads } from "../../reference/finish-heads.js";
import { assertSameBits, assertWithin, random, U } from "../../support/numbers.js";
import { SCRATCH_BYTES } from "../../support/op-programs.js";
import { recordedCalls } from "../../support/recorded-calls.js";
import { closeTeams, onEvery, openTeams, type Team, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/attention");
test.before(openTeams);
test.after(closeTeams);

type Shape = AttentionShape;

/** q | k | v [tokens, 3 * heads * headWidth] as `linearHeads` leaves them, NaN in what no token or column fills. */
function arranged(qkv: Float32Array, s: Shape): Record<"queries" | "keys" | "values", Float32Array<ArrayBuffer>> {
  const columns = 3 * s.heads * s.headWidth;
  const panels = Math.ceil(columns / PANEL);
  const partial = new Float32Array(panels * s.tokens * PANEL);
  for (let t = 0; t < s.tokens; t++) {
    for (let c = 0; c < columns; c++) {
      partial[(Math.floor(c / PANEL) * s.tokens + t) * PANEL + (c % PANEL)] = qkv[t * columns + c]!;
    }
  }
  const queries = new Float32Array(queryElements(s));
  const keys = new Float32Array(keyElements(s)).fill(Number.NaN);
  const values = new Float32Array(valueElements(s)).fill(Number.NaN);
  const none = new Float32Array(roundUp(columns, PANEL));
  finishHeads(queries, keys, values, partial, none, s.tokens, s.heads, s.headWidth, 0, s.tokens, 0, panels);
  return { queries, keys, values };
}

async function run(team: Team, qkv: Float32Array, s: Shape): Promise<Float32Array> {
  const width = s.heads * s.headWidth;
  assert.ok(attentionScratch(s) <= SCRATCH_BYTES);
  const { queries, keys, values } = arranged(qkv, s);
  const inputs = { queries: team.put(queries), keys: team.put(keys), values: team.put(values) };
  const elements = blockElements(s.tokens, width);
  const out = { at: team.take(elements * 4), rows: s.tokens };
  await team.call("attention", out, inputs, s);
  return unblocked(team.f32(out.at, elements), s.tokens, width);
}

/**
 * A score is a sum of at most K_BLOCK chained products per block and a product with the scale, its distance to the maximum one rounding more:
 * off by s. That moves a probability relatively by 2 s; exp adds 2 ULP to it and to the sum, the sum its tokens / 4 roundings, and a
 * few more come from the reciprocal and the products. The product with the values adds its own chain. Values are below 1.
 */
function check(actual: Float32Array, qkv: Float32Array, s: Shape): void {
  const { tokens, heads, headWidth } = s;
  const width = heads * headWidth;
  const exact = new Float64Array(tokens * width);
  const bounds = new Float64Array(tokens * width);
  const chain = (k: number): number => Math.min(k, K_BLOCK) + Math.ceil(k / K_BLOCK) + 1;
  const at = (token: number, third: number, head: number, i: number): number =>
    qkv[token * 3 * width + third * width + head * headWidth + i]!;
  for (let head = 0; head < heads; head++) {
    for (let r = 0; r < tokens; r++) {
      let largest = 0;
      const scores = Array.from({ length: tokens }, (_, t) => {
        let score = 0;
        let magnitude = 0;
        for (let i = 0; i < headWidth; i++) {
          const product = at(r, 0, head, i) * at(t, 1, head, i);
          score += product;
          magnitude += Math.abs(product);
        }
        largest = Math.max(largest, magnitude / Math.sqrt(headWidth));
        return score / Math.sqrt(headWidth);
      });
      const top = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - top));
      const sum = powers.reduce((a, b) => a + b, 0);
      const scoreError = (chain(headWidth) + 4) * U * largest;
      const bound = 1.01 * (2 * scoreError + (tokens / 4 + 20 + chain(tokens)) * U);
      for (let i = 0; i < headWidth; i++) {
        exact[r * width + head * headWidth + i] = powers.reduce((o, p, t) => o + (p / sum) * at(t, 2, head, i), 0);
        bounds[r * width + head * headWidth + i] = bound;
      }
    }
  }
  assertWithin(actual, exact, (index) => bounds[index]!, JSON.stringify(s));
}

for (const tokens of [1, 7, 60, 61, 130]) {
  test(`${tokens} tokens, odd heads of odd widths`, async ({ teams }) => {
    for (const [heads, headWidth] of [
      [1, 1],
      [3, 5],
      [5, 16],
      [2, 13],
    ] as const) {
      const s = { tokens, heads, headWidth };
      const qkv = random(tokens * 3 * heads * headWidth, tokens + heads);
      check(await onEvery(teams, (team) => run(team, qkv, s)), qkv, s);
    }
  });
}

test("scores far apart: nothing overflows, the largest takes all", async ({ teams }) => {
  const s = { tokens: 9, heads: 2, headWidth: 4 };
  const qkv = random(9 * 24, 5).map((value, i) => (i % 24 < 16 ? value * 1e6 : value));
  const actual = await onEvery(teams, (team) => run(team, qkv, s));
  assert.ok(actual.every((value) => Math.abs(value) <= 1));
});

test("a head's row depends on its own head alone", async ({ teams }) => {
  const s = { tokens: 7, heads: 2, headWidth: 3 };
  const qkv = random(7 * 18, 6);
  const other = qkv.map((value, i) => (i % 6 >= 3 ? -value : value));
  const [a, b] = [await onEvery(teams, (t) => run(t, qkv, s)), await onEvery(teams, (t) => run(t, other, s))];
  const first = (_: number, i: number): boolean => i % 6 < 3;
  assertSameBits(a.filter(first), b.filter(first));
  assert.not.equal(a, b);
});

test("every head and block of rows is one task, with a poll before each", () => {
  const s = { tokens: 130, heads: 5, headWidth: 8 };
  // No other worker is there to claim anything: each would do it all.
  for (const count of [1, 2, 3, 7]) {
    for (let index = 0; index < count; index++) {
      const seen = new Uint8Array(s.heads * s.tokens);
      const out = { at: 0 as Pointer, rows: s.tokens };
      const inputs = { queries: 0 as Pointer, keys: 1024 as Pointer, values: 2048 as Pointer };
      const calls = recordedCalls(index, count, (x) => attention(x, out, inputs, s));
      calls.forEach(({ args, polls }, call) => {
        const head = args[1]! / 4 / s.headWidth / s.tokens;
        const [rowBegin = 0, rowEnd = 0] = args.slice(-3);
        for (let r = rowBegin; r < rowEnd; r++) seen[head * s.tokens + r]!++;
        assert.ok(attentionScratchBytes(rowEnd - rowBegin, s.tokens) <= attentionScratch(s));
        assert.ok(polls > call);
      });
      assert.ok(seen.every((times) => times === 1));
    }
  }
});

test.run();
