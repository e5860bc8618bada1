import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findShards } from "#dist/weights/shards.js";
import { MemorySource } from "../../support/memory-source.js";
import { refuses } from "../../support/refusal.js";

const test = suite("weights/shards");

const INDEX = "model.safetensors.index.json";
const indexed = (map: unknown, files: Record<string, string> = {}): MemorySource =>
  new MemorySource({ [INDEX]: JSON.stringify({ metadata: { total_size: 1.5 }, weight_map: map }), ...files });
const find = (source: MemorySource) => () => findShards(source);

test("files are taken in transformers' order", async () => {
  const all = {
    "model.safetensors": "x",
    [INDEX]: '{"weight_map":{"a":"s"}}',
    s: "x",
    "pytorch_model.bin": "x",
    "pytorch_model.bin.index.json": '{"weight_map":{"a":"t"}}',
    t: "x",
  };
  const left: Record<string, string> = { ...all };
  const found: string[] = [];
  for (const file of ["model.safetensors", INDEX, "pytorch_model.bin", "pytorch_model.bin.index.json"]) {
    const { format, files } = await findShards(new MemorySource(left));
    found.push(`${format} ${files.join()}`);
    delete left[file];
  }
  assert.equal(found, ["safetensors model.safetensors", "safetensors s", "torch pytorch_model.bin", "torch t"]);
  await refuses(
    find(new MemorySource(left)),
    "E_IO",
    /"memory": expected one of model\.safetensors, .*bin\.index\.json/,
  );
});

test("an index names each shard once, sorted, whatever its tensors are called", async () => {
  const map = '{"weight_map":{"__proto__":"b","constructor":"a","x":"b"}}';
  const { files, index } = await findShards(new MemorySource({ [INDEX]: map, a: "", b: "" }));
  assert.equal(files, ["a", "b"]);
  assert.is(index!.shardOf.get("__proto__"), "b");
});

test("B01 index points out of the directory: refused before anything is opened", async () => {
  for (const path of [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "",
    "sub/model.safetensors",
    "..\\model",
    "C:model",
    "https://example.org/model.safetensors",
    "%2e%2e%2fpasswd",
    "model?x",
    "model#x",
    "a\0b",
    "a\u202eb",
    "a\u2028b",
    "n".repeat(300),
  ]) {
    const source = indexed({ w: path });
    const asked: string[] = [];
    const size = source.size.bind(source);
    source.size = async (file) => {
      asked.push(file);
      return size(file);
    };
    await refuses(find(source), "E_FORMAT", /same directory/);
    assert.equal(asked, ["model.safetensors", INDEX]);
  }
  await refuses(find(indexed({ w: 3 })), "E_FORMAT", /found 3/);
});
test("B02 points to missing shard", () =>
  refuses(find(indexed({ a: "s1", b: "s2", c: "s3" }, { s2: "" })), "E_IO", /2 missing: "s1", "s3"/));
test("B05 index with 10,001 shards", () => {
  const map = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`t${i}`, `s${i}`]));
  return refuses(find(indexed(map)), "E_FORMAT", /at most 10000 shards, found 10001/);
});
test("B06 index JSON is HTML (404 page)", () =>
  refuses(
    find(new MemorySource({ [INDEX]: "<html><body>404</body></html>" })),
    "E_FORMAT",
    /index\.json: expected JSON, found an HTML/,
  ));
test("B07 git-LFS pointer file instead of the index", () =>
  refuses(
    find(new MemorySource({ [INDEX]: "version https://git-lfs.github.com/spec/v1\n" })),
    "E_FORMAT",
    /git lfs pull/,
  ));

test("an index of another form", async () => {
  for (const text of ["[]", "{}", '{"weight_map":[]}', '{"weight_map":null}'])
    await refuses(find(new MemorySource({ [INDEX]: text })), "E_FORMAT", /weight_map/);
  await refuses(find(new MemorySource({ [INDEX]: '{"weight_map":{"a":"s","a":"s"}}' })), "E_FORMAT", /"a" twice/);
  await refuses(find(new MemorySource({ [INDEX]: '{"weight_map":{"a":{"b":{"c":{}}}}}' })), "E_FORMAT", /levels/);
  await refuses(find(new MemorySource({ [INDEX]: " ".repeat(33 * 2 ** 20) })), "E_FORMAT", /at most 33554432 bytes/);
});

test.run();
