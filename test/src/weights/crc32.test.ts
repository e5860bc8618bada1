import { suite } from "uvu";
import * as assert from "uvu/assert";
import { crc32 } from "#dist/weights/crc32.js";
import { randomIntegers } from "../../support/elements.js";

const test = suite("weights/crc32");

test("the check value of the polynomial, and of nothing", () => {
  assert.is(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assert.is(crc32(new Uint8Array(0)), 0);
  assert.is(crc32(Uint8Array.of(0)), 0xd202ef8d);
});

test("in pieces it is the sum of the whole", () => {
  const bytes = Uint8Array.from(randomIntegers(1000, 7, 256));
  const whole = crc32(bytes);
  for (const cut of [0, 1, 500, 999, 1000]) {
    assert.is(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), whole);
  }
  assert.ok(whole >= 0 && whole < 2 ** 32);
});

test.run();
