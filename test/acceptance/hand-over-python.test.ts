/** The files as Python finds them: NumPy, PyTorch and safetensors read the numbers that were written, and what they save is read here. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Janus, type Tensor, toNpy, toSafetensors, toTorch } from "#dist/entry/node/index.js";
import { narrowBF16 } from "#dist/weights/narrow.js";
import { janus, temporaryFolder } from "../support/cli.js";
import { golden, ROOT } from "../support/paths.js";
import { pythonTest, runPython } from "../support/python.js";
import { readTensors } from "../support/tensors.js";

const test = suite("acceptance/hand-over-python");

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Prints shape, dtype and sha256 of every tensor of the files named, as JSON: safetensors by name, .npy and .pt as "". */
const READ = `
import hashlib, io, json, sys, zipfile
import numpy, safetensors.torch, torch

def seen(tensor):
    data = tensor.contiguous().view(torch.uint8) if tensor.numel() and tensor.dtype != torch.bool else tensor.contiguous()
    return [list(tensor.shape), str(tensor.dtype).removeprefix("torch."), hashlib.sha256(data.numpy().tobytes()).hexdigest()]

found = {}
for path in sys.argv[1:]:
    name = path.rpartition("/")[2]
    if path.endswith(".safetensors"):
        found[name] = {key: seen(tensor) for key, tensor in safetensors.torch.load_file(path).items()}
    elif path.endswith(".npy"):
        array = numpy.load(path)
        again = io.BytesIO()
        numpy.save(again, array)
        assert again.getvalue() == open(path, "rb").read(), "numpy.save writes the same bytes"
        found[name] = {"": seen(torch.from_numpy(array))}
    else:
        tensor = torch.load(path, weights_only=True)
        # vLLM decodes prompt_embeds from a buffer; mmap needs the data where torch would have put it.
        assert tensor.is_contiguous() and not tensor.requires_grad
        assert torch.equal(tensor, torch.load(io.BytesIO(open(path, "rb").read()), weights_only=True))
        assert torch.equal(tensor, torch.load(path, weights_only=True, mmap=True))
        assert zipfile.ZipFile(path).testzip() is None
        again = io.BytesIO()
        torch.save(tensor.clone(), again)
        pickles = [zipfile.ZipFile(file).read("archive/data.pkl") for file in (path, again)]
        assert pickles[0] == pickles[1], "torch.save pickles the same bytes"
        found[name] = {"": seen(tensor)}
print(json.dumps(found))
`;

type Seen = [shape: number[], dtype: string, sha256: string];

const read = async (names: readonly string[]): Promise<Record<string, Record<string, Seen>>> =>
  JSON.parse(await runPython(READ, names.map(at)));

const REQUESTS = [
  { question: "What is on the right?", images: [`${ROOT}models/demo/examples/06.png`] },
  { prompt: "Hi" },
];

pythonTest(test)("a batch of two lengths: every format, fp32 and bf16, gives the same bytes", async () => {
  const model = await Janus.load(`${ROOT}models/demo`);
  const out = await model.embed(REQUESTS).finally(() => model.dispose());
  const [, length = 0, dim = 0] = out.inputsEmbeds.dims;
  const expected: Record<string, Record<string, Seen>> = {};
  const put = (name: string, file: { toBytes(): Uint8Array }, tensors: Record<string, Seen>): void => {
    writeFileSync(at(name), file.toBytes());
    expected[name] = tensors;
  };
  const seen = (shape: readonly number[], floats: Float32Array, dtype: "fp32" | "bf16"): Seen => {
    const data = dtype === "fp32" ? floats : narrowBF16(floats);
    return [[...shape], dtype === "fp32" ? "float32" : "bfloat16", sha256(new Uint8Array(data.slice().buffer))];
  };
  for (const dtype of ["fp32", "bf16"] as const) {
    const plain = (tensor: Tensor, type: string): Seen => [
      [...tensor.dims],
      type,
      sha256(new Uint8Array(tensor.data.buffer)),
    ];
    put(`${dtype}.safetensors`, toSafetensors(out, { dtype }), {
      inputs_embeds: seen(out.inputsEmbeds.dims, out.inputsEmbeds.data, dtype),
      attention_mask: plain(out.attentionMask, "int64"),
      input_ids: plain(out.inputIds, "int64"),
      images_seq_mask: plain(out.imagesSeqMask, "bool"),
      images_emb_mask: plain(out.imagesEmbMask, "bool"),
    });
    for (const [row, file] of toTorch(out, { dtype }).entries()) {
      const padding = out.attentionMask.data.subarray(row * length, (row + 1) * length).indexOf(1n);
      const floats = out.inputsEmbeds.data.subarray((row * length + padding) * dim, (row + 1) * length * dim);
      put(`${dtype}.${row}.pt`, file, { "": seen([length - padding, dim], floats, dtype) });
      if (dtype === "fp32") put(`${row}.npy`, toNpy(out)[row]!, { "": seen([length - padding, dim], floats, dtype) });
    }
  }
  assert.is(Object.keys(expected).length, 8);
  assert.equal(await read(Object.keys(expected)), expected);
});

