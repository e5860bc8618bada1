import { readFileSync } from "node:fs";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { JanusError } from "#dist/errors.js";
import { encodeSafetensorsHeader, parseSafetensors, type SafetensorsHeader } from "#dist/weights/safetensors.js";
import { MemorySource } from "../../support/memory-source.js";
import { golden } from "../../support/paths.js";
import { onlyJanusErrors, refuses } from "../../support/refusal.js";
import { plainSafetensors, safetensorsBytes } from "../../support/safetensors-bytes.js";
import { concat } from "../../support/zip-bytes.js";

const test = suite("weights/safetensors");

const FILE = "model.safetensors";
const parse = (file: Uint8Array): Promise<SafetensorsHeader> =>
  parseSafetensors(new MemorySource({ [FILE]: file }), FILE);
const one = (dtype: string, shape: unknown, begin: number, end: number): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const NUL = new Uint8Array(0);

test("reads the header and nothing else", async () => {
  const path = golden("checkpoints/tiny-orig-f16/model.safetensors");
  const bytes = new Uint8Array(readFileSync(path));
  const source = new MemorySource({ [FILE]: bytes });
  const { tensors } = await parseSafetensors(source, FILE);
  const expected = plainSafetensors(bytes);
  assert.is(tensors.size, expected.size);
  for (const [name, { dtype, shape, data }] of expected) {
    const entry = tensors.get(name)!;
    assert.equal({ dtype: entry.dtype, shape: entry.shape }, { dtype, shape });
    assert.equal(bytes.subarray(entry.begin, entry.end), data);
  }
  const headerEnd = Math.min(...[...tensors.values()].map(({ begin }) => begin));
  assert.ok(source.reads.every(({ offset, length }) => offset + length <= headerEnd));
});

test("reads metadata, and tensors listed out of order", async () => {
  const header = { __metadata__: { format: "pt" }, b: one("U8", [3], 4, 7), a: one("F32", [], 0, 4) };
  const { metadata, tensors } = await parse(safetensorsBytes(header, 7));
  assert.equal([...metadata], [["format", "pt"]]);
  assert.equal([...tensors.keys()], ["a", "b"]);
});

test("an unused tensor may have any dtype of the format", async () => {
  const header = {
    a: one("F64", [2], 0, 16),
    b: one("I64", [1], 16, 24),
    c: one("F8_E4M3", [4], 24, 28),
    d: one("F4", [2], 28, 29),
  };
  assert.is((await parse(safetensorsBytes(header, 29))).tensors.size, 4);
  await refuses(() => parse(safetensorsBytes({ a: one("F4", [3], 0, 2) }, 2)), "E_FORMAT", /whole number of bytes/);
});

test("a member that the format does not know is ignored, as upstream does", async () => {
  const header = { a: { ...one("U8", [1], 0, 1), extra: [1, "x"] } };
  assert.is((await parse(safetensorsBytes(header, 1))).tensors.size, 1);
});

test("S01 empty file", () => refuses(() => parse(NUL), "E_FORMAT", /found 0 bytes/));
test("S02 7-byte file", () => refuses(() => parse(new Uint8Array(7)), "E_FORMAT", /found 7 bytes/));
test("S03 N=0", () => refuses(() => parse(safetensorsBytes("")), "E_FORMAT", /begins with '{'/));
test("S04 N=2^63", () => refuses(() => parse(safetensorsBytes("{}", 0, 2n ** 63n)), "E_FORMAT", /9223372036854775808/));
test("S05 N=100,000,001 with a small file", () =>
  refuses(() => parse(safetensorsBytes("{}", 0, 100_000_001n)), "E_FORMAT", /100000001/));
test("S06 N larger than file", () =>
  refuses(() => parse(safetensorsBytes("{}", 0, 3n)), "E_FORMAT", /at most 2 bytes/));
