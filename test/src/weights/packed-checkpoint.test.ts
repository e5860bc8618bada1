/** What a packed checkpoint may get wrong. That a right one answers as its original does is held by entry/node/pack.test.ts. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pack } from "#dist/entry/node/pack.js";
import { requiredTensors } from "#dist/model/tensors.js";
import { openCheckpoint } from "#dist/weights/checkpoint.js";
import { encodeSafetensorsHeader } from "#dist/weights/safetensors.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { golden } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { inScratch } from "../../support/scratch.js";
import { openTiny, tinyFiles } from "../../support/tiny-checkpoints.js";

const test = suite("weights/packed-checkpoint");

type Files = Record<string, Uint8Array>;

interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  data: Uint8Array;
}

async function packed(dtype: "auto" | "int8", shardSize?: number): Promise<Files> {
  return inScratch(async (folder) => {
    const output = join(folder, "packed");
    await pack(golden("checkpoints/tiny-orig-safetensors"), output, { dtype, shardSize });
    return Object.fromEntries(
      readdirSync(output).map((name) => [name, new Uint8Array(readFileSync(join(output, name)))]),
    );
  });
}

/** The file with its tensors and metadata edited. */
function edited(
  bytes: Uint8Array,
  edit: (tensors: Entry[], metadata: Record<string, string>) => Entry[] | undefined,
): Uint8Array {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__: metadata, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors = Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(header).map(
    ([name, { dtype, shape, data_offsets }]) => ({
      name,
      dtype,
      shape,
      data: bytes.subarray(8 + length + data_offsets[0], 8 + length + data_offsets[1]),
    }),
  );
  const kept = edit(tensors, metadata) ?? tensors;
  return Buffer.concat([encodeSafetensorsHeader(kept, metadata), ...kept.map(({ data }) => data)]);
}

const whole = await packed("int8");
const { config } = await openTiny(tinyFiles("tiny-orig-safetensors"));

async function bind(edit: Parameters<typeof edited>[1]): Promise<unknown> {
  const model = edited(whole["model.safetensors"]!, edit);
  const checkpoint = await openCheckpoint(memorySource({ ...whole, "model.safetensors": model }));
  return checkpoint.bind(requiredTensors(config));
}

test("what it is: roles, layouts, precision", async () => {
  const checkpoint = await openCheckpoint(memorySource(whole));
  assert.is(checkpoint.packed, "int8");
  assert.is(checkpoint.layout, "original");
  assert.equal(checkpoint.tableShape(), [config.vocabRows, config.dim]);
  const bound = checkpoint.bind(requiredTensors(config));
  const qkv = bound.get("blocks.0.qkv.weight");
  assert.is(qkv?.dtype, "I8");
  assert.is(qkv?.layout, "panels8x4");
  assert.equal(bound.get("blocks.0.qkv.scales")?.shape, [3 * config.width]);
  assert.is(bound.get("patch_embed.weight")?.layout, "panels8");
  const names = new Set([...bound.values()].flatMap((tensor) => tensor.names));
  assert.equal(names, new Set(checkpoint.tensors.keys()), "there is nothing in it that is not used");
});

test("rows of the token table are read across its tensors", async () => {
  const { checkpoint, config } = await openTiny(tinyFiles("tiny-orig-safetensors"));
  const original = checkpoint.bind(requiredTensors(config)).get("embed_tokens.weight")!;
  const all = await checkpoint.readRows(original, 0, config.vocabRows);
  const rowBytes = all.length / config.vocabRows;
  const model = edited(whole["model.safetensors"]!, (tensors, metadata) => {
    const table = tensors.pop()!;
    const step = 5;
    for (let first = 0; first < config.vocabRows; first += step) {
      const rows = Math.min(step, config.vocabRows - first);
      const name = `embed_tokens.weight.rows.${first / step}`;
      tensors.push({
        ...table,
        name,
        shape: [rows, config.dim],
        data: table.data.subarray(first * rowBytes, (first + rows) * rowBytes),
      });
      metadata[name] = metadata[table.name]!.replace(/shape=\S+/, `shape=${rows},${config.dim}`);
    }
  });
  const cut = await openCheckpoint(memorySource({ ...whole, "model.safetensors": model }));
  const table = cut.bind(requiredTensors(config)).get("embed_tokens.weight")!;
  assert.ok(table.names.length > 3);
  for (const [first, count] of [
    [0, config.vocabRows],
    [4, 2],
    [5, 5],
    [3, 9],
    [config.vocabRows - 1, 1],
  ] as const)
    assert.equal(await cut.readRows(table, first, count), all.subarray(first * rowBytes, (first + count) * rowBytes));
  await refused(cut.readRows(table, 1, config.vocabRows), "E_INTERNAL", /expected rows within/);
  await refused(cut.readRowsInto(table, 0, 1, new Uint8Array(1)), "E_INTERNAL", /expected a target of/);
});

