import { suite } from "uvu";
import * as assert from "uvu/assert";
import { attention, attentionScratch, keyPanelElements, valuePanelElements } from "#dist/ops/attention.js";
import { attentionScratchBytes, K_BLOCK, type Pointer } from "#dist/wasm/abi.js";
import { assertSameBits, assertWithin, random, U } from "../../support/numbers.js";
import { SCRATCH_BYTES } from "../../support/op-programs.js";
import { recordedCalls } from "../../support/recorded-calls.js";
import { closeTeams, onEvery, openTeams, type Team, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/attention");
test.before(openTeams);
test.after(closeTeams);

type Shape = Parameters<typeof keyPanelElements>[0];

async function run(team: Team, qkv: Float32Array, s: Shape): Promise<Float32Array> {
  const width = s.heads * s.headWidth;
  assert.ok(attentionScratch(s) <= SCRATCH_BYTES);
  const out = { at: team.take(s.tokens * width * 4), stride: width };
  const from = { at: team.put(qkv), stride: 3 * width };
  const keys = team.take(keyPanelElements(s) * 4);
  const values = team.take(valuePanelElements(s) * 4);
  await team.call("attention", out, from, keys, values, s);
  return team.f32(out.at, s.tokens * width);
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

test("workers share heads and blocks of rows, with a poll before each", () => {
  const s = { tokens: 130, heads: 5, headWidth: 8 };
  for (const count of [1, 2, 3, 7]) {
    const seen = new Uint8Array(s.heads * s.tokens);
    for (let index = 0; index < count; index++) {
      const rows = { at: 0 as Pointer, stride: 120 };
      const calls = recordedCalls(index, count, (x) =>
        attention(x, rows, rows, 1024 as Pointer, 2048 as Pointer, s),
      ).filter(({ kernel }) => kernel === "attention");
      calls.forEach(({ args, polls }, call) => {
        const head = args[1]! / 4 / s.headWidth;
        const [rowBegin = 0, rowEnd = 0] = args.slice(-3);
        for (let r = rowBegin; r < rowEnd; r++) seen[head * s.tokens + r]!++;
        assert.ok(attentionScratchBytes(rowEnd - rowBegin, s.tokens) <= attentionScratch(s));
        assert.ok(polls > call);
      });
    }
    assert.ok(seen.every((times) => times === 1));
  }
});

test.run();