test("S07 N ok but header not '{'", () => refuses(() => parse(safetensorsBytes("[]")), "E_FORMAT", /begins with '{'/));
test("S08 leading space/BOM", async () => {
  await refuses(() => parse(safetensorsBytes(" {}")), "E_FORMAT", /begins with '{'/);
  await refuses(() => parse(safetensorsBytes("\ufeff{}")), "E_FORMAT", /begins with '{'/);
  await parse(safetensorsBytes("{}   "));
});
test("S09 invalid UTF-8", async () => {
  await refuses(() => parse(safetensorsBytes(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d))), "E_FORMAT", /UTF-8/);
  await refuses(() => parse(safetensorsBytes('{"\\ud800":{}}')), "E_FORMAT", /surrogates/);
});
test("S10 truncated JSON", () => refuses(() => parse(safetensorsBytes('{"a":{"dtype":"F32"')), "E_FORMAT", /the end/));
test("S11 top-level array/null/number", async () => {
  for (const header of ["[]", "null", "1"]) await refuses(() => parse(safetensorsBytes(header)), "E_FORMAT", /'{'/);
  for (const value of ["[]", "null", "1", '"x"'])
    await refuses(() => parse(safetensorsBytes(`{"a":${value}}`)), "E_FORMAT", /an object/);
});
test("S12 duplicate tensor name", () => {
  const tensor = JSON.stringify(one("U8", [1], 0, 1));
  return refuses(() => parse(safetensorsBytes(`{"a":${tensor},"a":${tensor}}`, 1)), "E_FORMAT", /"a" twice/);
});
test("S13 duplicate inner key", () => {
  const header = '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"data_offsets":[0,1]}}';
  return refuses(() => parse(safetensorsBytes(header, 1)), "E_FORMAT", /"data_offsets" twice/);
});
test("S14 __metadata__ with non-string value", async () => {
  await refuses(() => parse(safetensorsBytes({ __metadata__: { a: 1 } })), "E_FORMAT", /a string/);
  await refuses(() => parse(safetensorsBytes({ __metadata__: ["a"] })), "E_FORMAT", /an object/);
});
test('S15 unknown dtype ("F7")', () =>
  refuses(() => parse(safetensorsBytes({ a: one("F7", [1], 0, 1) }, 1)), "E_UNSUPPORTED", /"a", found "F7"/));
test("S17 negative dim", () =>
  refuses(() => parse(safetensorsBytes({ a: one("U8", [-1, -1], 0, 1) }, 1)), "E_FORMAT", /negative/));
test("S18 fractional dim 1.5 / exponent 1e3 / string", async () => {
  for (const dim of ["1.5", "1e0", '"1"', "-0", "1.0"]) {
    const header = `{"a":{"dtype":"U8","shape":[${dim}],"data_offsets":[0,1]}}`;
    await refuses(() => parse(safetensorsBytes(header, 1)), "E_FORMAT", /integer/);
  }
});
test("S19 dims whose product overflows 2^53 and 2^64", async () => {
  for (const shape of [[2 ** 27, 2 ** 27], [2 ** 32, 2 ** 32], [2 ** 52, 2 ** 52, 0], [2 ** 52]])
    await refuses(() => parse(safetensorsBytes({ a: one("F32", shape, 0, 0) })), "E_FORMAT", /2\^53-1/);
});
test("S20 shape*size != span", async () => {
  await refuses(
    () => parse(safetensorsBytes({ a: one("F32", [2], 0, 4) }, 4)),
    "E_FORMAT",
    /expected 8 bytes .*found 4/,
  );
  await refuses(() => parse(safetensorsBytes({ a: one("F32", [], 0, 0) })), "E_FORMAT", /expected 4 bytes/);
});
test("S21 begin>end", () =>
  refuses(
    () => parse(safetensorsBytes({ a: one("U8", [0], 0, 0), b: one("U8", [1], 1, 0) }, 1)),
    "E_FORMAT",
    /hole|overlap/,
  ));
test("S22 overlap of two tensors", () =>
  refuses(
    () => parse(safetensorsBytes({ a: one("U8", [2], 0, 2), b: one("U8", [2], 1, 3) }, 3)),
    "E_FORMAT",
    /overlap/,
  ));
