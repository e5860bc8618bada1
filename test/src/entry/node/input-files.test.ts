import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readConversation, readInputs, readRequests } from "#dist/entry/node/input-files.js";
import { encodeSafetensorsHeader } from "#dist/weights/safetensors.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";
import { dictPickle, op, tensorPickle, torchBytes } from "../../../support/torch-bytes.js";
import { concat } from "../../../support/zip-bytes.js";

const test = suite("entry/node/input-files");

const never = new AbortController().signal;

function inFile<T>(content: string | Uint8Array, work: (path: string, folder: string) => Promise<T>): Promise<T> {
  return inScratch(async (folder) => {
    const path = join(folder, "file");
    writeFileSync(path, content);
    return work(path, folder);
  });
}

const requests = (content: string, images: string[] = [], system: { system?: string } = {}) =>
  inFile(content, (path) => readRequests(path, images, system, never));

test("requests: a line each; L07: CRLF, a byte order mark, blank lines and duplicates", async () => {
  const read = await requests('\ufeff{"prompt":"a"}\r\n\r\n  \n{"prompt":"a"}\n{"question":"b\u2028c"}');
  assert.equal(read, [{ prompt: "a" }, { prompt: "a" }, { question: "b\u2028c" }]);
});

test("image paths are relative to the file; URLs and absolute paths are not", () =>
  inFile("", async (path, folder) => {
    const images = ["a.png", "../b.png", "/c.png", "data:image/png;base64,AA==", "FILE:///d.png", "https://e/f.png"];
    const resolved = [join(folder, "a.png"), join(folder, "../b.png"), ...images.slice(2)];
    const conversation = [
      { role: "User", content: "x", images },
      { role: "Assistant", content: "" },
    ];
    const expected = [{ role: "User", content: "x", images: resolved }, conversation[1]];
    writeFileSync(path, JSON.stringify(conversation));
    assert.equal(await readConversation(path, never), expected);
    writeFileSync(path, `${JSON.stringify({ question: "q", images })}\n${JSON.stringify({ conversation })}`);
    const read = await readRequests(path, [], {}, never);
    assert.equal(read, [{ question: "q", images: resolved }, { conversation: expected }]);
  }));

test("--system is for requests that render a conversation and have no system prompt of their own", async () => {
  const lines = '{"question":"a"}\n{"question":"b","system":"mine"}\n{"prompt":"c"}\n{"conversation":[]}';
  assert.equal(await requests(lines, [], { system: "" }), [
    { question: "a", system: "" },
    { question: "b", system: "mine" },
    { prompt: "c" },
    { conversation: [], system: "" },
  ]);
});

test("what is wrong names the line of the file", async () => {
  const deep = "[".repeat(200_000) + "]".repeat(200_000);
  for (const [content, message] of [
    ['{"prompt":"a"}\n\n{"prompt":}', /file" line 3: expected JSON, got /],
    ["\n[1]", /line 2: expected a JSON object, got a list/],
    ["null", /line 1: expected a JSON object, got null/],
    ['"text"', /line 1: expected a JSON object, got "text"/],
    [deep, /line 1: expected a JSON object, got a list/],
    ['{"prompt":"a","images":[1]}', /line 1: image 0 must be a path, got 1/],
    ['{"prompt":"a","images":["x",""]}', /line 1: image 1 must be a path, got ""/],
    [`{"prompt":"a","images":[${deep}]}`, /line 1: image 0 must be a path, got a list/],
    ['{"conversation":[{},{"images":[{}]}]}', /line 1 message 1: image 0 must be a path, got an object/],
    ["", /got an empty file/],
    [" \r\n\n\t\n", /got an empty file/],
  ] as const) {
    await refused(requests(content), "E_PROMPT", message);
  }
  await refused(requests('{"prompt":"a"}', ["a.png"]), "E_PROMPT", /leave --image out/);
});

test("1024 requests are a batch, one more is refused without reading on", async () => {
  const line = '{"prompt":"a"}\n';
  assert.is((await requests(line.repeat(1024))).length, 1024);
  await refused(requests(`${line.repeat(1024)}\n${line}not JSON`), "E_PROMPT", /line 1026: expected at most 1024/);
});

test("a conversation that is no list, or no JSON", async () => {
  const conversation = (content: string) => inFile(content, (path) => readConversation(path, never));
  assert.equal(await conversation("\ufeff[]"), []);
  await refused(conversation("{}"), "E_PROMPT", /expected a JSON list of messages, got an object/);
  await refused(conversation("[,]"), "E_PROMPT", /expected JSON/);
  await refused(conversation('[{"images":[null]}]'), "E_PROMPT", /message 0: image 0 must be a path, got null/);
});

type Entry = readonly [dtype: string, shape: readonly number[], bytes: number];

/** A batch of one row, four positions and one image of two tokens and 2x2 pixels. */
const INPUTS: Readonly<Record<string, Entry>> = {
  input_ids: ["I64", [1, 4], 32],
  images_seq_mask: ["BOOL", [1, 4], 4],
  images_emb_mask: ["BOOL", [1, 1, 2], 2],
  pixel_values: ["F32", [1, 1, 3, 2, 2], 48],
};

function inputs(changes: Readonly<Record<string, Entry | undefined>> = {}) {
  const merged = { ...INPUTS, ...changes };
  const entries = Object.entries(merged).filter((entry): entry is [string, Entry] => entry[1] !== undefined);
  const header = encodeSafetensorsHeader(entries.map(([name, [dtype, shape]]) => ({ name, dtype, shape })));
  const data = Buffer.alloc(entries.reduce((sum, [, [, , bytes]]) => sum + bytes, 0));
  return inFile(Buffer.concat([header, data]), (path) => readInputs(path, never));
}

test("inputs: the processor's four tensors; the mask is ones, or the file's; others are ignored", async () => {
  const read = await inputs({ notes: ["F64", [2], 16] });
  assert.equal(read.inputIds.dims, [1, 4]);
  assert.equal(read.pixelValues.dims, [1, 1, 3, 2, 2]);
  assert.equal(read.attentionMask, { type: "int64", dims: [1, 4], data: BigInt64Array.of(1n, 1n, 1n, 1n) });
  const masked = await inputs({ attention_mask: ["I64", [1, 4], 32] });
  assert.equal(masked.attentionMask.data, new BigInt64Array(4));
  assert.is((await inputs({ pixel_values: ["BF16", [1, 1, 3, 2, 2], 24] })).pixelValues.type, "float32");
});

test("inputs: what torch.save wrote of the processor's dict, prompts included", async () => {
  const tensor = (storage: string, type: string, shape: readonly number[]): Uint8Array => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, d) => product * d, 1));
    return tensorPickle({ storage, type, shape, strides });
  };
  const members = {
    sft_format: concat([op.emptyList, op.text("a prompt"), op.append]),
    input_ids: tensor("0", "LongStorage", [1, 4]),
    pixel_values: tensor("1", "BFloat16Storage", [1, 1, 3, 2, 2]),
    images_seq_mask: tensor("2", "BoolStorage", [1, 4]),
    images_emb_mask: tensor("3", "BoolStorage", [1, 1, 2]),
  };
  const storages = { 0: Buffer.alloc(32, 1), 1: Buffer.alloc(24, 0x3f), 2: Buffer.alloc(4, 1), 3: Buffer.alloc(2) };
  const saved = (pickles: Record<string, Uint8Array>) =>
    inFile(torchBytes(dictPickle(pickles), storages), (path) => readInputs(path, never));
  const read = await saved(members);
  assert.equal(read.inputIds, { type: "int64", dims: [1, 4], data: new BigInt64Array(4).fill(0x0101010101010101n) });
  assert.is(read.pixelValues.data[11], new Float32Array(Uint32Array.of(0x3f3f0000).buffer)[0]);
  assert.equal([read.imagesSeqMask.data, read.imagesEmbMask.data], [Uint8Array.of(1, 1, 1, 1), Uint8Array.of(0, 0)]);
  assert.equal(read.attentionMask.data, new BigInt64Array(4).fill(1n));
  await refused(saved({ ...members, input_ids: op.none }), "E_PROMPT", /input_ids is missing/);
  await refused(saved({ ...members, pixel_values: members.input_ids }), "E_PROMPT", /must be float32, got I64/);
  const huge = { storage: "3", type: "BoolStorage", elements: 2, shape: [1, 2 ** 31 + 1], strides: [0, 0] };
  await refused(saved({ ...members, images_seq_mask: tensorPickle(huge) }), "E_PROMPT", /at most 2147483648 bytes/);
  storages[3] = Buffer.of(1, 2);
  await refused(saved(members), "E_PROMPT", /expected 0 or 1 in tensor "images_emb_mask", found 2/);
});

