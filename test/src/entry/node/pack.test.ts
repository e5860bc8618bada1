import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { directorySource, Janus } from "#dist/entry/node/index.js";
import { pack } from "#dist/entry/node/pack.js";
import { memorySource } from "../../../support/fuse-checkpoint.js";
import { readPacked } from "../../../support/packed-reader.js";
import { golden, ROOT } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";
import { plainSafetensors } from "../../../support/safetensors-bytes.js";
import { inScratch } from "../../../support/scratch.js";
import { bytesOf } from "../../../support/tensors.js";
import { TINY, tinyFiles } from "../../../support/tiny-checkpoints.js";

const test = suite("entry/node/pack");

/** Half a level, and the rounding of the number of levels itself, at most 127. */
const HALF = 0.5 + 127 * 2 ** -22;

const DEMO = `${ROOT}models/demo`;
const recorded: Record<string, string> = JSON.parse(readFileSync(golden("hashes.json"), "utf8"));

/** SHA-256 of image embeddings, of the rows of all tokens and of what the model is kept in. */
async function answersOf(folder: string, dtype: "auto" | "fp32" | "int8", threads = 1): Promise<string> {
  const model = await Janus.load(folder, { dtype, threads, variant: "simd" });
  const { imageSize, vocabRows } = model.config;
  const data = new Float32Array(3 * imageSize ** 2).map((_, i) => Math.sin(i * 0.37));
  const features = await model.encode({ type: "float32", dims: [1, 3, imageSize, imageSize], data });
  const ids = BigInt64Array.from({ length: vocabRows }, (_, i) => BigInt(vocabRows - 1 - i));
  const hash = createHash("sha256");
  hash.update(bytesOf(await model.project(features)));
  hash.update(bytesOf(await model.embedTokens({ type: "int64", dims: [1, ids.length], data: ids })));
  hash.update(model.runtime.dtype);
  await model.dispose();
  return hash.digest("hex");
}

function digestOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Names and bytes of a folder's files. */
function contents(folder: string): Map<string, string> {
  return new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, digestOf(join(folder, name))]),
  );
}

for (const name of TINY) {
  for (const dtype of ["auto", "fp32", "int8"] as const) {
    test(`${name}, ${dtype}: a packed checkpoint answers as the original does`, () =>
      inScratch(async (folder) => {
        const original = golden(`checkpoints/${name}`);
        const packed = join(folder, "packed");
        const result = await pack(original, packed, { dtype, threads: 2 });
        assert.equal(result.files.map((file) => file.name).sort(), readdirSync(packed).sort(), "what it says it wrote");
        for (const { name, bytes } of result.files) assert.is(statSync(join(packed, name)).size, bytes);
        for (const threads of [1, 3])
          assert.is(await answersOf(packed, "auto", threads), await answersOf(original, dtype, threads));
        if (dtype !== "int8") assert.is(await answersOf(packed, "fp32"), await answersOf(original, "fp32"));
      }));
  }
}

test("the same bytes with any number of threads, and on every engine", () =>
  inScratch(async (folder) => {
    const seen = [];
    for (const threads of [1, 2, 3]) {
      const packed = join(folder, String(threads));
      await pack(DEMO, packed, { dtype: "int8", threads });
      seen.push(contents(packed));
    }
    assert.equal(seen[1], seen[0]);
    assert.equal(seen[2], seen[0]);
    assert.is(seen[0]?.get("model.safetensors"), recorded["demo packed int8"]);
    for (const [name, digest] of seen[0]!)
      if (name !== "model.safetensors" && name !== "tokenizer.janus")
        assert.is(digest, digestOf(join(DEMO, name)), `${name} is taken along as it is`);
  }));

test("shards stay below their size, hold whole blocks, and answer the same", () =>
  inScratch(async (folder) => {
    const [whole, cut] = [join(folder, "whole"), join(folder, "cut")];
    await pack(DEMO, whole, { dtype: "int8" });
    const limit = 400_000;
    const { files } = await pack(DEMO, cut, { dtype: "int8", shardSize: limit });
    const shards = files.map((file) => file.name).filter((name) => name.endsWith(".safetensors"));
    assert.ok(shards.length > 2);
    assert.is(shards[0], `model-00001-of-0000${shards.length}.safetensors`);
    const homes = new Map<string, string>();
    let total = 0;
    for (const shard of shards) {
      const bytes = readFileSync(join(cut, shard));
      assert.ok(bytes.length < limit, `${shard} is ${bytes.length} bytes`);
      for (const [name, { data }] of plainSafetensors(bytes)) {
        total += data.length;
        const part = /^blocks\.\d+/.exec(name)?.[0] ?? name;
        assert.is(homes.get(part) ?? shard, shard, `${part} is in one file`);
        homes.set(part, shard);
      }
    }
    const index = JSON.parse(readFileSync(join(cut, "model.safetensors.index.json"), "utf8"));
    assert.is(index.metadata.total_size, total);
    assert.is(await answersOf(cut, "auto"), await answersOf(whole, "auto"));
    assert.is(await answersOf(cut, "int8"), await answersOf(DEMO, "int8"));
    await refused(
      pack(DEMO, join(folder, "none"), { shardSize: 20_000 }),
      "E_USAGE",
      /shard size of more than \d+ bytes/,
    );
    assert.not.ok(readdirSync(folder).includes("none"));
  }));

