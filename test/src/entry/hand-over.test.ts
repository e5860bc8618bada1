import { suite } from "uvu";
import * as assert from "uvu/assert";
import { namedTensors, toNpy, toSafetensors, toTorch } from "#dist/entry/hand-over.js";
import type { EmbedResult } from "#dist/entry/node/index.js";
import type { Tensor } from "#dist/tensor.js";
import { narrowBF16 } from "#dist/weights/narrow.js";
import { randomF32 } from "../../support/elements.js";
import { plainTorch } from "../../support/plain-torch.js";
import { refusedNow } from "../../support/refusal.js";
import { plainSafetensors } from "../../support/safetensors-bytes.js";

const test = suite("entry/hand-over");

const [B, T, D] = [2, 3, 4];
const floats = (...dims: number[]): Tensor<"float32"> => ({
  type: "float32",
  dims,
  data: randomF32(
    dims.reduce((product, d) => product * d, 1),
    dims.length,
  ) as Float32Array<ArrayBuffer>,
});
/** Two rows, the first with one position of padding. */
const result: EmbedResult = {
  inputsEmbeds: floats(B, T, D),
  attentionMask: { type: "int64", dims: [B, T], data: BigInt64Array.of(0n, 1n, 1n, 1n, 1n, 1n) },
  inputIds: { type: "int64", dims: [B, T], data: new BigInt64Array(B * T) },
  imagesSeqMask: { type: "bool", dims: [B, T], data: new Uint8Array(B * T) },
  imagesEmbMask: { type: "bool", dims: [B, 1, 1], data: new Uint8Array(B) },
  timings: { total: 1 } as unknown as EmbedResult["timings"],
  stages: { pixel_values: floats(B, 1, 3, 1, 1), "vision.block.0": floats(B, 1, 2) },
};
const rowBytes = [result.inputsEmbeds.data.subarray(D, 3 * D), result.inputsEmbeds.data.subarray(3 * D)].map((row) =>
  Buffer.from(row.buffer, row.byteOffset, row.byteLength),
);

test("a result becomes a file by the reference's names, in the contract's order, with its stages", () => {
  assert.equal(Object.keys(namedTensors(result)), [
    "inputs_embeds",
    "attention_mask",
    "input_ids",
    "images_seq_mask",
    "images_emb_mask",
    "pixel_values",
    "vision.block.0",
  ]);
  const file = plainSafetensors(toSafetensors(result, { metadata: { format: "pt" } }).toBytes());
  assert.equal(Object.fromEntries([...file].map(([name, { dtype, shape }]) => [name, [dtype, ...shape]])), {
    attention_mask: ["I64", B, T],
    input_ids: ["I64", B, T],
    inputs_embeds: ["F32", B, T, D],
    pixel_values: ["F32", B, 1, 3, 1, 1],
    "vision.block.0": ["F32", B, 1, 2],
    images_seq_mask: ["BOOL", B, T],
    images_emb_mask: ["BOOL", B, 1, 1],
  });
  const embeds = new Uint8Array(result.inputsEmbeds.data.buffer);
  assert.ok(Buffer.from(file.get("inputs_embeds")!.data).equals(embeds));
});

test("other results, and tensors by names of the caller's own", () => {
  const names = (tensors: Parameters<typeof toSafetensors>[0]): string[] => [
    ...plainSafetensors(toSafetensors(tensors).toBytes()).keys(),
  ];
  const [imageFeatures, imageEmbeds] = [floats(1, 2, 3), floats(1, 2, 4)];
  assert.equal(names({ imageFeatures, imageEmbeds }), ["image_features", "image_embeds"]);
  assert.equal(names({ pixelValues: imageFeatures }), ["pixel_values"]);
  assert.equal(names({ mine: imageFeatures, "pixel_values.2": imageEmbeds }), ["mine", "pixel_values.2"]);
  assert.equal(names({}), []);
});

test("bf16 is every float of a safetensors file", () => {
  const file = plainSafetensors(toSafetensors(result, { dtype: "bf16" }).toBytes());
  const dtypes = [...file].map(([name, { dtype }]) => `${name} ${dtype}`).sort();
  assert.equal(
    dtypes.join(),
    "attention_mask I64,images_emb_mask BOOL,images_seq_mask BOOL,input_ids I64,inputs_embeds BF16,pixel_values BF16,vision.block.0 BF16",
  );
  const narrowed = new Uint8Array(narrowBF16(result.inputsEmbeds.data).buffer);
  assert.ok(Buffer.from(file.get("inputs_embeds")!.data).equals(narrowed));
});

test("a .npy and a .pt file of each row, without its padding", () => {
  const npy = toNpy(result).map((file) => Buffer.from(file.toBytes()));
  assert.is(npy.length, B);
  assert.match(npy[0]!.toString("latin1", 0, 128), /'shape': \(2, 4\), /);
  assert.match(npy[1]!.toString("latin1", 0, 128), /'shape': \(3, 4\), /);
  for (const [row, file] of npy.entries()) assert.ok(file.subarray(128).equals(rowBytes[row]!));
  for (const [dtype, width] of [
    ["fp32", 4],
    ["bf16", 2],
  ] as const) {
    const torch = toTorch(result, { dtype }).map((file) => plainTorch(file.toBytes(), width).get("")!);
    assert.equal(
      torch.map(({ shape }) => shape),
      [
        [2, 4],
        [3, 4],
      ],
    );
    for (const [row, { data }] of torch.entries()) {
      const { buffer, byteOffset, byteLength } = rowBytes[row]!;
      const own = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
      const expected = dtype === "fp32" ? own : narrowBF16(own);
      assert.ok(Buffer.from(data).equals(new Uint8Array(expected.buffer)), `${dtype} ${row}`);
    }
  }
});

test("a tensor alone: every row of a batch, or one matrix", () => {
  assert.is(toNpy(result.inputsEmbeds).length, B);
  const [whole, ...others] = toTorch(floats(5, 7));
  assert.is(others.length, 0);
  assert.equal(plainTorch(whole!.toBytes(), 4).get("")!.shape, [5, 7]);
  assert.equal(toTorch({ inputsEmbeds: floats(0, 3, 2) }), []);
});

test("bf16 in .npy is E_UNSUPPORTED of an output, another dtype a usage error, other tensors E_SHAPE", () => {
  const error = refusedNow(
    () => toNpy(result, { dtype: "bf16" }),
    "E_UNSUPPORTED",
    /expected fp32, got bf16.*write \.pt/,
  );
  assert.is(error.origin, "output");
  const fp16 = { dtype: "fp16" as "fp32" };
  for (const write of [toNpy, toTorch, toSafetensors]) {
    refusedNow(
      () => write(result, fp16),
      "E_USAGE",
      new RegExp(`${write.name}: dtype must be fp32 or bf16, got "fp16"`),
    );
  }
  refusedNow(
    () => toTorch(result.inputIds as unknown as Tensor<"float32">),
    "E_SHAPE",
    /toTorch: inputs_embeds must be/,
  );
  refusedNow(() => toNpy(undefined as never), "E_SHAPE", /toNpy: inputs_embeds must be/);
  refusedNow(() => toSafetensors({ x: null as never }), "E_SHAPE", /"x"/);
});

test("what is no result at all is E_SHAPE", () => {
  for (const nothing of [undefined, null, 5])
    refusedNow(() => toSafetensors(nothing as never), "E_SHAPE", /^toSafetensors: expected a result, or tensors/);
});

test.run();