pythonTest(test)("bf16 is rounded as PyTorch rounds; no position, one number and large dims are read", async () => {
  const random = Uint32Array.from({ length: 4096 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
  const special = [0, 0x80000000, 0x3f808000, 0x3f818000, 0x3f808001, 0x7f7fffff, 0xff7fffff, 0x00008000, 0x00018000];
  const data = new Float32Array(Uint32Array.of(...random, ...special).buffer).filter((value) => !Number.isNaN(value));
  const tensor = (dims: number[], data: Float32Array<ArrayBuffer>): Tensor<"float32"> => ({
    type: "float32",
    dims,
    data,
  });
  const shapes = {
    random: tensor([data.length, 1], data),
    none: tensor([0, 128], new Float32Array(0)),
    one: tensor([1, 1], Float32Array.of(0.1)),
    long: tensor([70_000, 3], new Float32Array(210_000).fill(1)),
  };
  const files: Record<string, Seen> = {};
  for (const [name, value] of Object.entries(shapes)) {
    writeFileSync(at(`${name}.pt`), toTorch(value)[0]!.toBytes());
    files[`${name}.pt`] = [[...value.dims], "float32", sha256(new Uint8Array(value.data.buffer))];
    writeFileSync(at(`${name}.npy`), toNpy(value)[0]!.toBytes());
    files[`${name}.npy`] = files[`${name}.pt`]!;
  }
  const found = await read(Object.keys(files));
  assert.equal(Object.fromEntries(Object.entries(found).map(([name, { "": seen }]) => [name, seen])), files);
  writeFileSync(at("random.bf16.pt"), toTorch(shapes.random, { dtype: "bf16" })[0]!.toBytes());
  const rounded = `
import sys, torch
wide, narrow = (torch.load(path, weights_only=True) for path in sys.argv[1:])
assert narrow.dtype == torch.bfloat16 and len(narrow) > 4000
print(torch.equal(wide.bfloat16().view(torch.int16), narrow.view(torch.int16)))`;
  assert.is((await runPython(rounded, [at("random.pt"), at("random.bf16.pt")])).trim(), "True");
});

pythonTest(test)(
  "--inputs: what torch.save and safetensors wrote of a processor's dict gives the same embeddings",
  async () => {
    const recorded = golden("cases/batch-of-three/expected.safetensors");
    const save = `
import sys, torch
from safetensors.torch import load_file, save_file
recorded, folder = sys.argv[1:]
names = ["input_ids", "attention_mask", "images_seq_mask", "images_emb_mask", "pixel_values"]
inputs = {name: tensor for name, tensor in load_file(recorded).items() if name in names}
save_file(inputs, folder + "/processor.safetensors")
# As VLChatProcessor returns them: with prompts, and tensors that are views of others.
inputs["pixel_values"] = inputs["pixel_values"].transpose(-1, -2).contiguous().transpose(-1, -2)
inputs["input_ids"] = torch.cat([torch.full((3, 5), -1), inputs["input_ids"]], 1)[:, 5:]
torch.save({"sft_format": ["a", "b", "c"], **inputs}, folder + "/processor.pt")
torch.save({**inputs, "pixel_values": inputs["pixel_values"].bfloat16()}, folder + "/narrow.pt")
torch.save(inputs, folder + "/old.pt", _use_new_zipfile_serialization=False)
torch.save(inputs["input_ids"], folder + "/alone.pt")`;
    await runPython(save, [recorded, folder]);
    const tiny = golden("checkpoints/tiny-orig-safetensors");
    const embed = (inputs: string, output: string) =>
      janus(["embed", "--model", tiny, "--inputs", at(inputs), "--output", at(output)]);
    for (const [inputs, output] of [
      ["processor.safetensors", "a.safetensors"],
      ["processor.pt", "b.safetensors"],
      ["narrow.pt", "c.safetensors"],
    ] as const) {
      const { status, stderr } = await embed(inputs, output);
      assert.is(status, 0, stderr);
    }
    assert.ok(readFileSync(at("a.safetensors")).equals(readFileSync(at("b.safetensors"))));
    const compared = await janus(["compare", at("b.safetensors"), recorded, "--only", "inputs_embeds"]);
    assert.is(compared.status, 0, compared.stdout);
    const [exact, narrow] = [await readTensors(at("b.safetensors")), await readTensors(at("c.safetensors"))];
    assert.equal(narrow["input_ids"], exact["input_ids"]);
    assert.not.equal(narrow["inputs_embeds"], exact["inputs_embeds"]);
    for (const [inputs, line] of [
      ["old.pt", /a PyTorch file older than version 1\.6/],
      ["alone.pt", /found one tensor; save dict\(inputs\) with torch\.save/],
    ] as const) {
      const { status, stderr } = await embed(inputs, "none.safetensors");
      assert.is(status, 4);
      assert.match(stderr, line);
    }
  },
);

test.run();
