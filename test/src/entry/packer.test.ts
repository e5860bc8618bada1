/** Groups of a packed checkpoint. That their bytes are right is held by entry/node/pack.test.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "#dist/entry/load.js";
import { nodeHost } from "#dist/entry/node/host.js";
import { Packer } from "#dist/entry/packer.js";
import { storedShape } from "#dist/weights/packed.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { refused } from "../../support/refusal.js";
import { tinyFiles } from "../../support/tiny-checkpoints.js";

const test = suite("entry/packer");

async function packer(dtype: "auto" | "int8", threads = 1): Promise<Packer> {
  return Packer.start(nodeHost(), await openModel(memorySource(tinyFiles("tiny-orig-f16"))), { dtype, threads });
}

test("a group for every block and for what is around them, in execution order", async () => {
  const auto = await packer("auto");
  assert.is(auto.dtype, "fp16");
  assert.equal(
    auto.groups.map(({ name }) => name),
    ["patch_embed", "pos_embed", "blocks.0", "blocks.1", "norm", "aligner", "embed_tokens.weight.rows.0"],
  );
  await auto.dispose();
  const int8 = await packer("int8");
  assert.is(int8.dtype, "int8");
  const block = int8.groups.find(({ name }) => name === "blocks.1");
  assert.equal(
    block?.tensors.map(({ name, layout, dtype }) => `${name.replace("blocks.1.", "")} ${layout} ${dtype}`),
    [
      "norm1.weight vector8 F32",
      "norm1.bias vector8 F32",
      "qkv.weight panels8x4 I8",
      "qkv.scales vector8 F32",
      "qkv.bias vector8 F32",
      "proj.weight panels8x4 I8",
      "proj.scales vector8 F32",
      "proj.bias vector8 F32",
      "norm2.weight vector8 F32",
      "norm2.bias vector8 F32",
      "fc1.weight panels8x4 I8",
      "fc1.scales vector8 F32",
      "fc1.bias vector8 F32",
      "fc2.weight panels8x4 I8",
      "fc2.scales vector8 F32",
      "fc2.bias vector8 F32",
    ],
  );
  await int8.dispose();
});

test("groups are read in any order, again, and as long as they say", async () => {
  const made = await packer("int8", 2);
  const contents: string[][] = [];
  for (const groups of [made.groups, made.groups.toReversed()]) {
    const seen: string[] = [];
    for (const group of groups) {
      let bytes = 0;
      let at = 0;
      for await (const content of made.read(group)) {
        const { name, layout, shape, dtype } = group.tensors[at++]!;
        const elements = storedShape(layout, shape)!.reduce((product, size) => product * size, 1);
        assert.is(content.length, elements * ({ I8: 1, F16: 2 }[dtype] ?? 4), name);
        bytes += content.length;
        seen.push(`${name} ${Buffer.from(content).toString("base64")}`);
      }
      assert.is(bytes, group.bytes, group.name);
    }
    contents.push(seen.sort());
  }
  assert.equal(contents[1], contents[0]);
  assert.throws(() => made.read({ ...made.groups[0]! }), /not a group of this packer/);
  await made.dispose();
});

test("what is packed already is refused", async () => {
  const model = await openModel(memorySource(tinyFiles("tiny-orig-f16")));
  const packed = { ...model, checkpoint: Object.assign(Object.create(model.checkpoint), { packed: "int8" }) };
  await refused(Packer.start(nodeHost(), packed, { dtype: "auto", threads: 1 }), "E_UNSUPPORTED", /pack the original/);
});

test.run();