test("a stranger's reader finds the numbers of the original", () =>
  inScratch(async (folder) => {
    const plain = plainSafetensors(new Uint8Array(readFileSync(`${DEMO}/model.safetensors`)));
    for (const dtype of ["auto", "int8"] as const) {
      const packed = join(folder, dtype);
      await pack(DEMO, packed, { dtype });
      const { metadata, tensors } = readPacked(packed);
      const source = createHash("sha256")
        .update(readFileSync(`${DEMO}/model.safetensors`))
        .digest("hex");
      assert.is(metadata["source.model.safetensors"], source);
      const compare = (stored: string, values: Float64Array, scales?: Float64Array): void => {
        const { dtype: kind, data } = plain.get(stored)!;
        assert.is(kind, "BF16");
        const bits = new Uint16Array(data.slice().buffer);
        assert.is(bits.length, values.length, stored);
        const exact = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
        const row = scales ? bits.length / scales.length : 1;
        for (const [at, value] of exact.entries()) {
          const step = scales?.[Math.floor(at / row)] ?? 0;
          if (Math.abs(value - values[at]!) > step * HALF)
            assert.unreachable(`${stored} ${at}: ${values[at]} of ${value}`);
        }
      };
      const tower = "vision_model.vision_tower.";
      compare(`${tower}patch_embed.proj.weight`, tensors.get("patch_embed.weight")!.values);
      compare(`${tower}pos_embed`, tensors.get("pos_embed")!.values);
      compare("aligner.layers.2.weight", tensors.get("aligner.layers.1.weight")!.values);
      for (const [role, name] of [
        ["qkv", "attn.qkv"],
        ["proj", "attn.proj"],
        ["fc1", "mlp.fc1"],
        ["fc2", "mlp.fc2"],
      ]) {
        const { values, dtype: kept } = tensors.get(`blocks.1.${role}.weight`)!;
        assert.is(kept, dtype === "int8" ? "I8" : "BF16");
        compare(`${tower}blocks.1.${name}.weight`, values, tensors.get(`blocks.1.${role}.scales`)?.values);
        compare(`${tower}blocks.1.${name}.bias`, tensors.get(`blocks.1.${role}.bias`)!.values);
      }
      const rows: number[] = [];
      for (let k = 0; tensors.has(`embed_tokens.weight.rows.${k}`); k++)
        rows.push(...tensors.get(`embed_tokens.weight.rows.${k}`)!.values);
      compare("language_model.model.embed_tokens.weight", Float64Array.from(rows));
    }
  }));

test("F12 verify finds one flipped bit, by file and tensor; without it the file loads", () =>
  inScratch(async (folder) => {
    const packed = join(folder, "packed");
    await pack(DEMO, packed, { dtype: "int8" });
    const load = async (verify: boolean): Promise<void> => (await Janus.load(packed, { verify })).dispose();
    await load(true);
    const path = join(packed, "model.safetensors");
    const bytes = readFileSync(path);
    const header = Number(bytes.readBigUInt64LE());
    const [begin] = JSON.parse(bytes.toString("utf8", 8, 8 + header))["blocks.1.fc1.weight"].data_offsets;
    const at = 8 + header + begin + 1000;
    bytes[at] = bytes[at]! ^ 1;
    writeFileSync(path, bytes);
    await load(false);
    await refused(load(true), "E_INTEGRITY", /verifying model\.safetensors: .*blocks\.1\.fc1\.weight/);
    truncateSync(path, bytes.length - 1);
    await refused(load(false), "E_FORMAT", /model\.safetensors: .*cut short/);
  }));

