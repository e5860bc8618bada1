import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { requiredTensors } from "#dist/model/tensors.js";
import type { BoundTensor } from "#dist/weights/bound-tensor.js";
import { type Checkpoint, openCheckpoint } from "#dist/weights/checkpoint.js";
import { MemorySource } from "../../support/memory-source.js";
import { plainTorch } from "../../support/plain-torch.js";
import { refuses } from "../../support/refusal.js";
import { plainSafetensors, safetensorsBytes } from "../../support/safetensors-bytes.js";
import { openTiny, TINY, tinyFiles } from "../../support/tiny-checkpoints.js";
import { dictPickle, tensorPickle, torchBytes } from "../../support/torch-bytes.js";
import { concat } from "../../support/zip-bytes.js";

const test = suite("weights/checkpoint");

/** Dense bytes of every stored tensor, read without the code under test. */
function plainTensors(files: Record<string, Uint8Array>): Map<string, Uint8Array> {
  const all = new Map<string, Uint8Array>();
  for (const [file, bytes] of Object.entries(files)) {
    if (file.endsWith(".safetensors")) for (const [name, { data }] of plainSafetensors(bytes)) all.set(name, data);
    if (file.endsWith(".bin")) for (const [name, { data }] of plainTorch(bytes)) all.set(name, data);
  }
  return all;
}

const rowsOf = ({ shape }: BoundTensor): number => shape[0]!;

for (const name of TINY) {
  test(`${name}: every tensor is bound, and its bytes are those of the file`, async () => {
    const files = tinyFiles(name);
    const { checkpoint, config } = await openTiny(files);
    const plain = plainTensors(files);
    assert.equal(new Set(checkpoint.tensors.keys()), new Set(plain.keys()));
    const requests = requiredTensors(config);
    const bound = checkpoint.bind(requests);
    assert.equal(
      [...bound.keys()],
      requests.map(({ role }) => role),
    );
    for (const { role, shape } of requests) {
      const tensor = bound.get(role)!;
      const expected = concat(tensor.names.map((part) => plain.get(part)!));
      assert.equal(tensor.shape, shape, role);
      assert.equal(await checkpoint.readRows(tensor, 0, rowsOf(tensor)), expected, role);
      const rowBytes = expected.length / rowsOf(tensor);
      const [first, last] = [Math.floor(rowsOf(tensor) / 3), Math.ceil((rowsOf(tensor) * 5) / 6)];
      const some = await checkpoint.readRows(tensor, first, last - first);
      assert.equal(some, expected.subarray(first * rowBytes, last * rowBytes), role);
    }
  });
}

test("what the five checkpoints are", async () => {
  const seen = [];
  for (const name of TINY) {
    const { checkpoint, config } = await openTiny(tinyFiles(name));
    const bound = [...checkpoint.bind(requiredTensors(config)).values()];
    const used = new Set(bound.flatMap(({ names }) => names));
    const skipped = [...checkpoint.tensors.keys()].filter((tensor) => !used.has(tensor));
    assert.ok(
      skipped.some((tensor) => tensor.includes("lm_head")),
      "lm_head is skipped",
    );
    assert.not.ok(
      skipped.some(
        (tensor) => /blocks|encoder|aligner\.(?:layers|fc1|hidden)/.test(tensor) && !/gen|attn_pool/.test(tensor),
      ),
    );
    seen.push([checkpoint.layout, checkpoint.format, checkpoint.files.length, bound[0]!.dtype, used.size]);
  }
  // 12 tensors a block in the original, 16 in the port; 3 + 2 around them, 4 of the aligner, 1 of the embedding.
  assert.equal(seen, [
    ["original", "safetensors", 1, "F32", 12 * 3 + 10],
    ["original", "torch", 2, "BF16", 12 * 2 + 10],
    ["original", "torch", 1, "BF16", 12 * 2 + 10],
    ["original", "safetensors", 1, "F16", 12 * 2 + 10],
    ["huggingface", "safetensors", 2, "BF16", 16 * 2 + 10],
  ]);
});

