import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkNormalizer, checkPreTokenizer } from "#dist/text/pre-tokenizer.js";
import { refusedNow } from "../../support/refusal.js";

const split = (change: object = {}): object => ({
  type: "Split",
  pattern: { Regex: "a" },
  behavior: "Isolated",
  invert: false,
  ...change,
});

const sequence = (...pretokenizers: object[]): object => ({ type: "Sequence", pretokenizers });

const test = suite("text/pre-tokenizer");

test("nothing is nothing", () => {
  for (const value of [null, undefined]) {
    assert.is(checkNormalizer("n", value), null);
    assert.is(checkPreTokenizer("p", value), null);
  }
});

test("DeepSeek's chain stays as it is, but for Digits: a Split at every numeral, or at runs of them", () => {
  const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  const chain = (individual_digits?: boolean): object =>
    sequence(split(), sequence(split({ pattern: { String: "b" } })), { type: "Digits", individual_digits }, bytes);
  const expected = (Regex: string): object =>
    sequence(split(), sequence(split({ pattern: { String: "b" } })), split({ pattern: { Regex } }), bytes);
  assert.equal(checkPreTokenizer("p", chain(true)), expected("\\p{N}"));
  assert.equal(checkPreTokenizer("p", chain(false)), expected("\\p{N}+"));
  assert.equal(checkPreTokenizer("p", chain()), expected("\\p{N}+"));
});

test("a Split that is inverted splits at the same places", () => {
  assert.equal(checkPreTokenizer("p", split({ invert: true })), split());
});

test("ByteLevel's own expression becomes a Split, whose \\s is translated", () => {
  const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  const own = checkPreTokenizer("p", { type: "ByteLevel", add_prefix_space: false }) as { pretokenizers: object[] };
  assert.is(own.pretokenizers.length, 2);
  assert.is((own.pretokenizers[0] as { type: string }).type, "Split");
  assert.equal(own.pretokenizers[1], bytes);
});

test("ByteLevel puts a space in front unless told not to", () => {
  const prefixed = { type: "ByteLevel", add_prefix_space: true, use_regex: false };
  assert.equal(checkPreTokenizer("p", { type: "ByteLevel", use_regex: false }), prefixed);
  assert.equal(checkPreTokenizer("p", prefixed), prefixed);
});

test("normalizers that JavaScript has are kept", () => {
  const normalizers = [
    { type: "NFC" },
    { type: "Prepend", prepend: "▁" },
    { type: "Replace", pattern: { String: " " }, content: "▁" },
  ];
  const value = { type: "Sequence", normalizers };
  assert.equal(checkNormalizer("n", value), value);
  assert.equal(checkNormalizer("n", { type: "Sequence", normalizers: [] }), { type: "Sequence", normalizers: [] });
});

test("what is malformed is refused, naming the key", () => {
  const preTokenizers: [unknown, RegExp][] = [
    ["x", /^p must be an object, got "x"/],
    [{ type: "Sequence" }, /^p\.pretokenizers must be a list, got undefined/],
    [sequence(split({ pattern: "a" })), /^p\.pattern must be an object, got "a"/],
    [split({ pattern: { Regex: 1 } }), /^p\.pattern\.Regex must be a string, got 1/],
    [split({ pattern: {} }), /^p\.pattern\.String must be a string, got undefined/],
  ];
  for (const [value, pattern] of preTokenizers) refusedNow(() => checkPreTokenizer("p", value), "E_CONFIG", pattern);
  const normalizers: [unknown, RegExp][] = [
    [7, /^n must be an object, got 7/],
    [{ type: "Sequence", normalizers: {} }, /^n\.normalizers must be a list, got an object/],
    [{ type: "Prepend" }, /^n\.prepend must be a string/],
    [{ type: "Replace", pattern: { String: "a" } }, /^n\.content must be a string/],
    [{ type: "Replace", content: "a" }, /^n\.pattern must be an object/],
  ];
  for (const [value, pattern] of normalizers) refusedNow(() => checkNormalizer("n", value), "E_CONFIG", pattern);
});

test("what would be split otherwise than by the crate is refused, not approximated", () => {
  const preTokenizers: [unknown, RegExp][] = [
    [{}, /^p\.type must be one of Sequence, Split, Digits, ByteLevel, got undefined/],
    [{ type: "Metaspace" }, /got "Metaspace"/],
    [sequence({ type: "Whitespace" }), /got "Whitespace"/],
    [split({ behavior: "MergedWithPrevious" }), /^p\.behavior must be Isolated, got "MergedWithPrevious"/],
    [split({ behavior: "Removed" }), /got "Removed"/],
    [split({ behavior: "isolated" }), /got "isolated"/],
    [{ type: "ByteLevel" }, /^p\.add_prefix_space with use_regex must be false, got true/],
  ];
  for (const [value, pattern] of preTokenizers) {
    refusedNow(() => checkPreTokenizer("p", value), "E_UNSUPPORTED", pattern, /give input_ids/);
  }
  const normalizers: [unknown, RegExp][] = [
    [{}, /^n\.type must be one of Sequence, NFC, .*, got undefined/],
    [{ type: "Lowercase" }, /got "Lowercase"/],
    [{ type: "Sequence", normalizers: [{ type: "Strip" }] }, /got "Strip"/],
  ];
  for (const [value, pattern] of normalizers) refusedNow(() => checkNormalizer("n", value), "E_UNSUPPORTED", pattern);
});

test("sequences in sequences are bounded", () => {
  const nested = (depth: number, key: string, inner: object): object =>
    depth === 0 ? inner : { type: "Sequence", [key]: [nested(depth - 1, key, inner)] };
  assert.ok(checkPreTokenizer("p", nested(16, "pretokenizers", split())));
  refusedNow(() => checkPreTokenizer("p", nested(17, "pretokenizers", split())), "E_CONFIG", /at most 16 sequences/);
  assert.ok(checkNormalizer("n", nested(16, "normalizers", { type: "NFC" })));
  refusedNow(
    () => checkNormalizer("n", nested(17, "normalizers", { type: "NFC" })),
    "E_CONFIG",
    /at most 16 sequences/,
  );
});

test.run();
