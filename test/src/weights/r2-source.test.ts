import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ObjectBucket, r2Source } from "#dist/weights/r2-source.js";
import { golden } from "../../support/paths.js";
import { refused, refuses } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";

const test = suite("weights/r2-source");

const FILE = "model.safetensors";
const BYTES = new Uint8Array(readFileSync(golden(`checkpoints/tiny-orig-safetensors/${FILE}`)));
const LARGE = Uint8Array.from({ length: 9 << 20 }, (_, i) => i % 253);

/** A bucket with R2's manners, and what it was asked. */
function bucket(objects: Record<string, Uint8Array>, withBodies = false) {
  const asked: string[] = [];
  let failures = 0;
  let etag = "1";
  const found = (key: string): { size: number; etag: string } | null => {
    asked.push(key);
    if (failures-- > 0) throw new Error("internal error; reference = x1");
    const bytes = objects[key];
    return bytes ? { size: bytes.length, etag } : null;
  };
  const given: ObjectBucket = {
    head: async (key) => found(key),
    async get(key, { range: { offset, length } }) {
      const object = found(key);
      const content = objects[key]?.slice(offset, offset + length) ?? new Uint8Array();
      if (!withBodies) return object && { ...object, arrayBuffer: async () => content.buffer };
      const { body } = new Response(content);
      return object && { ...object, body: body!, arrayBuffer: () => Promise.reject(new Error("the body is read")) };
    },
  };
  return {
    given,
    asked,
    objects,
    fail: (times: number) => {
      failures = times;
    },
    change: () => {
      etag = "2";
    },
  };
}

test("sizes, reads and absent objects below a prefix, with a slash or without", async () => {
  for (const prefix of ["models/tiny", "models/tiny/"]) {
    const { given, asked } = bucket({ [`models/tiny/${FILE}`]: BYTES });
    const source = r2Source(given, prefix);
    assert.is(await source.size(FILE), BYTES.length);
    assert.is(await source.size("none"), undefined);
    assert.equal(await source.read(FILE, 100, 50), BYTES.slice(100, 150));
    assert.equal(asked, [`models/tiny/${FILE}`, "models/tiny/none", `models/tiny/${FILE}`], "a size is asked once");
    assert.is((await source.read(FILE, 5, 0)).length, 0);
    await refused(source.read(FILE, BYTES.length - 1, 2), "E_IO", /found an object of \d+; is it cut short/);
    await refused(source.read("none", 0, 1), "E_IO", /found none/);
    await refused(source.size("../other"), "E_IO", /relative path/);
  }
  const { given } = bucket({ [FILE]: BYTES });
  assert.is(await r2Source(given).size(FILE), BYTES.length);
});

test("a long read comes in pieces, each in its place, from bodies and from whole buffers", async () => {
  for (const withBodies of [false, true]) {
    const { given, asked } = bucket({ large: LARGE }, withBodies);
    const target = new Uint8Array(LARGE.length - 7);
    await r2Source(given).readInto?.("large", 7, target);
    assert.ok(Buffer.from(target).equals(LARGE.subarray(7)));
    assert.is(asked.length, 1 + 3);
  }
});

test("what fails is asked again, and is E_NETWORK when it does not stop", async () => {
  const { given, fail } = bucket({ [FILE]: BYTES });
  const source = r2Source(given);
  fail(2);
  assert.is(await source.size(FILE), BYTES.length);
  fail(2);
  assert.equal(await source.read(FILE, 0, 10), BYTES.slice(0, 10));
  fail(100);
  await refused(source.read(FILE, 0, 10), "E_NETWORK", /internal error.*5 times in a row/);
  const controller = new AbortController();
  setTimeout(() => controller.abort("enough"), 20);
  assert.is(await rejection(source.read(FILE, 0, 10, controller.signal)), "enough");
  fail(0);
  assert.equal(await source.read(FILE, 0, 10), BYTES.slice(0, 10));
});

test("an object that changes, or goes, is E_INTEGRITY; one that is shorter than it says is E_NETWORK", async () => {
  const changed = bucket({ [FILE]: BYTES });
  const source = r2Source(changed.given);
  await source.size(FILE);
  changed.change();
  await refuses(() => source.read(FILE, 0, 10), "E_INTEGRITY", /unchanged since it was opened/);
  delete changed.objects[FILE];
  await refuses(() => source.read(FILE, 0, 10), "E_INTEGRITY", /found another \(none\)/);
  const short = bucket({ [FILE]: BYTES });
  const cut = r2Source({
    ...short.given,
    get: async (key, options) => {
      const object = await short.given.get(key, options);
      return object && { ...object, arrayBuffer: async () => new ArrayBuffer(3) };
    },
  });
  await refused(cut.read(FILE, 0, 10), "E_NETWORK", /expected 10 bytes at 0, got 3/);
  for (const got of [3, 12]) {
    const strange = r2Source({
      ...short.given,
      get: async () => ({
        size: BYTES.length,
        etag: "1",
        body: new Response(new Uint8Array(got)).body!,
        arrayBuffer: () => Promise.reject(new Error("the body is read")),
      }),
    });
    await refused(strange.read(FILE, 0, 10), "E_NETWORK", new RegExp(`expected 10 bytes at 0, got ${got}`));
  }
});

test.run();
