import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { AttentionShape } from "#dist/ops/attention.js";
import { keyElements, queryElements, valueElements } from "#dist/ops/attention.js";
import {
  attentionInt16,
  attentionInt16Scratch,
  headLevelBytes,
  scoreLevels,
  valueLevels,
} from "#dist/ops/attention-int16.js";
import {
  attentionInt16ScratchBytes,
  blockElements,
  LEVELS,
  MAX_LEVELS,
  PANEL,
  POWER_LEVELS,
  type Pointer,
  roundUp,
  TILE,
} from "#dist/wasm/abi.js";
import { attention } from "../../reference/attention.js";
import { unblocked } from "../../reference/column-block.js";
import { finishHeads } from "../../reference/finish-heads.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { SCRATCH_BYTES } from "../../support/op-programs.js";
import { recordedCalls } from "../../support/recorded-calls.js";
import { closeTeams, onEvery, openTeams, type Team, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/attention-int16");
test.before(openTeams);
test.after(closeTeams);

/** q | k | v [tokens, 3 * heads * headWidth] as `linearHeads` leaves them, NaN in what no token or column fills. */
function arranged(
  qkv: Float32Array,
  s: AttentionShape,
): Record<"queries" | "keys" | "values", Float32Array<ArrayBuffer>> {
  const columns = 3 * s.heads * s.headWidth;
  const panels = Math.ceil(columns / PANEL);
  const partial = new Float32Array(panels * s.tokens * PANEL);
  for (let t = 0; t < s.tokens; t++) {
    for (let c = 0; c < columns; c++)
      partial[(Math.floor(c / PANEL) * s.tokens + t) * PANEL + (c % PANEL)] = qkv[t * columns + c]!;
  }
  const queries = new Float32Array(queryElements(s));
  const keys = new Float32Array(keyElements(s)).fill(Number.NaN);
  const values = new Float32Array(valueElements(s)).fill(Number.NaN);
  const none = new Float32Array(roundUp(columns, PANEL));
  finishHeads(queries, keys, values, partial, none, s.tokens, s.heads, s.headWidth, 0, s.tokens, 0, panels);
  return { queries, keys, values };
}

/** By every form and a tile of either width: all the same bytes. */
async function run(team: Team, qkv: Float32Array, s: AttentionShape): Promise<Float32Array> {
  const width = s.heads * s.headWidth;
  assert.ok(attentionInt16Scratch(s) <= SCRATCH_BYTES);
  const { queries, keys, values } = arranged(qkv, s);
  const inputs = { queries: team.put(queries), keys: team.put(keys), values: team.put(values) };
  const elements = blockElements(s.tokens, width);
  const results: Float32Array[] = [];
  for (const form of Object.values(LEVELS)) {
    for (const tile of [TILE["3x8"], TILE["2x16"]]) {
      const out = { at: team.take(elements * 4), rows: s.tokens };
      const none = team.take(0);
      const levels = { at: team.take(headLevelBytes(s)), scales: none, zeros: none, form };
      await team.call("attentionInt16On", levels, tile, out, inputs, s);
      results.push(unblocked(team.f32(out.at, elements), s.tokens, width));
    }
  }
  for (const other of results) assertSameBits(other, results[0]!);
  return results[0]!;
}

/** Every head for itself, in f64. */
function exactly(qkv: Float32Array, { tokens, heads, headWidth }: AttentionShape): Float64Array {
  const width = heads * headWidth;
  const exact = new Float64Array(tokens * width);
  for (let head = 0; head < heads; head++) {
    const part = (third: number): Float32Array =>
      Float32Array.from({ length: tokens * headWidth }, (_, at) => {
        const [t, i] = [Math.floor(at / headWidth), at % headWidth];
        return qkv[t * 3 * width + third * width + head * headWidth + i]!;
      });
    const own = new Float64Array(tokens * headWidth);
    attention(own, part(0), part(1), part(2), tokens, headWidth, headWidth ** -0.5, headWidth, headWidth, 0, tokens);
    own.forEach((value, at) => {
      exact[Math.floor(at / headWidth) * width + head * headWidth + (at % headWidth)] = value;
    });
  }
  return exact;
}

for (const tokens of [1, 7, 60, 61, 130]) {
  test(`${tokens} tokens, odd heads of odd widths: as in f64, but for what levels take`, async ({ teams }) => {
    for (const [heads, headWidth] of [
      [1, 1],
      [3, 5],
      [5, 16],
      [2, 13],
    ] as const) {
      const s = { tokens, heads, headWidth };
      const qkv = random(tokens * 3 * heads * headWidth, tokens + heads);
      const actual = await onEvery(teams, (team) => run(team, qkv, s));
      // The kernel's test has the bound; values are below 1, and scores of these are so near that numerators have most of their 12 bits.
      exactly(qkv, s).forEach((value, i) => {
        assert.ok(Math.abs(actual[i]! - value) < 4e-4, `${JSON.stringify(s)} [${i}] ${actual[i]}, expected ${value}`);
      });
    }
  });
}

test("levels leave room in sums of 32 bits and in pairs of 16", () => {
  for (const n of [1, 2, 3, 7, 8, 9, 16, 31, 32, 64, 72, 128, 300, 576, 729, 4096, 65536]) {
    const [score, value] = [scoreLevels(n), valueLevels(n)];
    assert.ok(score >= 1 && value >= 1);
    assert.ok(score ** 2 * n < 2 ** 31 && value * (POWER_LEVELS + 1) * n < 2 ** 31, `${n}`);
    assert.ok(2 * MAX_LEVELS < 2 ** 15 && score <= MAX_LEVELS && value <= MAX_LEVELS);
    assert.ok(score === MAX_LEVELS || (score + 1) ** 2 * n >= 2 ** 31, `${n}: no more than needed is given away`);
  }
});

test("every panel is quantised once; every head and block of rows is one task, with a poll before each", () => {
  const s = { tokens: 130, heads: 5, headWidth: 8 };
  for (const count of [1, 2, 3, 7]) {
    for (let index = 0; index < count; index++) {
      const rows = new Uint8Array(s.heads * s.tokens);
      const panels = [new Uint8Array(s.heads * 17), new Uint8Array(s.heads)];
      const out = { at: 0 as Pointer, rows: s.tokens };
      const inputs = { queries: 0 as Pointer, keys: 1024 as Pointer, values: 2048 as Pointer };
      const calls = recordedCalls(index, count, (x) => attentionInt16(x, out, inputs, s));
      for (const { kernel, args, polls } of calls) {
        if (kernel === "quantisePanels") {
          for (let panel = args[5]!; panel < args[6]!; panel++) panels[args[1] === 1024 ? 0 : 1]![panel]!++;
          continue;
        }
        const head = args[1]! / 4 / s.headWidth / s.tokens;
        const [rowBegin = 0, rowEnd = 0] = args.slice(-3);
        for (let r = rowBegin; r < rowEnd; r++) rows[head * s.tokens + r]!++;
        assert.ok(attentionInt16ScratchBytes(rowEnd - rowBegin, s.tokens, s.headWidth) <= attentionInt16Scratch(s));
        assert.ok(polls > 0);
      }
      for (const seen of [rows, ...panels]) assert.ok(seen.every((times) => times === 1));
    }
  }
});

test.run();
