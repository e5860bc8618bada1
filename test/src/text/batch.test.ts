import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Tensor } from "#dist/tensor.js";
import { batchify, expand, type TokenBatch } from "#dist/text/batch.js";
import type { Message } from "#dist/text/conversation.js";
import { renderRequests } from "#dist/text/request.js";
import { createTokenizer, type SpecialTokens } from "#dist/text/tokenizer.js";
import { golden } from "../../support/paths.js";
import { refusedNow } from "../../support/refusal.js";
import { tokenizerFiles } from "../../support/tokenizer-files.js";

interface Case {
  name: string;
  checkpoint: string;
  equivalent_checkpoints: string[];
  mode: "processor" | "tensors";
  rows: { conversation?: Message[]; prompt?: string; images?: string[]; rendered: string }[];
}

const CASES = readdirSync(golden("cases")).map(
  (name) => JSON.parse(readFileSync(golden(`cases/${name}/case.json`), "utf8")) as Case,
);

/** The shape and the bytes of one tensor of a recorded case. */
function recorded(name: string, tensor: string): { shape: number[]; bytes: Uint8Array } {
  const file = readFileSync(golden(`cases/${name}/expected.safetensors`));
  const begin = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, begin)) as {
    [key: string]: { shape: number[]; data_offsets: [number, number] };
  };
  const { shape, data_offsets } = header[tensor]!;
  return { shape, bytes: new Uint8Array(file.subarray(begin + data_offsets[0], begin + data_offsets[1])) };
}

function sameTensor(actual: Tensor, name: string, tensor: string): void {
  const expected = recorded(name, tensor);
  assert.equal(actual.dims, expected.shape, `${name}: dims of ${tensor}`);
  const { buffer, byteOffset, byteLength } = actual.data;
  assert.equal(new Uint8Array(buffer, byteOffset, byteLength), expected.bytes, `${name}: ${tensor}`);
}

const SPECIAL: SpecialTokens = {
  bos: 1,
  eos: 2,
  pad: 3,
  placeholder: 9,
  boi: 7,
  eoi: 8,
  proRoles: false,
  imageTag: "<image_placeholder>",
};
const OPTIONS = { tokensPerImage: 2, maxPositions: 16384 };

function ids(batch: TokenBatch): number[] {
  return Array.from(batch.inputIds.data, Number);
}

const test = suite("text/batch");

const processed = CASES.filter(({ mode }) => mode === "processor");

test("the recorded cases are here", () => {
  assert.is(processed.length, 12);
});

for (const { name, checkpoint, equivalent_checkpoints, rows } of processed) {
  for (const tokenizerOf of [checkpoint, ...equivalent_checkpoints]) {
    test(`${name} on ${tokenizerOf}: rendered prompts, ids and masks as recorded`, () => {
      const { special, encode } = createTokenizer(tokenizerFiles(tokenizerOf), { vocabRows: 1024 });
      const requests = rows.map(({ conversation, prompt, images }) =>
        conversation === undefined ? { prompt, images } : { conversation },
      );
      const prompts = renderRequests(requests, special);
      assert.equal(
        prompts.map(({ prompt }) => prompt),
        rows.map(({ rendered }) => rendered),
      );
      const tokensPerImage = recorded(name, "images_emb_mask").shape[2]!;
      const tokens = prompts.map(({ prompt, images }) => ({ ids: encode(prompt), images: images.length }));
      const batch = batchify(tokens, special, { tokensPerImage, maxPositions: 16384 });
      sameTensor(batch.inputIds, name, "input_ids");
      sameTensor(batch.attentionMask, name, "attention_mask");
      sameTensor(batch.imagesSeqMask, name, "images_seq_mask");
      sameTensor(batch.imagesEmbMask, name, "images_emb_mask");
    });
  }
}

test("a placeholder expands to begin, P placeholders, end", () => {
  assert.equal(expand([1, 5, 9, 6], SPECIAL, 3), [1, 5, 7, 9, 9, 9, 8, 6]);
  assert.equal(expand([1, 5], SPECIAL, 3), [1, 5]);
  assert.equal(expand([], SPECIAL, 3), []);
});

