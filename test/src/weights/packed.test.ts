import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  describe,
  fitsLayout,
  packedMetadata,
  rangeRows,
  readPacking,
  scalesOf,
  storedShape,
} from "#dist/weights/packed.js";
import { isPacked } from "#dist/weights/packed-mark.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("weights/packed");

const PACKING = {
  dtype: "int8",
  names: "original",
  source: new Map([["model.safetensors", "a".repeat(64)]]),
} as const;
const TENSOR = { name: "blocks.0.qkv.weight", layout: "panels8x4", dtype: "I8", shape: [9, 6] } as const;
const SHA = "0123456789abcdef".repeat(4);

function file(edits: Record<string, string | undefined> = {}, path = "model.safetensors") {
  const entries = Object.entries({ ...packedMetadata(PACKING, [TENSOR], [SHA]), ...edits });
  return { path, metadata: new Map(entries.filter((entry): entry is [string, string] => entry[1] !== undefined)) };
}

test("stored shapes are whole panels, words and vectors", () => {
  assert.equal(storedShape("panels8", [9, 3, 2, 2]), [2, 12, 8]);
  assert.equal(storedShape("panels8x4", [9, 6]), [2, 2, 8, 4]);
  assert.equal(storedShape("vector8", [9]), [16]);
  assert.equal(storedShape("vector8", [3, 5]), [16]);
  assert.equal(storedShape("rows", [9, 6]), [9, 6]);
  assert.is(storedShape("panels8", [2, 2 ** 30, 2 ** 30]), undefined);
});

test("which dtypes a layout comes in", () => {
  const fitting = (layout: Parameters<typeof fitsLayout>[0]): string[] =>
    ["F32", "F16", "BF16", "I8", "I64"].filter((dtype) => fitsLayout(layout, dtype));
  assert.equal(fitting("panels8"), ["F32", "F16", "BF16"]);
  assert.equal(fitting("panels8x4"), ["I8"]);
  assert.equal(fitting("vector8"), ["F32"]);
  assert.equal(fitting("rows"), ["F32", "F16", "BF16"]);
});

test("ranges of the token table are about 4 MiB, a row at least", () => {
  assert.is(rangeRows(4096), 1024);
  assert.is(rangeRows(4 << 20), 1);
  assert.is(rangeRows(5 << 20), 1);
  assert.is(scalesOf("blocks.1.fc1.weight"), "blocks.1.fc1.scales");
});

test("what is written is read back", () => {
  assert.ok(isPacked(file()));
  assert.not.ok(isPacked({ metadata: new Map([["format", "pt"]]) }));
  assert.equal(readPacking([file(), file()]), PACKING);
  assert.equal(describe(file(), TENSOR.name), { layout: "panels8x4", shape: [9, 6], sha256: SHA });
});

test("another version, dtype or naming is refused by the file's name", () => {
  const packing = (edits: Record<string, string | undefined>) => () => readPacking([file(edits)]);
  refusedNow(packing({ version: "2" }), "E_UNSUPPORTED", /model\.safetensors: expected version 1 .* found "2"/);
  refusedNow(packing({ version: undefined }), "E_UNSUPPORTED", /expected version 1/);
  refusedNow(packing({ names: "mine" }), "E_FORMAT", /expected dtype and names/);
  refusedNow(packing({ dtype: "int8\n" }), "E_FORMAT", /expected dtype and names/);
});

test("files of different packings do not go together", () => {
  const other = (edits: Record<string, string | undefined>) => () =>
    readPacking([file(), file(edits, "b.safetensors")]);
  refusedNow(other({ "source.model.safetensors": "b".repeat(64) }), "E_FORMAT", /b\.safetensors: .*same packing/);
  refusedNow(other({ dtype: "bf16" }), "E_FORMAT", /b\.safetensors: .*same packing/);
  refusedNow(other({ format: "pt" }), "E_FORMAT", /b\.safetensors: .*packed checkpoint/);
});

test("a tensor that is not described, or by another release, is refused", () => {
  const text = (description: string | undefined) => () => describe(file({ [TENSOR.name]: description }), TENSOR.name);
  refusedNow(text(undefined), "E_FORMAT", /of tensor "blocks\.0\.qkv\.weight" in the metadata, found nothing/);
  refusedNow(text(`layout=panels8x4 shape=9,x sha256=${SHA}`), "E_FORMAT", /expected layout, shape and sha256/);
  refusedNow(
    text(`layout=panels8x4 shape=9,6 sha256=${SHA.slice(1)}`),
    "E_FORMAT",
    /expected layout, shape and sha256/,
  );
  refusedNow(text(`layout=panels16 shape=9,6 sha256=${SHA}`), "E_UNSUPPORTED", /layouts .* found "panels16"/);
});

test.run();
