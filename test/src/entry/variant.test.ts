import { suite } from "uvu";
import * as assert from "uvu/assert";
import { nodeHost } from "#dist/entry/node/host.js";
import { chooseVariant, probe, tilesOf } from "#dist/entry/variant.js";
import { LEVELS } from "#dist/wasm/abi.js";
import { VARIANTS, type Variant } from "#dist/wasm/variants.js";
import { RELAXED_EXPECTED } from "../../support/engine.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/variant");

const host = nodeHost();

/** A host whose binaries are broken, but for some. */
function hostWith(...sound: Variant[]) {
  const asked: Variant[] = [];
  const binary: typeof host.binary = async (variant) => {
    asked.push(variant);
    return sound.includes(variant) ? host.binary(variant) : new Uint8Array([0, 97, 115, 109]);
  };
  return { ...host, binary, asked };
}

for (const threads of [1, 2, 64]) {
  const suffix = threads > 1 ? "-threads" : "";

  test(`${threads} threads: what is asked for is taken`, async () => {
    const chosen = await chooseVariant(host, "simd", threads);
    assert.is(chosen.variant, `simd${suffix}`);
    assert.instance(chosen.module, WebAssembly.Module);
    assert.equal(
      [chosen.tiles, chosen.fma, chosen.dot8, chosen.notes],
      [{ float: "4x8", int8: "6x8", levels: LEVELS.wide }, false, "absent", []],
    );
  });

  test(`${threads} threads: auto takes the relaxed one where it fuses, and says so where it does not`, async () => {
    const chosen = await chooseVariant(host, "auto", threads);
    const relaxed = await probe(host, `relaxed${suffix}`);
    const expected = relaxed.ok && relaxed.fma ? "relaxed" : "simd";
    assert.is(chosen.variant, `${expected}${suffix}`);
    assert.is(chosen.fma, expected === "relaxed");
    assert.equal(chosen.notes, expected === "relaxed" ? [] : [`plain SIMD: ${relaxed.why}`]);
  });

  test(`${threads} threads: where the relaxed one does not run, auto takes the plain one with a note`, async () => {
    const without = hostWith(`simd${suffix}`);
    const chosen = await chooseVariant(without, "auto", threads);
    assert.is(chosen.variant, `simd${suffix}`);
    assert.equal(chosen.notes, ["plain SIMD: this engine has no relaxed SIMD"]);
    assert.equal(without.asked, [`relaxed${suffix}`, `simd${suffix}`]);
  });

  for (const asked of ["simd", "relaxed"] as const) {
    test(`${threads} threads: ${asked} that does not run is refused, never replaced`, async () => {
      const others = VARIANTS.filter((variant) => variant !== `${asked}${suffix}`);
      const error = await refused(
        chooseVariant(hostWith(...others), asked, threads),
        "E_UNSUPPORTED",
        new RegExp(`^loading: variant ${asked}${suffix} cannot run on node .*; use another variant$`),
      );
      assert.is(error.origin, "usage");
    });
  }

  test(`${threads} threads: nothing that runs is refused with the reason`, async () => {
    await refused(chooseVariant(hostWith(), "auto", threads), "E_UNSUPPORTED", /does not accept the binary/);
  });
}

test("a binary that is not there is the host's error", async () => {
  const broken = new Error("no such file");
  const without = { ...host, binary: () => Promise.reject(broken) };
  assert.is(await rejection(chooseVariant(without, "auto", 1)), broken);
});

test("relaxed SIMD is where it is expected", async () => {
  assert.is((await probe(host, "relaxed")).ok, RELAXED_EXPECTED);
});

test("tiles", () => {
  assert.equal(
    VARIANTS.map((variant) => tilesOf(variant, "absent").float),
    ["4x8", "4x8", "6x8", "6x8"],
  );
  const levels = (["absent", "unsigned", "signed", "inexact"] as const).map((dot8) => tilesOf("relaxed", dot8).levels);
  assert.equal(levels, [LEVELS.wide, LEVELS.unsigned, LEVELS.signed, LEVELS.wide]);
});

test.run();
