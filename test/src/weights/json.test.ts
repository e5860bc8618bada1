import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JanusError } from "#dist/errors.js";
import { type JsonLimits, JsonReader, type JsonValue, parseJson } from "#dist/weights/json.js";
import { refuses } from "../../support/refusal.js";

const test = suite("weights/json");

const LIMITS: JsonLimits = { bytes: 2 ** 27, depth: 8, values: 2_000_000 };
const refuse = (reason: string): JanusError => new JanusError("E_FORMAT", reason);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string | Uint8Array, limits = LIMITS): JsonValue =>
  parseJson(typeof text === "string" ? bytes(text) : text, limits, refuse);
const reader = (text: string): JsonReader => new JsonReader(bytes(text), LIMITS, refuse);

/** A parsed value as JSON.parse would give it. */
function plain(value: JsonValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, member]) => [name, plain(member)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

test("agrees with JSON.parse on what both accept", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4, noUnicodeString: false }), (text) => {
      let value: JsonValue;
      try {
        value = parse(text);
      } catch (error) {
        // fast-check's strings may hold lone surrogates, which are refused here.
        assert.ok(error instanceof JanusError && /surrogates|"__proto__"/.test(error.message), String(error));
        return;
      }
      assert.equal(JSON.stringify(plain(value)), JSON.stringify(JSON.parse(text)));
    }),
    { numRuns: 1000, seed: 1 },
  );
});

test("reads escapes, pairs of surrogates and white space", () => {
  assert.is(parse(' \t\r\n"\\u00e9\\ud83d\\ude00\\n\\/\\"é😀" '), 'é😀\n/"é😀');
});

test("a member named __proto__ is a member", () => {
  const value = parse('{"__proto__":{"x":1},"constructor":2}');
  assert.ok(value instanceof Map);
  assert.is(value.size, 2);
  assert.is(value.get("constructor"), 2);
  assert.is(({} as Record<string, unknown>)["x"], undefined);
});

for (const [what, text, pattern] of [
  ["a byte-order mark", "\ufeff{}", /expected a number, found/],
  ["a duplicate member", '{"a":1,"a":2}', /"a" twice/],
  ["a duplicate below", '{"x":[{"a":1,"\\u0061":2}]}', /"a" twice/],
  ["a lone surrogate", '"\\ud800"', /surrogates in pairs/],
  ["a low surrogate first", '"\\udc00\\ud800"', /surrogates in pairs/],
  ["a control character", '"\n"', /control characters/],
  ["an unknown escape", '"\\x41"', /escape of RFC 8259/],
  ["an open string", '"abc', /closed/],
  ["an open object", '{"a":1', /',' or '}', found the end/],
  ["a trailing comma", "[1,]", /found "]"/],
  ["a second value", "1 2", /the end of the text/],
  ["a leading zero", "01", /the end of the text/],
  ["a bare minus", "-", /expected a number/],
  ["NaN", "NaN", /expected a number/],
  ["an infinite number", "1e400", /finite/],
  ["a number of 2,000 digits", "1".repeat(2000), /expected a number/],
  ["no text", "", /found the end/],
  ["a single quote", "{'a':1}", /a member name/],
  ["an unquoted name", "{a:1}", /a member name/],
  ["depth", "[".repeat(100_000), /at most 8 levels/],
] as const) {
  test(`refuses ${what}`, () => refuses(() => parse(text), "E_FORMAT", pattern));
}

test("refuses bytes that are not UTF-8, and too many", async () => {
  await refuses(() => parse(Uint8Array.of(0x22, 0xff, 0x22)), "E_FORMAT", /UTF-8/);
  await refuses(() => parse(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)), "E_FORMAT", /UTF-8/);
  await refuses(() => parse("[1,2]", { ...LIMITS, bytes: 4 }), "E_FORMAT", /at most 4 bytes/);
  await refuses(() => parse("[1,2]", { ...LIMITS, values: 2 }), "E_FORMAT", /at most 2 JSON values/);
});

test("integers are exact or refused", async () => {
  assert.is(reader("9007199254740991").integer(), 9007199254740991);
  assert.is(reader("-7").integer(), -7);
  for (const text of ["9007199254740992", "-0", "1.0", "1e3", "1E0", "18446744073709551616", '"3"', "true"])
    await refuses(() => reader(text).integer(), "E_FORMAT", /integer/);
});

test("the reader consumes what it is asked for and no other type", async () => {
  const seen: unknown[] = [];
  const json = reader('{"a":[1,2],"b":"x","c":{"d":[null,true,1.5]}}');
  json.object((name) => {
    if (name === "a") json.array(() => seen.push(json.integer()));
    else if (name === "b") seen.push(json.string());
    else json.skip();
  });
  json.end();
  assert.equal(seen, [1, 2, "x"]);
  await refuses(() => reader("[]").object(() => {}), "E_FORMAT", /an object/);
  await refuses(() => reader("{}").array(() => {}), "E_FORMAT", /an array/);
  await refuses(() => reader("1").string(), "E_FORMAT", /a string/);
  await refuses(() => reader('{"a":{"b":1,"b":2}}').skip(), "E_FORMAT", /"b" twice/);
});

test("any bytes give a value or a refusal", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (random) => {
      try {
        parse(random);
      } catch (error) {
        assert.instance(error, JanusError);
      }
    }),
    { numRuns: 2000, seed: 2 },
  );
});

test.run();
