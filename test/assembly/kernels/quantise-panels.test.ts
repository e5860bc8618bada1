import { suite } from "uvu";
import * as assert from "uvu/assert";
import { int16PanelBytes, LEVELS, type LevelForm, MAX_LEVELS, PANEL, roundUp } from "#dist/wasm/abi.js";
import { panelLevelIndex, symmetricLevels } from "../../reference/attention-int16.js";
import { assertSameBits, randomF32 } from "../../support/elements.js";
import { forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("quantise-panels");

const UNTOUCHED = 12345;

/** Quantises panels [begin, end) of src and holds all of dst to the reference. */
function check(
  lab: Lab,
  src: Float32Array,
  k: number,
  levels: number,
  form: LevelForm = LEVELS.crossed,
  begin = 0,
  end = src.length / k / PANEL,
): void {
  const panels = src.length / k / PANEL;
  const step = int16PanelBytes(PANEL, k);
  const dst = lab.from(Int16Array, new Int16Array((panels * step) / 2).fill(UNTOUCHED));
  const before = dst.data.slice();
  const from = lab.atEnd(Float32Array, src);
  lab.kernels.quantisePanels(dst.pointer, from.pointer, form, k, levels, begin, end);
  const expected = before.slice();
  const whole = roundUp(k, 16);
  for (let panel = begin; panel < end; panel++) {
    const at = (panel * step) / 2;
    const numbers = new DataView(expected.buffer, panel * step + whole * PANEL * 2);
    for (let n = 0; n < PANEL; n++) {
      const column = Float32Array.from({ length: k }, (_, i) => src[(panel * k + i) * PANEL + n]!);
      const reference = symmetricLevels(column, levels);
      let term = 0;
      for (let i = 0; i < whole; i++) expected[at + panelLevelIndex(n, i)] = reference.levels[i] ?? 0;
      // Four levels follow each other in two words: pairs of k and k + 8, then of k + 1 and k + 9.
      for (let i = 0; i < whole; i++) {
        if (i % 2 === 0) term += (reference.levels[i] ?? 0) * (reference.levels[i + 1] ?? 0);
      }
      numbers.setFloat32(n * 4, reference.scale, true);
      numbers.setInt32(PANEL * 4 + n * 4, form === LEVELS.crossed ? term : 0, true);
    }
  }
  assertSameBits(dst.data, expected, `${panels} panels of ${k}`);
}

forEachVariant(test, "every depth of a group, and some of more", (lab) => {
  for (let k = 1; k <= 40; k++) {
    lab.reset();
    check(lab, randomF32(2 * k * PANEL, k, 3), k, 1000 + k);
  }
  lab.reset();
  check(lab, randomF32(576 * PANEL, 5), 576, 909);
});

forEachVariant(test, "terms are zero where products are plain", (lab) => {
  for (const form of [LEVELS.wide, LEVELS.unsigned, LEVELS.signed, LEVELS.crossed]) {
    lab.reset();
    check(lab, randomF32(3 * 20 * PANEL, 7), 20, 5792, form);
  }
});

forEachVariant(test, "panels in range only", (lab) => {
  for (const [begin, end] of [
    [0, 2],
    [2, 5],
    [3, 3],
  ] as const) {
    lab.reset();
    check(lab, randomF32(5 * 18 * PANEL, 3), 18, 300, LEVELS.crossed, begin, end);
  }
});

forEachVariant(test, "ties go to even; the most levels there are; zeros, subnormals and large numbers", (lab) => {
  const row = [100, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 99.5, -100, 3.5, -3.5, 0, 0.49, 0.51, 1, -1, 2, -99.5];
  check(
    lab,
    Float32Array.from({ length: row.length * PANEL }, (_, i) => row[Math.floor(i / PANEL)]!),
    row.length,
    100,
  );
  for (const value of [0, 1, -1, 2 ** -140, 2 ** -101, 2 ** -99, 1e30, -3e38]) {
    lab.reset();
    check(lab, new Float32Array(5 * PANEL).fill(value), 5, MAX_LEVELS);
  }
});

forEachVariant(test, "what is not finite shows in the scale of its column alone", (lab) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    lab.reset();
    const k = 9;
    const src = lab.from(Float32Array, randomF32(k * PANEL, 4));
    src.data[8 * PANEL + 5] = value;
    const dst = lab.buffer(Float32Array, int16PanelBytes(PANEL, k) / 4);
    lab.kernels.quantisePanels(dst.pointer, src.pointer, LEVELS.crossed, k, 500, 0, 1);
    const scales = dst.data.subarray((16 * PANEL * 2) / 4, (16 * PANEL * 2) / 4 + PANEL);
    scales.forEach((scale, n) => {
      assert.is(Number.isNaN(scale), n === 5, `column ${n}`);
    });
    // Its levels are no part of the contract.
    dst.data.fill(0);
  }
});

test.run();