test("rows that were verified are the same rows, whatever lies together; one bit of them changed is E_INTEGRITY, by file and rows", async () => {
  const { checkpoint, config } = await openTiny(tinyFiles("tiny-orig-safetensors"));
  const all = await checkpoint.readRows(
    checkpoint.bind(requiredTensors(config)).get("embed_tokens.weight")!,
    0,
    config.vocabRows,
  );
  const file = whole["model.safetensors"]!.slice();
  const sealed = await openCheckpoint(memorySource({ ...whole, "model.safetensors": file }));
  const bound = sealed.bind(requiredTensors(config));
  const weight = bound.get("blocks.1.fc1.weight")!;
  const [panels = 0] = weight.shape;
  const cuts = Array.from({ length: panels }, (_, first) => ({ role: weight.role, first, count: 1 }));
  const before = await sealed.readRows(weight, 0, panels);
  await sealed.verify(cuts);
  assert.equal(await sealed.readRows(weight, 0, panels), before);
  const table = bound.get("embed_tokens.weight")!;
  const rowBytes = all.length / config.vocabRows;
  await fc.assert(
    fc.asyncProperty(fc.nat(config.vocabRows - 1), fc.nat(), async (first, more) => {
      const count = more % (config.vocabRows - first + 1);
      assert.equal(
        await sealed.readRows(table, first, count),
        all.subarray(first * rowBytes, (first + count) * rowBytes),
      );
    }),
  );
  await refused(sealed.readRows(table, 1, config.vocabRows), "E_INTERNAL", /expected rows within/);
  await refused(sealed.readRowsInto(table, 0, 1, new Uint8Array(1)), "E_INTERNAL", /expected a target of/);
  const { path, begin } = (await sealed.extents(weight))[0]!;
  file[begin + (before.length / panels) * 2]! ^= 0x80;
  await refused(
    sealed.readRows(weight, 0, panels),
    "E_INTEGRITY",
    new RegExp(`${path}: .*rows 2 to 2 of "blocks.1.fc1.weight"`),
  );
  await sealed.readRows(weight, 0, 2);
  const [rows] = await sealed.extents(table);
  file[rows!.end - 1]! ^= 1;
  await refused(
    sealed.readRows(table, config.vocabRows - 1, 1),
    "E_INTEGRITY",
    /of "embed_tokens.weight" as they were/,
  );
});

test("missing tensors are listed", async () => {
  const without = bind((tensors) => tensors.filter(({ name }) => !/fc1\.bias|fc2\.scales|rows\.0/.test(name)));
  await refused(without, "E_FORMAT", /missing: .*blocks\.0\.fc1\.bias.*fc2\.scales.*embed_tokens\.weight\.rows\.0/);
});

test("a shape other than the configuration's is E_CONFIG", async () => {
  const other = bind((tensors, metadata) => {
    const bias = tensors.find(({ name }) => name === "norm.bias")!;
    bias.shape = [8];
    bias.data = bias.data.subarray(0, 32);
    metadata["norm.bias"] = metadata["norm.bias"]!.replace(/shape=\d+/, "shape=8");
  });
  await refused(other, "E_CONFIG", /norm\.bias is \[8\] instead of/);
});

test("a tensor that is not as it is described is E_FORMAT", async () => {
  const redescribed = (name: string, from: RegExp, to: string) =>
    bind((_, metadata) => {
      metadata[name] = metadata[name]!.replace(from, to);
    });
  await refused(redescribed("norm.bias", /shape=\d+/, "shape=9999"), "E_FORMAT", /"norm\.bias" as its layout vector8/);
  await refused(redescribed("norm.bias", /vector8/, "panels8x4"), "E_FORMAT", /"norm\.bias" as its layout panels8x4/);
  await refused(
    redescribed("norm.bias", /vector8/, "rows"),
    "E_FORMAT",
    /expected a vector of tensor "norm\.bias", found rows/,
  );
  await refused(redescribed("norm.bias", /vector8/, "tiles"), "E_UNSUPPORTED", /found "tiles"/);
});

test("a gap in the token table is E_FORMAT", async () => {
  const gap = bind((tensors, metadata) => {
    const table = tensors.at(-1)!;
    tensors.push({ ...table, name: "embed_tokens.weight.rows.2" });
    metadata["embed_tokens.weight.rows.2"] = metadata[table.name]!;
    return undefined;
  });
  await refused(gap, "E_FORMAT", /expected "embed_tokens\.weight\.rows\.1" before "embed_tokens\.weight\.rows\.2"/);
});

test("rows of different widths or dtypes are E_FORMAT", async () => {
  const strange = bind((tensors, metadata) => {
    tensors.push({ name: "embed_tokens.weight.rows.1", dtype: "BF16", shape: [1, 8], data: new Uint8Array(16) });
    metadata["embed_tokens.weight.rows.1"] = `layout=rows shape=1,8 sha256=${"0".repeat(64)}`;
  });
  await refused(strange, "E_FORMAT", /"embed_tokens\.weight\.rows\.1", found others/);
});

test("a shard of another packing is E_FORMAT", async () => {
  const [cut, other] = [await packed("int8", 300_000), await packed("auto", 300_000)];
  const shards = Object.keys(cut).filter((name) => name.endsWith(".safetensors"));
  const [first = ""] = shards;
  const foreign = Object.entries(other).find(([name]) => name.endsWith(".safetensors"))?.[1];
  await refused(openCheckpoint(memorySource({ ...cut, [first]: foreign! })), "E_FORMAT");
  await openCheckpoint(memorySource(cut));
});

test.run();
