import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Feeds, INPUT_NAMES, readFeeds } from "#dist/entry/transformers/feeds.js";
import { refusedNow } from "../../../support/refusal.js";

const test = suite("entry/transformers/feeds");

const feeds = (): Feeds => ({
  input_ids: { type: "int64", dims: [1, 1], data: BigInt64Array.of(3n) },
  pixel_values: { type: "float32", dims: [0, 0, 3, 384, 384], data: new Float32Array(0) },
  images_seq_mask: { type: "bool", dims: [1, 1], data: new Uint8Array(1) },
  images_emb_mask: { type: "bool", dims: [1, 1, 0], data: new Uint8Array(0) },
});

test("by the names of the export, in the place of the reference's arguments", () => {
  assert.equal(INPUT_NAMES, ["input_ids", "pixel_values", "images_seq_mask", "images_emb_mask"]);
  const given = feeds();
  const { inputIds, pixelValues, imagesSeqMask, imagesEmbMask } = readFeeds(given);
  assert.equal(
    [inputIds, pixelValues, imagesSeqMask, imagesEmbMask],
    INPUT_NAMES.map((name) => given[name]),
  );
});

test("one that is missing, or is no tensor, is named", () => {
  for (const name of INPUT_NAMES) {
    for (const value of [undefined, null, 5, "tensor", {}, { dims: 3 }]) {
      const error = refusedNow(
        () => readFeeds({ ...feeds(), [name]: value }),
        "E_SHAPE",
        new RegExp(`no tensor ${name}`),
      );
      assert.is(error.origin, "input");
    }
  }
  for (const value of [undefined, null, 5]) refusedNow(() => readFeeds(value as unknown as Feeds), "E_SHAPE");
});

test("one that is not in main memory is refused, with onnxruntime's reason as the cause", () => {
  const reason = new Error("the data is not on the CPU");
  const elsewhere = {
    type: "float32",
    dims: [1, 1, 3, 96, 96],
    get data(): never {
      throw reason;
    },
  };
  const error = refusedNow(
    () => readFeeds({ ...feeds(), pixel_values: elsewhere }),
    "E_SHAPE",
    /pixel_values in main memory/,
  );
  assert.is(error.cause, reason);
});

test.run();