test("tiny-hf holds the weights of tiny-orig-bin, bit for bit after the mapping", async () => {
  const hf = await openTiny(tinyFiles("tiny-hf"));
  const original = await openTiny(tinyFiles("tiny-orig-bin"));
  const requests = requiredTensors(original.config);
  assert.equal(requiredTensors(hf.config), requests);
  const [a, b] = [hf.checkpoint.bind(requests), original.checkpoint.bind(requests)];
  for (const { role } of requests) {
    const rows = rowsOf(a.get(role)!);
    assert.equal(
      await hf.checkpoint.readRows(a.get(role)!, 0, rows),
      await original.checkpoint.readRows(b.get(role)!, 0, rows),
      role,
    );
  }
});

test("tiny-orig-bin-single really has a transposed view and a shared storage", () => {
  const plain = plainTorch(tinyFiles("tiny-orig-bin-single")["pytorch_model.bin"]!);
  assert.equal(plain.get("aligner.layers.2.weight")!.strides, [1, 72]);
  const [a, b] = [plain.get("aligner.layers.0.bias")!, plain.get("aligner.layers.2.bias")!];
  assert.is(a.storage, b.storage);
  assert.is.not(a.offset, b.offset);
});

for (const name of TINY) {
  test(`${name}: what is read of a tensor lies in its extents, one for each part`, async () => {
    const source = new MemorySource(tinyFiles(name));
    const checkpoint = await openCheckpoint(source);
    for (const tensor of checkpoint.bind(requiredTensors((await openTiny(tinyFiles(name))).config)).values()) {
      const extents = await checkpoint.extents(tensor);
      assert.is(extents.length, tensor.names.length);
      source.reads.length = 0;
      const rows = await checkpoint.readRows(tensor, 0, rowsOf(tensor));
      const within = ({ path, offset, length }: (typeof source.reads)[number]): boolean =>
        extents.some((extent) => extent.path === path && extent.begin <= offset && offset + length <= extent.end);
      assert.ok(source.reads.length > 0 && source.reads.every(within), tensor.role);
      const bytes = extents.reduce((sum, { begin, end }) => sum + end - begin, 0);
      assert.is(bytes, rows.length, `${tensor.role}: no byte more`);
    }
  });
}

test("rows across the parts of a stacked tensor", async () => {
  const { checkpoint, config } = await openTiny(tinyFiles("tiny-hf"));
  const qkv = checkpoint.bind(requiredTensors(config)).get("blocks.1.qkv.weight")!;
  assert.is(qkv.names.length, 3);
  const all = await checkpoint.readRows(qkv, 0, 240);
  await fc.assert(
    fc.asyncProperty(fc.nat(240), fc.nat(240), async (a, b) => {
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      assert.equal(await checkpoint.readRows(qkv, first, last - first), all.subarray(first * 160, last * 160));
    }),
    { numRuns: 60, seed: 9 },
  );
  for (const [first, count] of [
    [-1, 1],
    [0, 241],
    [240, 1],
    [0.5, 1],
    [Number.NaN, 1],
  ] as const)
    await refuses(() => checkpoint.readRows(qkv, first, count), "E_INTERNAL", /rows within 240/);
});

test("one row of the embedding is read alone", async () => {
  const { source, checkpoint, config } = await openTiny(tinyFiles("tiny-orig-f16"));
  const embedding = checkpoint.bind(requiredTensors(config)).get("embed_tokens.weight")!;
  source.reads.length = 0;
  await checkpoint.readRows(embedding, 500, 1);
  assert.equal(
    source.reads.map(({ length }) => length),
    [56 * 2],
  );
});

test("aborts are the signal's reason", async () => {
  const { source, checkpoint, config } = await openTiny(tinyFiles("tiny-orig-bin"));
  const tensor = checkpoint.bind(requiredTensors(config)).get("norm.weight")!;
  const reason = new Error("enough");
  for (const call of [
    () => openCheckpoint(source, AbortSignal.abort(reason)),
    () => checkpoint.readRows(tensor, 0, 1, AbortSignal.abort(reason)),
  ])
    assert.is(await call().catch((error: unknown) => error), reason);
});

