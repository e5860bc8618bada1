import { suite } from "uvu";
import * as assert from "uvu/assert";
import { requiredTensors } from "#dist/model/tensors.js";
import { openTiny, tinyFiles } from "../../support/tiny-checkpoints.js";

const test = suite("model/tensors");

test("roles and canonical shapes, in the order of the forward pass", async () => {
  const { config } = await openTiny(tinyFiles("tiny-orig-bin"));
  const requests = requiredTensors({ ...config, blocks: 1 }).map(({ role, shape }) => `${role} ${shape.join("x")}`);
  assert.equal(requests, [
    "patch_embed.weight 80x3x16x16",
    "patch_embed.bias 80",
    "pos_embed 36x80",
    "blocks.0.norm1.weight 80",
    "blocks.0.norm1.bias 80",
    "blocks.0.qkv.weight 240x80",
    "blocks.0.qkv.bias 240",
    "blocks.0.proj.weight 80x80",
    "blocks.0.proj.bias 80",
    "blocks.0.norm2.weight 80",
    "blocks.0.norm2.bias 80",
    "blocks.0.fc1.weight 200x80",
    "blocks.0.fc1.bias 200",
    "blocks.0.fc2.weight 80x200",
    "blocks.0.fc2.bias 80",
    "norm.weight 80",
    "norm.bias 80",
    "aligner.layers.0.weight 72x80",
    "aligner.layers.0.bias 72",
    "aligner.layers.1.weight 72x72",
    "aligner.layers.1.bias 72",
    "embed_tokens.weight 624x72",
  ]);
});

test("Janus-Pro-1B needs 298 tensors; an identity aligner none of its own", async () => {
  const { config } = await openTiny(tinyFiles("tiny-orig-bin"));
  assert.is(requiredTensors({ ...config, blocks: 24 }).length, 298);
  const identity = requiredTensors({ ...config, aligner: { type: "identity", depth: 0 } });
  assert.not.ok(identity.some(({ role }) => role.startsWith("aligner")));
});

test.run();
