import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JanusError } from "#dist/errors.js";
import { elements } from "#dist/tensor.js";
import { syntheticPicture, syntheticTensor, syntheticTensors } from "#dist/weights/synthetic.js";
import { golden } from "../../support/paths.js";

interface Recorded {
  tensors: Record<string, { shape: number[]; first_bf16_bits: number[]; sha256: string }>;
  picture_sha256: string;
}

const recorded: Recorded = JSON.parse(readFileSync(golden("full-size/tensors.json"), "utf8"));
const sha256 = (data: Uint8Array | Uint16Array) => createHash("sha256").update(data).digest("hex");
const test = suite("weights/synthetic");

test("names, order and shapes are the recorded table", () => {
  assert.equal(
    syntheticTensors().map(({ name, dims }) => [name, [...dims]]),
    Object.entries(recorded.tensors).map(([name, { shape }]) => [name, shape]),
  );
});

test("the first bf16 patterns of every tensor", () => {
  for (const { name } of syntheticTensors()) {
    assert.equal([...syntheticTensor(name, 0, 4)], recorded.tensors[name]!.first_bf16_bits, name);
  }
});

test("the hashes of whole tensors: one of each rule that is not larger than an attention projection", () => {
  const largest = 3 * 1024 * 1024;
  const chosen = syntheticTensors().filter(
    ({ name, dims }) => elements(dims) <= largest && (!name.includes(".blocks.") || /\.blocks\.(0|23)\./.test(name)),
  );
  assert.is(chosen.length, 28);
  for (const { name, dims } of chosen) {
    assert.is(sha256(syntheticTensor(name, 0, elements(dims))), recorded.tensors[name]!.sha256, name);
  }
});

test("any slice is the slice of the whole, outliers and the ends of internal runs included", () => {
  const name = "vision_model.vision_tower.blocks.3.mlp.fc2.bias";
  const long = syntheticTensor(name, 0, 40_000);
  for (const [start, count] of [
    [0, 0],
    [1, 97],
    [96, 2],
    [97, 1],
    [98, 96],
    [8191, 3],
    [8192, 8192],
    [12_345, 20_001],
  ] as const) {
    assert.equal(syntheticTensor(name, start, count), long.slice(start, start + count), `${start}, ${count}`);
  }
});

test("a given target is filled from its start and no further", () => {
  const target = new Uint16Array(8).fill(7);
  assert.is(syntheticTensor("aligner.layers.0.bias", 2, 3, target), target);
  assert.equal([...target.subarray(0, 3)], [...syntheticTensor("aligner.layers.0.bias", 2, 3)]);
  assert.equal([...target.subarray(3)], [7, 7, 7, 7, 7]);
});

test("a name outside the table is refused", () => {
  assert.throws(
    () => syntheticTensor("lm_head.weight", 0, 1),
    (error: unknown) => error instanceof JanusError && error.code === "E_INTERNAL" && /lm_head/.test(error.message),
  );
});

test("the picture", () => {
  const picture = syntheticPicture();
  assert.equal([picture.width, picture.height, picture.data.length], [384, 384, 384 * 384 * 3]);
  assert.is(sha256(picture.data), recorded.picture_sha256);
});

test.run();
