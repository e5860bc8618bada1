import { suite } from "uvu";
import * as assert from "uvu/assert";
import { STORAGE, type Storage } from "#dist/wasm/abi.js";
import { countNonFinite } from "../../reference/count-non-finite.js";
import { randomIntegers } from "../../support/elements.js";
import { forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("countNonFinite");

const EXPONENT: Record<Storage, number> = { 0: 0x7f800000, 1: 0x7f80, 2: 0x7c00 };

function place(lab: Lab, storage: Storage, bits: number[]) {
  return storage === STORAGE.f32 ? lab.atEnd(Uint32Array, bits) : lab.atEnd(Uint16Array, bits);
}

forEachVariant(test, "all 65536 values of bf16 and f16, and those of f32 around the limits", (lab) => {
  const halves = Array.from({ length: 65536 }, (_, bits) => bits);
  for (const [storage, bits] of [
    [STORAGE.bf16, halves],
    [STORAGE.f16, halves],
    [
      STORAGE.f32,
      [0, 1, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fffffff, 0x80000000, 0xff7fffff, 0xff800000, 0xffffffff],
    ],
  ] as const) {
    lab.reset();
    const src = place(lab, storage, [...bits]);
    const expected = countNonFinite(src.data, storage, 0, bits.length);
    assert.ok(expected > 0);
    assert.is(lab.kernels.countNonFinite(src.pointer, storage, 0, bits.length), expected, `storage ${storage}`);
  }
});

forEachVariant(test, "one bad element at every place of every tail; those outside the range do not count", (lab) => {
  for (const storage of Object.values(STORAGE)) {
    for (let length = 0; length <= 19; length++) {
      for (const begin of [0, 1, 5]) {
        lab.reset();
        const size = begin + length;
        const clean = randomIntegers(size + 1, size + 1, EXPONENT[storage]);
        const src = place(lab, storage, clean);
        const count = (end: number) => lab.kernels.countNonFinite(src.pointer, storage, begin, end);
        assert.is(count(size), 0);
        for (let at = 0; at <= size; at++) {
          src.data[at] = EXPONENT[storage] | (at % 3);
          assert.is(count(size), at >= begin && at < size ? 1 : 0, `storage ${storage}, ${at} in ${begin} to ${size}`);
          src.data[at] = clean[at]!;
        }
        src.data.fill(EXPONENT[storage]);
        assert.is(count(size), length);
      }
    }
  }
});

test.run();