test("S23 hole between tensors", () =>
  refuses(() => parse(safetensorsBytes({ a: one("U8", [1], 0, 1), b: one("U8", [1], 2, 3) }, 3)), "E_FORMAT", /hole/));
test("S24 first tensor not at 0", () =>
  refuses(() => parse(safetensorsBytes({ a: one("U8", [1], 1, 2) }, 2)), "E_FORMAT", /data offset 0/));
test("S25 trailing bytes", async () => {
  await refuses(() => parse(safetensorsBytes({ a: one("U8", [1], 0, 1) }, 2)), "E_FORMAT", /foreign bytes/);
  await refuses(() => parse(safetensorsBytes({}, 1)), "E_FORMAT", /foreign bytes/);
});
test("S26 end beyond file by 1", () =>
  refuses(() => parse(safetensorsBytes({ a: one("U8", [2], 0, 2) }, 1)), "E_FORMAT", /cut short/));
test("S27 zero-size tensor accepted", async () => {
  const header = { a: one("F32", [0, 3], 0, 0), b: one("F32", [1], 0, 4), c: one("F32", [0], 4, 4) };
  const { tensors } = await parse(safetensorsBytes(header, 4));
  assert.equal(tensors.get("c")!.shape, [0]);
});
test("S28 100,000 tensors header", async () => {
  const members: string[] = [];
  for (let i = 0; i < 100_000; i++)
    members.push(`"model.layers.${i}.weight":{"dtype":"BF16","shape":[4,1],"data_offsets":[${8 * i},${8 * i + 8}]}`);
  const file = safetensorsBytes(`{${members.join(",")}}`, 800_000);
  const started = performance.now();
  assert.is((await parse(file)).tensors.size, 100_000);
  assert.ok(performance.now() - started < 2000, `${performance.now() - started} ms`);
});
test("S29 50 MB header of nested junk", async () => {
  for (const unit of ["[],", "{},", '"",', "0,", '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",']) {
    const junk = unit.repeat(50_000_000 / unit.length);
    const file = safetensorsBytes(`{"a":{"x":[${junk}0]}}`);
    const before = process.memoryUsage().rss;
    const started = performance.now();
    await parse(file).then(
      () => assert.unreachable("accepted"),
      (error) => assert.is((error as JanusError).code, "E_FORMAT"),
    );
    assert.ok(performance.now() - started < 2000, `${performance.now() - started} ms`);
    assert.ok(process.memoryUsage().rss - before < 300e6, `grew by ${process.memoryUsage().rss - before}`);
  }
});
test("S30 tensor named __proto__/constructor/1 MB long name", async () => {
  const long = "n".repeat(1_000_000);
  const names = ["__proto__", "constructor", "toString", long];
  const tensors = names.map((name, i) => `"${name}":${JSON.stringify(one("U8", [1], i, i + 1))}`);
  const header = (await parse(safetensorsBytes(`{${tensors.join(",")}}`, 4))).tensors;
  assert.equal([...header.keys()], names);
  await refuses(() => parse(safetensorsBytes({ [long]: one("F32", [1], 0, 1) }, 1)), "E_FORMAT", /1000002 characters/);
});

test("a missing file, and files that are something else", async () => {
  await refuses(() => parseSafetensors(new MemorySource({}), FILE), "E_IO", /found none/);
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  await refuses(() => parse(text("<!DOCTYPE html><html>Not found</html>")), "E_FORMAT", /HTML/);
  await refuses(() => parse(text("GGUF\x03\0\0\0\0\0\0\0\0")), "E_FORMAT", /GGUF/);
  await refuses(
    () => parse(safetensorsBytes({ a: one("U8", Array(65).fill(1), 0, 1) }, 1)),
    "E_FORMAT",
    /64 dimensions/,
  );
  await refuses(() => parse(safetensorsBytes({ a: { dtype: "U8", shape: [1] } }, 1)), "E_FORMAT", /data_offsets/);
  await refuses(
    () => parse(safetensorsBytes({ a: { ...one("U8", [1], 0, 1), data_offsets: [0, 1, 2] } }, 1)),
    "E_FORMAT",
    /two/,
  );
});

