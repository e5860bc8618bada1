import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DOT8, defaultFamily, probeVariant, type VariantReport } from "#dist/wasm/probe.js";
import { isRelaxed, VARIANTS, type Variant } from "#dist/wasm/variants.js";
import { requiredVariants, variantBytes } from "../../support/kernels.js";

const test = suite("probe");

test("what this engine must run it runs, and the rest is refused with the reason", async () => {
  const required = requiredVariants();
  assert.ok(required.includes("simd") && required.includes("simd-threads"));
  for (const variant of VARIANTS) {
    const report = await probeVariant(variant, variantBytes(variant));
    assert.is(report.name, variant);
    assert.is(report.ok, required.includes(variant), `${variant}: ${report.why}`);
    assert.is(report.module instanceof WebAssembly.Module, report.ok);
    if (!report.ok)
      assert.equal([report.why, report.fma, report.dot8], ["this engine has no relaxed SIMD", false, "absent"]);
  }
});

test("the plain variants report neither fusion nor a dot", async () => {
  for (const variant of ["simd", "simd-threads"] as const) {
    const report = await probeVariant(variant, variantBytes(variant));
    assert.equal([report.why, report.fma, report.dot8], ["128-bit SIMD", false, "absent"]);
  }
});

test("the relaxed variants say what was found, the same with threads and without", async () => {
  const variants = requiredVariants().filter(isRelaxed);
  const reports = await Promise.all(variants.map((variant) => probeVariant(variant, variantBytes(variant))));
  for (const report of reports) {
    assert.ok(DOT8.indexOf(report.dot8) > 0);
    assert.match(report.why, report.fma ? "multiply-add fused" : "multiply-add not fused");
    assert.equal([report.fma, report.dot8], [reports[0]!.fma, reports[0]!.dot8]);
  }
  assert.is(reports.length, variants.length);
});

test("a module compiled by the host is taken as it is", async () => {
  const module = new WebAssembly.Module(variantBytes("simd"));
  const report = await probeVariant("simd", module);
  assert.ok(report.ok);
  assert.is(report.module, module);
});

test("bytes that are no module, and a module that is not ours, are refused", async () => {
  const junk = await probeVariant("simd", new Uint8Array([0, 97, 115, 109, 2, 0, 0, 0]));
  assert.equal([junk.ok, junk.why], [false, "this engine does not accept the binary"]);
  const swapped = await probeVariant("simd", variantBytes("simd-threads"));
  assert.not.ok(swapped.ok);
  assert.match(swapped.why, /^it does not start: .*memory/);
});

test("a host without shared memory refuses the threaded variants only", async () => {
  const { Memory } = WebAssembly;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      if (descriptor.shared) throw new TypeError("not cross-origin isolated");
      super(descriptor);
    }
  };
  try {
    const refused = await probeVariant("simd-threads", variantBytes("simd-threads"));
    assert.equal([refused.ok, refused.why], [false, "no shared memory here: not cross-origin isolated"]);
    assert.ok((await probeVariant("simd", variantBytes("simd"))).ok);
  } finally {
    WebAssembly.Memory = Memory;
  }
});

test("relaxed is the default only where it runs and fuses, for the threads asked for", () => {
  const report = (name: Variant, ok: boolean, fma: boolean): VariantReport => ({
    name,
    ok,
    fma,
    why: "",
    dot8: "absent",
  });
  const relaxed = (ok: boolean, fma: boolean) => [report("simd", true, false), report("relaxed", ok, fma)];
  assert.is(defaultFamily(relaxed(true, true), false), "relaxed");
  assert.is(defaultFamily(relaxed(true, false), false), "simd");
  assert.is(defaultFamily(relaxed(false, false), false), "simd");
  assert.is(defaultFamily(relaxed(true, true), true), "simd");
  assert.is(defaultFamily([...relaxed(true, true), report("relaxed-threads", true, true)], true), "relaxed");
  assert.is(defaultFamily([], false), "simd");
});

test.run();
