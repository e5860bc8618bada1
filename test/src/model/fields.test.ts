import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Fields } from "#dist/model/fields.js";
import { refuses } from "../../support/refusal.js";

const test = suite("model/fields");

const fields = (text: string): Fields => Fields.parse("f.json", new TextEncoder().encode(text));

test("absent and null members are undefined, null can be told apart", () => {
  const object = fields('{"a":null,"b":0,"c":false,"d":""}');
  assert.equal([object.has("a"), object.has("x"), object.isNull("a"), object.isNull("x")], [false, false, true, false]);
  assert.is(object.integer("a", { min: 1, max: 2 }), undefined);
  assert.is(object.child("x"), undefined);
  assert.is(object.integer("b", { min: 0, max: 0 }), 0);
  assert.is(object.boolean("c"), false);
  assert.is(object.string("d"), "");
  assert.is(Fields.absent("f.json").string("d"), undefined);
});

test("an error names file, key with its path, and a bounded value", async () => {
  const object = fields(`{"a":{"b":{"c":${JSON.stringify("x".repeat(5000))}}}}`);
  const inner = object.child("a")!.child("b")!;
  await refuses(
    () => inner.number("c", { min: 0, max: 1 }),
    "E_CONFIG",
    /^reading f\.json: expected a\.b\.c to be a number above 0 and at most 1, got "xxx/,
  );
  await refuses(() => object.string("a"), "E_CONFIG", /expected a to be a string, got an object/);
  await refuses(() => fields('{"a":[[1]]}').child("a"), "E_CONFIG", /a to be an object, got an array/);
});

test("numbers stay in their range", async () => {
  const object = fields('{"half":0.5,"big":1e300,"whole":2.0}');
  assert.is(object.integer("whole", { min: 0, max: 9 }), 2);
  assert.is(object.number("half", { min: 0, max: 0.5 }), 0.5);
  await refuses(() => object.integer("half", { min: 0, max: 9 }), "E_CONFIG", /an integer from 0 to 9, got 0\.5/);
  await refuses(() => object.number("half", { min: 0.5, max: 1 }), "E_CONFIG", /above 0\.5/);
  await refuses(() => object.integer("big", { min: 0, max: Number.MAX_SAFE_INTEGER }), "E_CONFIG", /got 1e\+300/);
});

test("a hostile file is bounded in size, depth and count", async () => {
  await refuses(() => fields(" ".repeat(2 ** 22 + 1)), "E_CONFIG", /at most 4194304 bytes/);
  await refuses(() => fields(`{"a":${"[".repeat(40)}`), "E_CONFIG", /levels/);
  await refuses(() => fields(`{"a":[${"0,".repeat(100_000)}0]}`), "E_CONFIG", /JSON values/);
});

test.run();
