import { suite } from "uvu";
import { add } from "../../reference/add.js";
import { assertSameBits, randomF32 } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("add");

forEachVariant(test, "every tail from every start, one rounding, nothing else touched", (lab) => {
  for (let length = 0; length <= 17; length++) {
    for (const begin of [0, 1, 2, 5]) {
      lab.reset();
      const size = begin + length;
      const a = lab.atEnd(Float32Array, randomF32(size, 1 + length, 1e3));
      const b = lab.from(Float32Array, randomF32(size, 2 + length));
      const dst = lab.from(Float32Array, randomF32(size + 3, 3));
      const expected = dst.data.slice();
      add(expected, a.data, b.data, begin, size);
      lab.kernels.add(dst.pointer, a.pointer, b.pointer, begin, size);
      assertSameBits(dst.data, expected, `${length} from ${begin}`);
    }
  }
});

forEachVariant(test, "dst may be a, b or both", (lab) => {
  const values = randomF32(23, 4);
  for (const alias of ["a", "b", "both"]) {
    const a = lab.from(Float32Array, values);
    const b = alias === "both" ? a : lab.from(Float32Array, randomF32(23, 5));
    const expected = new Float32Array(23);
    add(expected, a.data, b.data, 0, 23);
    const dst = alias === "b" ? b : a;
    lab.kernels.add(dst.pointer, a.pointer, b.pointer, 0, 23);
    assertSameBits(dst.data, expected, alias);
  }
});

forEachVariant(test, "subnormal, signed zero, overflow, infinity", (lab) => {
  const a = lab.from(Float32Array, [1e-45, -1e-40, 0, -0, 3e38, Number.POSITIVE_INFINITY]);
  const b = lab.from(Float32Array, [1e-45, 1e-41, -0, -0, 3e38, 1]);
  const expected = new Float32Array(6);
  add(expected, a.data, b.data, 0, 6);
  lab.kernels.add(a.pointer, a.pointer, b.pointer, 0, 6);
  assertSameBits(a.data, expected, "extremes");
});

test.run();
