import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Linear } from "#dist/ops/linear.js";
import { type Pointer, STORAGE } from "#dist/wasm/abi.js";
import { phaseNames } from "../../../bench/model/phase-names.js";

const test = suite("phase names");

const layer = (panels: number): Linear => ({
  panels: panels as Pointer,
  bias: (panels + 500) as Pointer,
  columns: 8,
  k: 8,
  storage: STORAGE.f32,
});
const norm = { weight: 1 as Pointer, bias: 2 as Pointer, width: 8, eps: 1e-6 };
const block = (at: number) => ({
  norm1: norm,
  qkv: layer(at),
  proj: layer(at + 1),
  norm2: norm,
  fc1: layer(at + 2),
  fc2: layer(at + 3),
});
const phaseOf = phaseNames({
  patchEmbed: layer(1000),
  posEmbed: 3 as Pointer,
  blocks: [block(2000), block(3000)],
  norm,
  aligner: [layer(4000), layer(4001)],
});

test("a product and its end count as their layer, by the address of its weights or its bias", () => {
  assert.is(phaseOf("multiply", [0, 0, 1000]), "patch_embed");
  assert.is(phaseOf("multiply", [0, 0, 3000]), "qkv");
  assert.is(phaseOf("finishHeads", [0, 0, 0, 0, 2500]), "qkv");
  assert.is(phaseOf("finish", [0, 0, 3501]), "proj");
  assert.is(phaseOf("multiply", [0, 0, 2002]), "fc1");
  assert.is(phaseOf("finish", [0, 0, 3503]), "fc2");
  assert.is(phaseOf("multiply", [0, 0, 4001]), "aligner");
});

test("what works for no layer goes by its own name, whatever numbers it is given", () => {
  assert.is(phaseOf("layernorm", [1000, 2000, 3000]), "layernorm");
  assert.is(phaseOf("multiply", [1000, 1000, 77]), "multiply");
});

test.run();