test("the compact tokenizer is written, used in place of tokenizer.json, and verified with the weights", () =>
  inScratch(async (folder) => {
    const packed = join(folder, "packed");
    await pack(DEMO, packed);
    const [json, compact] = [join(packed, "tokenizer.json"), join(packed, "tokenizer.janus")];
    const requests = [{ prompt: "What is left of the red circle? 12³ 漢" }, { prompt: "é <|User|>" }];
    const answer = async (folder: string, options = {}): Promise<Buffer> => {
      const model = await Janus.load(folder, { threads: 1, ...options });
      try {
        const { inputIds, inputsEmbeds } = await model.embed(requests);
        return Buffer.concat([inputIds, inputsEmbeds].map(({ data }) => Buffer.from(data.buffer)));
      } finally {
        await model.dispose();
      }
    };
    const expected = await answer(DEMO);
    assert.ok((await answer(packed, { verify: true })).equals(expected));
    const original = readFileSync(json);
    // Same size, other content: nobody reads it but who verifies.
    writeFileSync(json, Buffer.alloc(original.length, 0x20));
    assert.ok((await answer(packed)).equals(expected));
    await refused(answer(packed, { verify: true }), "E_INTEGRITY", /tokenizer\.janus: .* SHA-256/);
    writeFileSync(json, "{}");
    await refused(answer(packed), "E_INTEGRITY", /made of a tokenizer\.json of \d+ bytes, found one of 2 beside it/);
    rmSync(json);
    assert.ok((await answer(packed, { verify: true })).equals(expected), "tokenizer.json may be absent");
    truncateSync(compact, 1000);
    await refused(answer(packed), "E_FORMAT", /tokenizer\.janus/);
    rmSync(compact);
    writeFileSync(json, original);
    assert.ok((await answer(packed)).equals(expected), "and so may its compact form");
  }));

test("a tokenizer of another kind, or a broken one, is taken along as it is", () =>
  inScratch(async (folder) => {
    const files = tinyFiles("tiny-orig-safetensors");
    const document = JSON.parse(new TextDecoder().decode(files["tokenizer.json"]));
    document.model.ignore_merges = true;
    for (const text of [JSON.stringify(document), "{"]) {
      const bytes = new TextEncoder().encode(text);
      const output = join(folder, String(text.length));
      await pack(memorySource({ ...files, "tokenizer.json": bytes }), output);
      assert.is(readFileSync(join(output, "tokenizer.json"), "utf8"), text);
      assert.not.ok(readdirSync(output).includes("tokenizer.janus"));
    }
  }));

test("verify of a checkpoint without checksums is refused", async () => {
  await refused(
    Janus.load(DEMO, { verify: true }),
    "E_UNSUPPORTED",
    /expected a packed checkpoint, which has checksums/,
  );
});

test("what cannot be made of a packed checkpoint is refused", () =>
  inScratch(async (folder) => {
    const [int8, bf16] = [join(folder, "int8"), join(folder, "bf16")];
    await pack(DEMO, int8, { dtype: "int8" });
    await pack(DEMO, bf16);
    await refused(
      Janus.load(int8, { dtype: "fp32" }),
      "E_UNSUPPORTED",
      /dtype fp32 cannot be made of a checkpoint packed in int8/,
    );
    await refused(
      Janus.load(bf16, { dtype: "int8" }),
      "E_UNSUPPORTED",
      /dtype int8 cannot be made of a checkpoint packed in bf16/,
    );
    await refused(pack(int8, join(folder, "again")), "E_UNSUPPORTED", /packed in int8; pack the original/);
    await refused(pack(DEMO, int8), "E_USAGE", /exists/);
    await pack(DEMO, int8, { force: true });
    assert.is((await readPacked(int8)).metadata["dtype"], "bf16", "--force replaces what pack wrote");
  }));

test("a checkpoint with NaN is refused and leaves nothing", () =>
  inScratch(async (folder) => {
    const files = { ...tinyFiles("tiny-orig-safetensors") };
    const bytes = files["model.safetensors"]!.slice();
    const { byteOffset } = plainSafetensors(bytes).get("vision_model.vision_tower.blocks.0.mlp.fc1.weight")!.data;
    new DataView(bytes.buffer).setFloat32(byteOffset + 40, Number.NaN, true);
    const output = join(folder, "packed");
    await refused(
      pack(memorySource({ ...files, "model.safetensors": bytes }), output),
      "E_NUMERIC",
      /fc1\.weight \(1\)/,
    );
    assert.equal(readdirSync(folder), []);
  }));

test("an abort leaves nothing, and what was there before", () =>
  inScratch(async (folder) => {
    const output = join(folder, "packed");
    mkdirSync(output);
    cpSync(`${DEMO}/config.json`, join(output, "config.json"));
    const controller = new AbortController();
    const reason = new Error("enough");
    let seen = 0;
    const onProgress = (): void => {
      if (++seen === 4) controller.abort(reason);
    };
    const packing = pack(directorySource(DEMO), output, { force: true, signal: controller.signal, onProgress });
    assert.is(await packing.catch((error) => error), reason);
    assert.equal(readdirSync(folder), ["packed"]);
    assert.equal(readdirSync(output), ["config.json"]);
  }));

test.run();