/** A checkpoint of a few tensors: enough to be recognised, and to be wrong in. */
const TOWER = "vision_model.vision_tower.";
const NORM = { role: "norm.weight", shape: [4] };
const f32 = (shape: number[], begin: number): object => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, begin + 4 * shape.reduce((product, dimension) => product * dimension, 1)],
});
const openHeader = (header: Record<string, object>, size: number): Promise<Checkpoint> =>
  openCheckpoint(new MemorySource({ "model.safetensors": safetensorsBytes(header, size) }));

test("one error lists every missing and every mis-shaped tensor", async () => {
  const { checkpoint, config } = await openTiny(tinyFiles("tiny-orig-f16"));
  const requests = requiredTensors({ ...config, blocks: 3, mlpWidth: 100 });
  await refuses(
    () => checkpoint.bind(requests.slice(0, 20)),
    "E_CONFIG",
    /3 not of the shape .*blocks\.0\.mlp\.fc1\.weight is \[144, 48\] instead of \[100, 48\], .*fc1\.bias/,
  );
  let message = "";
  try {
    checkpoint.bind(requests);
  } catch (error) {
    message = (error as Error).message;
  }
  assert.match(
    message,
    /^binding the tensors of "memory": found 12 missing: .*blocks\.2\.norm1\.weight.*; 6 not of the shape/,
  );
  assert.is(message.split("blocks.2.").length - 1, 12);
  assert.not.match(message, /\n/);
});

test("tensors that are only missing are E_FORMAT", async () => {
  const checkpoint = await openHeader({ [`${TOWER}norm.weight`]: f32([4], 0) }, 16);
  await refuses(
    () => checkpoint.bind([NORM, { role: "norm.bias", shape: [4] }]),
    "E_FORMAT",
    /1 missing: vision_model\.vision_tower\.norm\.bias;/,
  );
});

test("a rank of one more is the position table's alone", async () => {
  const header = { [`${TOWER}norm.weight`]: f32([1, 4], 0), [`${TOWER}pos_embed`]: f32([1, 2, 4], 16) };
  const checkpoint = await openHeader(header, 48);
  assert.equal(checkpoint.bind([{ role: "pos_embed", shape: [2, 4] }]).get("pos_embed")!.shape, [2, 4]);
  await refuses(() => checkpoint.bind([NORM]), "E_CONFIG", /is \[1, 4\] instead of \[4\]/);
});

test("S16 F64/I64/FP8 dtype where a weight is expected", async () => {
  for (const [dtype, bytes] of [
    ["F64", 32],
    ["I64", 32],
    ["F8_E4M3", 4],
  ] as const) {
    const header = { [`${TOWER}norm.weight`]: { dtype, shape: [4], data_offsets: [0, bytes] } };
    const checkpoint = await openHeader(header, bytes);
    await refuses(() => checkpoint.bind([NORM]), "E_UNSUPPORTED", new RegExp(`norm\\.weight is ${dtype}`));
  }
});

test("parts of different dtypes are not stacked", async () => {
  const layer = "vision_model.encoder.layers.0.self_attn.";
  const header = {
    [`${layer}q_proj.bias`]: f32([1], 0),
    [`${layer}k_proj.bias`]: { dtype: "BF16", shape: [1], data_offsets: [4, 6] },
    [`${layer}v_proj.bias`]: { dtype: "BF16", shape: [1], data_offsets: [6, 8] },
  };
  const checkpoint = await openHeader(header, 8);
  assert.is(checkpoint.tableShape(), undefined);
  await refuses(() => checkpoint.bind([{ role: "blocks.0.qkv.bias", shape: [3] }]), "E_UNSUPPORTED", /F32 and BF16/);
  await refuses(() => checkpoint.bind([{ role: "blocks.0.qkv.bias", shape: [4] }]), "E_CONFIG", /is \[1\] instead of/);
});

