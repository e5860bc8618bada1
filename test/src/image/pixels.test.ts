import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  PIXELS_MAX,
  type PixelArray,
  packRgb,
  rgbFromCmyk,
  rgbFromGrey16,
  SIDE_MAX,
  sizeFault,
} from "#dist/image/pixels.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("image/pixels");

const RGBA = [10, 20, 30, 0, 40, 50, 60, 128, 70, 80, 90, 255, 1, 2, 3, 0];
const RGB = [10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3];

function refused(pixels: unknown, pattern: RegExp): void {
  const error = refusedNow(() => packRgb(pixels as PixelArray, "image 3"), "E_IMAGE", pattern);
  assert.match(error.message, /^image 3: /);
}

test("RGB in each kind of byte array, from the middle of a buffer too", () => {
  const buffer = Buffer.concat([Buffer.from([9, 9, 9]), Buffer.from(RGB)]);
  for (const data of [new Uint8Array(RGB), new Uint8ClampedArray(RGB), Buffer.from(RGB), buffer.subarray(3)]) {
    const packed = packRgb({ width: 2, height: 2, data }, "image 1");
    assert.equal([packed.width, packed.height], [2, 2]);
    assert.equal([...packed.data], RGB);
    assert.is(packed.data.buffer.byteLength, 12);
  }
});

test("I15 alpha is dropped, not blended", () => {
  const packed = packRgb({ width: 4, height: 1, data: new Uint8ClampedArray(RGBA) }, "image 1");
  assert.equal([...packed.data], RGB);
});

test("I31 a wrong length, or padded rows", () => {
  for (const length of [11, 13, 15, 17, 4, 24]) {
    refused(
      { width: 2, height: 2, data: new Uint8Array(length) },
      new RegExp(`12 \\(RGB\\) or 16 \\(RGBA\\).* got ${length};`),
    );
  }
});

test("I31 other types, NaN and infinities included", () => {
  refused({ width: 2, height: 2, data: new Float32Array(12).fill(Number.NaN) }, /got Float32Array/);
  refused({ width: 2, height: 2, data: new Float32Array(12).fill(Number.POSITIVE_INFINITY) }, /got Float32Array/);
  refused({ width: 2, height: 2, data: new Int8Array(12) }, /got Int8Array/);
  refused({ width: 2, height: 2, data: new Uint16Array(12) }, /got Uint16Array/);
  refused({ width: 2, height: 2, data: new DataView(new ArrayBuffer(12)) }, /got DataView/);
  refused({ width: 2, height: 2, data: RGB }, /got \[10,20/);
  refused({ width: 2, height: 2, data: null }, /got null/);
  refused({ width: 2, height: 2, data: { [Symbol.toStringTag]: "Uint8Array", length: 12 } }, /got \{"length":12\}/);
});

test("I31 sizes that are no sizes", () => {
  for (const side of [
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    SIDE_MAX + 1,
    "2",
    null,
    undefined,
    2n,
  ]) {
    refused({ width: side, height: 2, data: new Uint8Array(12) }, /expected a width of 1 to 1000000 pixels, got/);
    refused({ width: 2, height: side, data: new Uint8Array(12) }, /expected a height of 1 to 1000000 pixels, got/);
  }
  refused({ width: 8193, height: 8192, data: new Uint8Array(12) }, /8193x8192 = 67117056/);
});

test("the limit itself is within the limit", () => {
  assert.is(sizeFault(8192, 8192), undefined);
  assert.is(8192 * 8192, PIXELS_MAX);
  assert.is(sizeFault(SIDE_MAX, 1), undefined);
});

test("I32 a detached buffer", () => {
  const data = new Uint8Array(RGB);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  refused({ width: 2, height: 2, data }, /got 0 \(has its buffer been transferred\?\)/);
});

test("I32 shared memory is copied", () => {
  const data = new Uint8Array(new SharedArrayBuffer(12));
  data.set(RGB);
  const packed = packRgb({ width: 2, height: 2, data }, "image 1");
  assert.instance(packed.data.buffer, ArrayBuffer);
  data.fill(0);
  assert.equal([...packed.data], RGB);
});

test("I32 a resizable buffer, shrunk before or after", () => {
  const buffer = resizable(12);
  const data = new Uint8Array(buffer);
  data.set(RGB);
  const packed = packRgb({ width: 2, height: 2, data }, "image 1");
  buffer.resize(5);
  assert.equal([...packed.data], RGB);
  refused({ width: 2, height: 2, data }, /got 5;/);
});

/** Node 20 has them, TypeScript's ES2023 library does not. */
function resizable(length: number): ArrayBuffer & { resize(length: number): void } {
  return Reflect.construct(ArrayBuffer, [length, { maxByteLength: 2 * length }]);
}

test("a byte array of another realm is as good", () => {
  const data = runInNewContext("new Uint8ClampedArray([10, 20, 30])");
  assert.not.instance(data, Uint8ClampedArray);
  assert.equal([...packRgb({ width: 1, height: 1, data }, "image 1").data], [10, 20, 30]);
});

test("sizes are read once", () => {
  let reads = 0;
  const pixels = {
    get width() {
      return reads++ === 0 ? 2 : 1000;
    },
    height: 2,
    data: new Uint8Array(RGB),
  };
  assert.is(packRgb(pixels, "image 1").width, 2);
});

test("I12 16-bit grey clips without alpha and keeps the high byte with it", () => {
  const grey = new Uint16Array([0, 1, 255, 256, 0x1234, 65535]);
  const levels = (rgb: Uint8Array) => [...rgb].filter((_, i) => i % 3 === 0);
  assert.equal(levels(rgbFromGrey16(grey, "clipped")), [0, 1, 255, 255, 255, 255]);
  assert.equal(levels(rgbFromGrey16(grey, "high byte")), [0, 0, 0, 1, 0x12, 255]);
  assert.equal([...rgbFromGrey16(new Uint16Array([300, 7]), "clipped")], [255, 255, 255, 7, 7, 7]);
});

test("I17 CMYK is Pillow's formula for every ink and black", () => {
  const cmyk = new Uint8Array(256 * 256 * 4);
  for (let ink = 0; ink < 256; ink++) {
    for (let black = 0; black < 256; black++) cmyk.set([ink, 255 - ink, 0, black], (ink * 256 + black) * 4);
  }
  const rgb = rgbFromCmyk(cmyk);
  for (let ink = 0; ink < 256; ink++) {
    for (let black = 0; black < 256; black++) {
      const white = 255 - black;
      // MULDIV255 is the quotient rounded to the nearest; ties do not occur, 255 being odd.
      const expected = [ink, 255 - ink, 0].map((c) => white - Math.round((c * white) / 255));
      assert.equal([...rgb.subarray((ink * 256 + black) * 3, (ink * 256 + black) * 3 + 3)], expected);
    }
  }
});

test.run();
