import { suite } from "uvu";
import * as assert from "uvu/assert";
import { int8PanelBytes, PANEL, roundUp, STORAGE, type Storage } from "#dist/wasm/abi.js";
import { int8Index, quantiseWeight } from "../../reference/int8.js";
import { widenBits } from "../../reference/widen.js";
import { assertSameBits, randomF32, randomIntegers } from "../../support/elements.js";
import { type Buffer, forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("pack-int8");

const UNTOUCHED = 99;
const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

function bitsOf(rows: number, k: number, storage: Storage): Uint16Array | Uint32Array {
  const floats = new Uint32Array(randomF32(rows * k, rows + k).buffer);
  if (storage === STORAGE.f32) return floats;
  if (storage === STORAGE.bf16) return Uint16Array.from(floats, (bits) => bits >>> 16);
  return Uint16Array.from(randomIntegers(rows * k, rows + k, 0x10000), (bits) => bits & 0xbfff);
}

function widened(bits: ArrayLike<number>, storage: Storage): Float32Array {
  return Float32Array.from(bits, (each) => {
    word[0] = widenBits(each, storage);
    return float[0]!;
  });
}

function place(lab: Lab, bits: Uint16Array | Uint32Array): Buffer<Uint16Array> | Buffer<Uint32Array> {
  return bits instanceof Uint32Array ? lab.from(Uint32Array, bits) : lab.from(Uint16Array, bits);
}

/** Packs rows [begin, end) as columns from `column` on and holds all of the panels and scales to the reference. */
function check(lab: Lab, rows: number, k: number, storage: Storage, column = 0, begin = 0, end = rows): void {
  const bits = bitsOf(rows, k, storage);
  const columns = column + end - begin;
  const src = place(lab, bits);
  const dst = lab.from(Int8Array, new Int8Array(int8PanelBytes(columns, k)).fill(UNTOUCHED));
  const scales = lab.from(Float32Array, new Float32Array(roundUp(columns, PANEL)).fill(-1));
  const scratch = lab.scratch(4 * k);
  lab.kernels.packInt8(dst.pointer, scales.pointer, src.pointer, scratch.pointer, k, storage, column, begin, end);
  const panels = new Int8Array(dst.data.length).fill(UNTOUCHED);
  const expected = new Float32Array(scales.data.length).fill(-1);
  const plain = widened(bits, storage);
  for (let r = begin; r < end; r++) {
    const n = column + r - begin;
    const row = quantiseWeight(plain.subarray(r * k, (r + 1) * k));
    expected[n] = row.scale;
    for (let i = 0; i < roundUp(k, 4); i++) panels[int8Index(n, i, k)] = row.levels[i] ?? 0;
  }
  assertSameBits(scales.data, expected, `scales of ${rows} x ${k}, storage ${storage}`);
  assertSameBits(dst.data, panels, `panels of ${rows} x ${k}, storage ${storage}`);
}

forEachVariant(test, "ragged rows and k, every storage", (lab) => {
  for (const storage of [STORAGE.f32, STORAGE.bf16, STORAGE.f16]) {
    for (const rows of [1, 7, 8, 9, 17]) {
      for (const k of [1, 2, 3, 4, 5, 8, 31, 64]) {
        lab.reset();
        check(lab, rows, k, storage);
      }
    }
  }
});

forEachVariant(test, "ranges of rows, to columns anywhere", (lab) => {
  for (const column of [0, 3, 8, 21]) {
    lab.reset();
    check(lab, 20, 13, STORAGE.bf16, column, 4, 15);
    lab.reset();
    check(lab, 20, 13, STORAGE.bf16, column, 4, 4);
  }
});

forEachVariant(
  test,
  "rows of zeros and of next to nothing have scale 0; the largest is 127, ties go to even",
  (lab) => {
    const src = lab.from(Float32Array, [0, 0, 0, 0, 2 ** -120, 0, 0, 0, 127, -0.5, 1.5, -2.5, -254, 1, 3, 5]);
    const dst = lab.buffer(Int8Array, int8PanelBytes(4, 4));
    const scales = lab.buffer(Float32Array, PANEL);
    lab.kernels.packInt8(dst.pointer, scales.pointer, src.pointer, src.pointer, 4, STORAGE.f32, 0, 0, 4);
    assert.equal([...scales.data.slice(0, 4)], [0, 0, 1, 2]);
    const levels = [0, 0, 0, 0, 0, 0, 0, 0, 127, 0, 2, -2, -127, 0, 2, 2];
    assert.equal([...dst.data.slice(0, 16)], levels);
  },
);

test.run();
