import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "#dist/entry/load.js";
import { type EmbedRequest, Preparer } from "#dist/entry/prepare.js";
import { type Files, recordedFiles, withoutFile } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { golden } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";
import { type WatchedHost, watchedHost } from "../../support/watched-host.js";

const test = suite("entry/prepare");

const FILES = recordedFiles("tiny-orig-safetensors");

async function withPreparer(
  work: (preparer: Preparer, host: WatchedHost) => Promise<void>,
  files: Files = FILES,
  on?: (event: string) => void,
): Promise<void> {
  const host = watchedHost(on);
  const source = await host.openModel(memorySource(files));
  const preparer = new Preparer(host, await openModel(source));
  try {
    await work(preparer, host);
  } finally {
    await preparer.dispose();
  }
  assert.is(host.held().tokenizers, 0);
}

test("one request and a list of one are the same; the prompt is as it was tokenized, images are handed on", () =>
  withPreparer(async (preparer) => {
    const image = { width: 1, height: 1, data: new Uint8Array(3) };
    const request: EmbedRequest = { prompt: "<image_placeholder>\nOne picture.", images: [image] };
    const one = await preparer.prepare(request);
    assert.equal(await preparer.prepare([request]), one);
    assert.equal(one.prompts, ["<image_placeholder>\nOne picture."]);
    assert.is(one.images[0]?.[0], image);
    const [, length = 0] = one.inputIds.dims;
    assert.is(
      one.imagesSeqMask.data.reduce((sum, slot) => sum + slot, 0),
      16,
    );
    assert.ok(one.attentionMask.data.every((value) => value === 1n) && length > 16);
  }));

test("rows are padded on the left, text alone has an image that nobody uses", () =>
  withPreparer(async (preparer) => {
    const { inputIds, attentionMask, imagesEmbMask, images } = await preparer.prepare([
      { prompt: "a" },
      { prompt: "a longer one, which makes the row longer" },
    ]);
    const [, length = 0] = inputIds.dims;
    assert.is(attentionMask.data[0], 0n);
    assert.is(attentionMask.data[length - 1], 1n);
    assert.equal(imagesEmbMask.dims, [2, 1, 16]);
    assert.ok(imagesEmbMask.data.every((value) => value === 0));
    assert.equal(images, [[], []]);
  }));

test("P16 an empty list is a batch of none", () =>
  withPreparer(async (preparer) => {
    const none = await preparer.prepare([]);
    assert.equal([none.inputIds.dims, none.imagesEmbMask.dims, none.prompts], [[0, 0], [0, 1, 16], []]);
  }));

test("P20 far too many images are refused before anything is decoded", () =>
  withPreparer(async (preparer, host) => {
    const request = { prompt: "<image_placeholder>".repeat(1024), images: Array(1024).fill(golden("no-such.png")) };
    await refused(preparer.prepare(request), "E_PROMPT", /the model takes at most 16384/);
    assert.not.ok(host.events.includes("decode"));
  }));

test("the tokenizer starts with the first prompt, once, and is found again after an error", () =>
  withPreparer(async (preparer, host) => {
    assert.not.ok(host.events.includes("read:tokenizer.json"));
    await refused(preparer.prepare({ prompt: "<image_placeholder>" }), "E_PROMPT", /1 placeholder but 0 images/);
    await preparer.prepare({ prompt: "a" });
    await preparer.prepare({ prompt: "b" });
    assert.is(host.events.filter((event) => event === "read:tokenizer.json").length, 1);
    assert.is(host.held().tokenizers, 1);
  }));

test("without tokenizer.json a prompt is E_CONFIG, every time", () =>
  withPreparer(
    async (preparer) => {
      for (let time = 0; time < 2; time++) {
        await refused(
          preparer.prepare({ prompt: "a" }),
          "E_CONFIG",
          /^memory: tokenizer.json is missing; a prompt needs it/,
        );
      }
    },
    withoutFile(FILES, "tokenizer.json"),
  ));

test("tokenizer_config.json and special_tokens_map.json may be absent", async () => {
  let files = FILES;
  const expected: string[] = [];
  for (const absent of [undefined, "special_tokens_map.json", "tokenizer_config.json"]) {
    if (absent) files = withoutFile(files, absent);
    await withPreparer(async (preparer) => {
      const { inputIds } = await preparer.prepare({ prompt: "a" });
      expected.push(inputIds.data.join());
    }, files);
  }
  assert.is(expected[1], expected[0]);
  assert.is(expected.length, 3);
});

test("an abort at each step is the reason, and the next prompt is well", async () => {
  for (const when of ["read:tokenizer.json", "read:tokenizer_config.json", "tokenizer", "tokenize"]) {
    let controller: AbortController | undefined;
    const on = (event: string): void => {
      if (event === when) controller?.abort("enough");
    };
    await withPreparer(
      async (preparer) => {
        controller = new AbortController();
        assert.is(await rejection(preparer.prepare({ prompt: "a" }, controller.signal)), "enough", when);
        controller = undefined;
        assert.is((await preparer.prepare({ prompt: "a" })).prompts[0], "a");
      },
      FILES,
      on,
    );
  }
});

test("disposing of what was never started, and twice", async () => {
  const host = watchedHost();
  const preparer = new Preparer(host, await openModel(memorySource(FILES)));
  await preparer.dispose();
  await preparer.dispose();
  assert.is(host.held().tokenizers, 0);
});

test.run();
