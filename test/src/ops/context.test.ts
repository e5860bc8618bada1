import { suite } from "uvu";
import * as assert from "uvu/assert";
import { attention } from "#dist/ops/attention.js";
import { attentionInt16 } from "#dist/ops/attention-int16.js";
import { copyRows, fillRgb } from "#dist/ops/canvas.js";
import { blockRows, offset, type ProductContext, plainRows } from "#dist/ops/context.js";
import { gather } from "#dist/ops/gather.js";
import { layernorm } from "#dist/ops/layernorm.js";
import { linear, linearHeads } from "#dist/ops/linear.js";
import { normalise } from "#dist/ops/normalise.js";
import { packPieces } from "#dist/ops/pack.js";
import { patchify } from "#dist/ops/patchify.js";
import { patchifyRgb } from "#dist/ops/patchify-rgb.js";
import { resizeHorizontal, resizeVertical } from "#dist/ops/resize.js";
import { scatter } from "#dist/ops/scatter.js";
import type { Pointer } from "#dist/wasm/abi.js";
import { recordedSteps } from "../../support/recorded-calls.js";

const test = suite("ops/context");

test("an offset counts elements, of f32 unless another size is given", () => {
  assert.is(offset(64 as Pointer, 3), 76);
  assert.is(offset(64 as Pointer, 3, 1), 67);
  assert.is(offset(64 as Pointer, 0), 64);
});

test("it reaches the end of memory: addresses are not 32-bit integers here", () => {
  assert.is(offset((2 ** 31) as Pointer, 2 ** 28), 3 * 2 ** 30);
});

test("steps of rows in column blocks, and of rows one after another: (c / 256) * block + r * row + c % 256", () => {
  const at = 64 as Pointer;
  const [blocks, plain] = [blockRows({ at, rows: 5 }), plainRows(at, 700)];
  const index = ({ block, row }: typeof blocks, r: number, c: number): number =>
    Math.floor(c / 256) * block + r * row + (c % 256);
  for (const [r, c] of [
    [0, 0],
    [4, 255],
    [3, 256],
    [4, 699],
  ] as const) {
    assert.is(index(plain, r, c), r * 700 + c);
    assert.is(index(blocks, r, c), (Math.floor(c / 256) * 5 + r) * 256 + (c % 256));
  }
  assert.equal([blocks.at, plain.at], [at, at]);
});

const AT = 64 as Pointer;
const ROWS = { at: AT, rows: 40 };
const HEADS = { tokens: 40, heads: 2, headWidth: 4 };
const INPUTS = { queries: AT, keys: AT, values: AT };
const LAYER = { panels: AT, bias: AT, columns: 8, k: 8, storage: 0 } as const;

/** Every op on 40 rows, or pixels, or elements. */
const CALLS: Readonly<Record<string, (x: ProductContext) => void>> = {
  attention: (x) => attention(x, ROWS, INPUTS, HEADS),
  attentionInt16: (x) => attentionInt16(x, ROWS, INPUTS, HEADS),
  copyRows: (x) => copyRows(x, AT, AT, 8, 8, 8, 40),
  fillRgb: (x) => fillRgb(x, AT, [1, 2, 3], 40),
  gather: (x) => gather(x, AT, AT, AT, 8, 0, 40),
  layernorm: (x) => layernorm(x, ROWS, ROWS, { weight: AT, bias: AT, width: 8, eps: 1 }),
  linear: (x) => linear(x, ROWS, ROWS, LAYER),
  linearHeads: (x) => linearHeads(x, INPUTS, ROWS, { ...LAYER, columns: 24 }, HEADS),
  normalise: (x) => normalise(x, AT, AT, AT, 40),
  packPieces: (x) =>
    packPieces(
      x,
      [{ placement: { kind: "panels", at: AT, k: 8, wide: true }, stored: 1, first: 3, count: 40 }],
      { take: () => AT, done: () => {} },
      AT,
    ),
  patchify: (x) => patchify(x, AT, AT, 12, 2),
  patchifyRgb: (x) => patchifyRgb(x, AT, AT, AT, 12, 2),
  resizeHorizontal: (x) => resizeHorizontal(x, AT, AT, { bounds: AT, weights: AT, taps: 4 }, 8, 8, 40),
  resizeVertical: (x) => resizeVertical(x, AT, AT, { bounds: AT, weights: AT, taps: 4 }, 8, 8, 40),
  scatter: (x) => scatter(x, AT, AT, AT, 8, 40),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} ends at a barrier, and every worker comes to as many, also one without a share`, () => {
    for (const count of [1, 2, 3, 64]) {
      const barriers = Array.from({ length: count }, (_, index) => {
        const steps = recordedSteps(index, count, call);
        assert.is(steps.at(-1), "barrier");
        return steps.filter((step) => step === "barrier").length;
      });
      assert.ok(barriers.every((times) => times === barriers[0]));
    }
  });
}

test.run();
