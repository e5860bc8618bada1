import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ARENA_BASE } from "#dist/wasm/abi.js";
import { isRelaxed, isThreaded, VARIANTS, type Variant, variantOf } from "#dist/wasm/variants.js";
import { variantBytes } from "../../support/kernels.js";

const test = suite("variants");

/** Section ids of the binary format. */
const IMPORTS = 2;
const GLOBALS = 6;
const START = 8;
const DATA = 11;

test("names say family and threads", () => {
  assert.equal([...VARIANTS], ["simd", "simd-threads", "relaxed", "relaxed-threads"]);
  for (const variant of VARIANTS) {
    assert.is(variantOf(isRelaxed(variant) ? "relaxed" : "simd", isThreaded(variant)), variant);
  }
  assert.equal(VARIANTS.filter(isThreaded), ["simd-threads", "relaxed-threads"]);
  assert.equal(VARIANTS.filter(isRelaxed), ["relaxed", "relaxed-threads"]);
});

test("no variant keeps anything of its own: no globals, no start function, no data below or above the arena's base", () => {
  for (const variant of VARIANTS) {
    const found = sections(variant);
    for (const id of [GLOBALS, START, DATA]) assert.not.ok(found.has(id), `${variant} has section ${id}`);
  }
});

test("the only import is a memory that may be as small as the arena's base, shared exactly for the threaded ones", () => {
  for (const variant of VARIANTS) {
    const imports = sections(variant).get(IMPORTS)!;
    const text = (from: number) => new TextDecoder().decode(imports.subarray(from + 1, from + 1 + imports[from]!));
    assert.is(imports[0], 1, `${variant}: one import`);
    assert.is(text(1), "env");
    assert.is(text(5), "memory");
    const [kind, flags, pages] = imports.subarray(12);
    assert.is(kind, 2, "a memory");
    assert.is(flags, isThreaded(variant) ? 3 : 0, "shared, with a maximum");
    assert.is(pages! * 65536, ARENA_BASE);
  }
});

test("small enough for any host: 100 KB at most", () => {
  for (const variant of VARIANTS) assert.ok(variantBytes(variant).length <= 100_000, variant);
});

function sections(variant: Variant): Map<number, Uint8Array> {
  const bytes = variantBytes(variant);
  const found = new Map<number, Uint8Array>();
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at++]!;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    found.set(id, bytes.subarray(at, at + size));
    at += size;
  }
  assert.ok(found.size > 3, "sections were read");
  return found;
}

test.run();
