import { suite } from "uvu";
import { STORAGE, type Storage } from "#dist/wasm/abi.js";
import { widen } from "../../reference/widen.js";
import { assertSameBits, randomIntegers } from "../../support/elements.js";
import { forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("widen");

function place(lab: Lab, storage: Storage, bits: number[]) {
  return storage === STORAGE.f32 ? lab.atEnd(Uint32Array, bits) : lab.atEnd(Uint16Array, bits);
}

forEachVariant(test, "all 65536 values of bf16 and f16, bit by bit", (lab) => {
  for (const storage of [STORAGE.bf16, STORAGE.f16]) {
    lab.reset();
    const src = lab.from(
      Uint16Array,
      Array.from({ length: 65536 }, (_, bits) => bits),
    );
    const dst = lab.buffer(Uint32Array, 65536);
    const expected = new Uint32Array(65536);
    widen(expected, src.data, storage, 0, 65536);
    lab.kernels.widen(dst.pointer, src.pointer, storage, 0, 65536);
    assertSameBits(dst.data, expected, `storage ${storage}`);
  }
});

forEachVariant(test, "every tail from every start, nothing else touched or read", (lab) => {
  for (const storage of Object.values(STORAGE)) {
    for (let length = 0; length <= 17; length++) {
      for (const begin of [0, 1, 3, 4]) {
        lab.reset();
        const size = begin + length;
        const src = place(lab, storage, randomIntegers(size, size + 1, storage === STORAGE.f32 ? 2 ** 32 : 2 ** 16));
        const dst = lab.from(Uint32Array, randomIntegers(size + 2, 9, 2 ** 32));
        const expected = dst.data.slice();
        widen(expected, src.data, storage, begin, size);
        lab.kernels.widen(dst.pointer, src.pointer, storage, begin, size);
        assertSameBits(dst.data, expected, `storage ${storage}, ${length} from ${begin}`);
      }
    }
  }
});

test.run();