test("P12 rows of different length are padded on the left; the masks say where", () => {
  const batch = batchify(
    [
      { ids: [1, 5], images: 0 },
      { ids: [1, 9, 5], images: 1 },
      { ids: [1], images: 0 },
    ],
    SPECIAL,
    OPTIONS,
  );
  assert.equal(batch.inputIds.dims, [3, 6]);
  assert.equal(ids(batch), [3, 3, 3, 3, 1, 5, 1, 7, 9, 9, 8, 5, 3, 3, 3, 3, 3, 1]);
  assert.equal(Array.from(batch.attentionMask.data, Number), [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1]);
  assert.equal([...batch.imagesSeqMask.data], [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(batch.imagesEmbMask.dims, [3, 1, 2]);
  assert.equal([...batch.imagesEmbMask.data], [0, 0, 1, 1, 0, 0]);
  assert.equal([batch.inputIds.type, batch.attentionMask.type], ["int64", "int64"]);
  assert.equal([batch.imagesSeqMask.type, batch.imagesEmbMask.type], ["bool", "bool"]);
});

test("P12 rows of different numbers of images share N, the missing ones are masked", () => {
  const batch = batchify(
    [
      { ids: [9], images: 1 },
      { ids: [9, 9, 9], images: 3 },
    ],
    SPECIAL,
    OPTIONS,
  );
  assert.equal(batch.imagesEmbMask.dims, [2, 3, 2]);
  assert.equal([...batch.imagesEmbMask.data], [1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
});

test("P01 a row of text, or of nothing, still has room for one image", () => {
  const batch = batchify([{ ids: [], images: 0 }], SPECIAL, OPTIONS);
  assert.equal(
    [batch.inputIds.dims, batch.imagesEmbMask.dims],
    [
      [1, 0],
      [1, 1, 2],
    ],
  );
  assert.equal([...batch.imagesEmbMask.data], [0, 0]);
});

test("P02 images without a placeholder are refused with both counts", () => {
  refusedNow(
    () => batchify([{ ids: [1, 5], images: 2 }], SPECIAL, OPTIONS),
    "E_PROMPT",
    /^row 0: 0 placeholders but 2 images/,
  );
});

test("P03 more or fewer placeholders than images are refused with both counts and the row", () => {
  const fine = { ids: [9], images: 1 };
  refusedNow(
    () => batchify([fine, { ids: [9, 9], images: 1 }], SPECIAL, OPTIONS),
    "E_PROMPT",
    /^row 1: 2 placeholders but 1 image/,
  );
  refusedNow(
    () => batchify([{ ids: [9], images: 2 }, fine], SPECIAL, OPTIONS),
    "E_PROMPT",
    /^row 0: 1 placeholder but 2 images/,
  );
  // Sums that agree over the batch would slip from row to row.
  const crossed = [
    { ids: [9, 9], images: 1 },
    { ids: [9], images: 2 },
  ];
  refusedNow(() => batchify(crossed, SPECIAL, OPTIONS), "E_PROMPT", /^row 0: 2 placeholders but 1 image/);
});

test("P04 a placeholder typed by a user counts, and is refused without its image", () => {
  const { special, encode } = createTokenizer(tokenizerFiles("tiny-orig-safetensors"), { vocabRows: 1024 });
  const requests = [{ question: "what does <image_placeholder> mean?", images: ["a"] }];
  const rows = renderRequests(requests, special);
  const tokens = rows.map(({ prompt, images }) => ({ ids: encode(prompt), images: images.length }));
  refusedNow(
    () => batchify(tokens, special, OPTIONS),
    "E_PROMPT",
    /^row 0: 2 placeholders but 1 image; .*<image_placeholder>/,
  );
});

test("P05 a sequence longer than the model takes is refused with both figures", () => {
  const row = (length: number) => [{ ids: new Array<number>(length).fill(5), images: 0 }];
  refusedNow(() => batchify(row(1_000_000), SPECIAL, OPTIONS), "E_PROMPT", /1000000 positions/, /at most 16384/);
  refusedNow(() => batchify(row(16385), SPECIAL, OPTIONS), "E_PROMPT", /16385 positions/);
  assert.equal(batchify(row(16384), SPECIAL, OPTIONS).inputIds.dims, [1, 16384]);
});

test("P13 begin and end of image count as positions", () => {
  // 28 images of 576 + 2 are 16184 positions; 200 more are the limit.
  const options = { tokensPerImage: 576, maxPositions: 16384 };
  const row = (text: number) => [
    { ids: [...new Array<number>(28).fill(9), ...new Array<number>(text).fill(5)], images: 28 },
  ];
  assert.equal(batchify(row(200), SPECIAL, options).inputIds.dims, [1, 16384]);
  refusedNow(() => batchify(row(201), SPECIAL, options), "E_PROMPT", /16385 positions, of which 16184 for 28 images/);
});

test("P13 a prompt that already holds expanded placeholders is counted as it stands", () => {
  for (const count of [575, 577]) {
    const row = { ids: new Array<number>(count).fill(9), images: 1 };
    refusedNow(() => batchify([row], SPECIAL, OPTIONS), "E_PROMPT", new RegExp(`${count} placeholders but 1 image`));
  }
});

test("P14 two images with no text between", () => {
  const batch = batchify([{ ids: [1, 9, 9], images: 2 }], SPECIAL, OPTIONS);
  assert.equal(ids(batch), [1, 7, 9, 9, 8, 7, 9, 9, 8]);
  assert.equal([...batch.imagesEmbMask.data], [1, 1, 1, 1]);
});

test("P15 an image at the very start, and at the very end", () => {
  assert.equal(ids(batchify([{ ids: [9, 5], images: 1 }], SPECIAL, OPTIONS)), [7, 9, 9, 8, 5]);
  assert.equal(ids(batchify([{ ids: [5, 9], images: 1 }], SPECIAL, OPTIONS)), [5, 7, 9, 9, 8]);
});

test("P16 no rows are a batch of none", () => {
  const batch = batchify([], SPECIAL, OPTIONS);
  assert.equal(
    [batch.inputIds.dims, batch.imagesEmbMask.dims],
    [
      [0, 0],
      [0, 1, 2],
    ],
  );
  assert.is(batch.inputIds.data.length, 0);
});

test("P20 512 images in one prompt are refused before anything is expanded", () => {
  const row = { ids: new Array<number>(512).fill(9), images: 512 };
  const options = { tokensPerImage: 2 ** 40, maxPositions: 16384 };
  refusedNow(() => batchify([row], SPECIAL, options), "E_PROMPT", /512 images/, /at most 16384/);
  refusedNow(
    () => batchify([row], SPECIAL, { tokensPerImage: 576, maxPositions: 16384 }),
    "E_PROMPT",
    /295936 positions/,
  );
});

test("a batch that cannot be allocated is E_OOM with its bytes", () => {
  const row = { ids: [], images: 0 };
  const options = { tokensPerImage: 2 ** 52, maxPositions: 16384 };
  refusedNow(() => batchify([row], SPECIAL, options), "E_OOM", /4503599627370496 bytes/);
});

test.run();