test("inputs: one that is missing, or of another type, is E_PROMPT", async () => {
  for (const name of Object.keys(INPUTS)) {
    await refused(inputs({ [name]: undefined }), "E_PROMPT", new RegExp(`${name} is missing`));
  }
  for (const [name, entry, message] of [
    ["input_ids", ["F32", [1, 4], 16], /input_ids must be int64, got F32/],
    ["images_seq_mask", ["I64", [1, 4], 32], /images_seq_mask must be bool, got I64/],
    ["images_emb_mask", ["U8", [1, 1, 2], 2], /images_emb_mask must be bool, got U8/],
    ["pixel_values", ["I64", [1, 1, 3, 2, 2], 96], /pixel_values must be float32, got I64/],
    ["attention_mask", ["BOOL", [1, 4], 4], /attention_mask must be int64, got BOOL/],
  ] as const) {
    await refused(inputs({ [name]: entry }), "E_PROMPT", message);
  }
});

test("inputs: shapes of different batches are E_SHAPE of an input", async () => {
  for (const [name, entry, message] of [
    ["input_ids", ["I64", [4], 32], /input_ids must be \[B, T\], got \[4\]/],
    ["attention_mask", ["I64", [1, 5], 40], /attention_mask must be \[1, 4\], got \[1, 5\]/],
    ["images_seq_mask", ["BOOL", [2, 4], 8], /images_seq_mask must be \[1, 4\], got \[2, 4\]/],
    ["images_emb_mask", ["BOOL", [2, 1, 2], 4], /images_emb_mask must be \[1, N, P\], got \[2, 1, 2\]/],
    ["pixel_values", ["F32", [1, 2, 3, 2, 2], 96], /pixel_values must be \[1, 1, 3, S, S\], got \[1, 2, 3, 2, 2\]/],
    ["pixel_values", ["F32", [1, 3, 2, 2], 48], /pixel_values must be \[1, 1, 3, S, S\], got \[1, 3, 2, 2\]/],
  ] as const) {
    assert.is((await refused(inputs({ [name]: entry }), "E_SHAPE", message)).origin, "input");
  }
});

test("inputs: a tensor beyond 2 GiB is refused before it is read", () => {
  const shape = [1, 2 ** 28 + 1];
  const header = encodeSafetensorsHeader([{ name: "input_ids", dtype: "I64", shape }]);
  return inFile(header, async (path) => {
    // Sparse: only the header takes disk.
    truncateSync(path, header.length + 8 * shape[1]!);
    await refused(readInputs(path, never), "E_PROMPT", /input_ids must have at most 2147483648 bytes, got 2147483656/);
  });
});

test.run();