/** Two shards and what their index says of them. */
function sharded(map: Record<string, string>, shards: Record<string, Record<string, object>>): MemorySource {
  const files = Object.entries(shards).map(([file, header]) => [file, safetensorsBytes(header, 16)] as const);
  return new MemorySource({
    "model.safetensors.index.json": JSON.stringify({ weight_map: map }),
    ...Object.fromEntries(files),
  });
}
const A = { [`${TOWER}norm.weight`]: f32([4], 0) };
const B = { [`${TOWER}norm.bias`]: f32([4], 0) };

test("B03 tensor listed in a shard that lacks it", async () => {
  const wrong = sharded({ [`${TOWER}norm.weight`]: "s2", [`${TOWER}norm.bias`]: "s1" }, { s1: A, s2: B });
  await refuses(() => openCheckpoint(wrong), "E_FORMAT", /in "s2", found it in "s1"/);
  const absent = sharded({ [`${TOWER}norm.weight`]: "s1", ghost: "s1" }, { s1: A });
  await refuses(() => openCheckpoint(absent), "E_FORMAT", /"ghost" in "s1", found it nowhere/);
});
test("B04 same tensor in two shards", () =>
  refuses(
    () => openCheckpoint(sharded({ [`${TOWER}norm.weight`]: "s1", x: "s2" }, { s1: A, s2: A })),
    "E_FORMAT",
    /reading s2: expected every tensor once, found .*norm\.weight" in "s1" too/,
  ));
test("B07 git-LFS pointer file instead of weights", async () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 4180000000\n`;
  for (const file of ["model.safetensors", "pytorch_model.bin"])
    await refuses(
      () => openCheckpoint(new MemorySource({ [file]: pointer })),
      "E_FORMAT",
      /a git-LFS pointer.*git lfs pull/,
    );
});
test("B15 non-contiguous strides are gathered", async () => {
  const pickle = dictPickle({
    [`${TOWER}blocks.0.attn.proj.weight`]: tensorPickle({ elements: 7, shape: [2, 3], strides: [1, 2], offset: 1 }),
  });
  const storage = new Uint8Array(Float32Array.of(9, 0, 10, 1, 11, 2, 12).buffer);
  const checkpoint = await openCheckpoint(
    new MemorySource({ "pytorch_model.bin": torchBytes(pickle, { 0: storage }) }),
  );
  const tensor = checkpoint.bind([{ role: "blocks.0.proj.weight", shape: [2, 3] }]).get("blocks.0.proj.weight")!;
  const rows = await checkpoint.readRows(tensor, 0, 2);
  assert.equal(new Float32Array(rows.slice().buffer), Float32Array.of(0, 1, 2, 10, 11, 12));
});
test("B17 a storage whose local header names another is refused before its first byte is used", async () => {
  const pickle = dictPickle({ [`${TOWER}norm.weight`]: tensorPickle({ shape: [4], strides: [1] }) });
  const entries = [{ name: "archive/data/0", data: new Uint8Array(16), localName: "archive/data/1" }];
  const source = new MemorySource({ "pytorch_model.bin": torchBytes(pickle, {}, { entries }) });
  const checkpoint = await openCheckpoint(source);
  const tensor = checkpoint.bind([NORM]).get("norm.weight")!;
  await refuses(() => checkpoint.readRows(tensor, 0, 4), "E_FORMAT", /another name/);
  assert.not.ok(source.reads.some(({ length }) => length === 16));
});
test("C04 hidden 2048 but aligner weights 4096", async () => {
  const header = { [`${TOWER}norm.weight`]: f32([0], 0), "aligner.layers.0.weight": f32([4096, 0], 0) };
  const checkpoint = await openHeader(header, 0);
  await refuses(
    () => checkpoint.bind([{ role: "aligner.layers.0.weight", shape: [2048, 0] }]),
    "E_CONFIG",
    /config\.json implies: aligner\.layers\.0\.weight is \[4096, 0\] instead of \[2048, 0\]/,
  );
});

test.run();
