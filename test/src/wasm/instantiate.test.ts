import { suite } from "uvu";
import * as assert from "uvu/assert";
import { instantiateKernels } from "#dist/wasm/instantiate.js";
import { isThreaded } from "#dist/wasm/variants.js";
import { requiredVariants, variantBytes } from "../../support/kernels.js";

const test = suite("instantiateKernels");

/** The exports of the ABI and their numbers of parameters. */
const EXPORTS: Record<string, number> = {
  attention: 12,
  attentionInt16: 14,
  barrier: 2,
  copyRows: 7,
  countNonFinite: 4,
  exp: 4,
  fillRgb: 6,
  finish: 13,
  finishHeads: 12,
  gather: 7,
  gelu: 5,
  layernorm: 9,
  multiply: 13,
  multiplyInt8: 17,
  packInt8: 9,
  quantise: 9,
  quantisePanels: 7,
  normalise: 6,
  packPanels: 8,
  patchify: 6,
  patchifyRgb: 7,
  probeDot8: 0,
  probeFma: 0,
  resizeHorizontal: 9,
  resizeVertical: 9,
  scatter: 6,
  sumInt8: 6,
  widen: 5,
};

for (const variant of requiredVariants()) {
  const module = new WebAssembly.Module(variantBytes(variant));

  test(`gives every kernel of the ABI and nothing else callable [${variant}]`, () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: isThreaded(variant) });
    const kernels = instantiateKernels(module, memory);
    const functions = Object.entries(kernels).filter(([, value]) => typeof value === "function");
    assert.equal(Object.fromEntries(functions.map(([name, kernel]) => [name, kernel.length])), EXPORTS);
  });

  test(`two instances over one memory share every byte [${variant}]`, () => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: isThreaded(variant) });
    const [one, two] = [instantiateKernels(module, memory), instantiateKernels(module, memory)];
    const floats = new Float32Array(memory.buffer, 65536, 16);
    const pointer = 65536 as Parameters<typeof one.exp>[0];
    one.exp(pointer, pointer, 0, 8);
    floats.subarray(8).fill(Number.NEGATIVE_INFINITY);
    two.exp(pointer, pointer, 8, 12);
    const [ones, zeros, untouched] = [8, 4, 4];
    assert.equal(
      [...floats],
      [...Array(ones).fill(1), ...Array(zeros).fill(0), ...Array(untouched).fill(Number.NEGATIVE_INFINITY)],
    );
  });

  test(`refuses a memory of the other kind [${variant}]`, () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: !isThreaded(variant) });
    assert.throws(
      () => instantiateKernels(module, memory),
      (error: Error) => error instanceof WebAssembly.LinkError,
    );
  });
}

test.run();