test("an abort is the signal's reason", async () => {
  const reason = new Error("enough");
  const source = new MemorySource({ [FILE]: safetensorsBytes({}) });
  const error = await parseSafetensors(source, FILE, AbortSignal.abort(reason)).catch((thrown: unknown) => thrown);
  assert.is(error, reason);
});

test("a written header is padded to 8, deterministic, and read back", async () => {
  const layout = [
    { name: "inputs_embeds", dtype: "F32", shape: [1, 2, 3] },
    { name: 'odd "name" é', dtype: "BOOL", shape: [] },
    { name: "empty", dtype: "I64", shape: [0] },
  ];
  const header = encodeSafetensorsHeader(layout, { b: "2", a: "1" });
  assert.is(header.length % 8, 0);
  assert.equal(header, encodeSafetensorsHeader(layout, { a: "1", b: "2" }));
  const { metadata, tensors } = await parse(concat([header, new Uint8Array(25)]));
  assert.equal(Object.fromEntries(metadata), { a: "1", b: "2" });
  assert.equal(
    [...tensors.values()]
      .map(({ name, dtype, shape }) => ({ name, dtype, shape }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    [...layout].sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  assert.is(tensors.get('odd "name" é')!.begin, header.length + 24);
  assert.equal(encodeSafetensorsHeader([]), Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d, 32, 32, 32, 32, 32, 32));
});

test("a header that no reader would take is not written", async () => {
  const tensor = { name: "a", dtype: "F32", shape: [1] };
  for (const layout of [
    [tensor, tensor],
    [{ ...tensor, name: "__metadata__" }],
    [{ ...tensor, dtype: "F7" }],
    [{ ...tensor, shape: [1.5] }],
  ])
    await refuses(() => encodeSafetensorsHeader(layout), "E_INTERNAL", /writing a safetensors header/);
});

test("random layouts survive writing and reading", async () => {
  const tensor = fc.record({
    name: fc.string({ unit: "grapheme", maxLength: 12 }),
    dtype: fc.constantFrom("F32", "BF16", "U8", "I64", "BOOL"),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 8 }), async (layout) => {
      const bytes = layout.map(({ dtype, shape }) =>
        shape.reduce((p, d) => p * d, dtype === "F32" ? 4 : dtype === "BF16" ? 2 : dtype === "I64" ? 8 : 1),
      );
      const file = concat([encodeSafetensorsHeader(layout), new Uint8Array(bytes.reduce((a, b) => a + b, 0))]);
      const { tensors } = await parse(file);
      layout.forEach(({ name, dtype, shape }, i) => {
        const entry = tensors.get(name)!;
        assert.equal([entry.dtype, entry.shape, entry.end - entry.begin], [dtype, shape, bytes[i]]);
      });
    }),
    { numRuns: 300, seed: 3 },
  );
});

test("a mutated file is read or refused", async () => {
  const header = {
    __metadata__: { format: "pt" },
    a: one("F32", [2, 1], 0, 8),
    b: one("BF16", [3], 8, 14),
    c: one("U8", [0], 14, 14),
  };
  const valid = safetensorsBytes(header, 14);
  const words = [
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    "-",
    "1e9",
    "9007199254740993",
    "null",
    '"dtype"',
    '"a"',
    "\\u0061",
    "F64",
  ];
  const edit = fc.record({
    at: fc.nat(valid.length - 1),
    cut: fc.nat(6),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.constantFrom(...words).map((word) => new TextEncoder().encode(word)),
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), fc.boolean(), async (edits, fixLength) => {
      let file = valid;
      for (const { at, cut, put } of edits) file = concat([file.subarray(0, at), put, file.subarray(at + cut)]);
      if (fixLength && file.length > 22) {
        file = file.slice();
        new DataView(file.buffer).setBigUint64(0, BigInt(file.length - 22), true);
      }
      await onlyJanusErrors(() => parse(file));
    }),
    { numRuns: 3000, seed: 4 },
  );
});

test.run();
