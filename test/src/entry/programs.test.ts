/** The programs of a worker that is alone, in this thread: what they answer, what they hand over, what they leave in memory. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Encoded } from "#dist/entry/engine.js";
import { openModel, planMemory } from "#dist/entry/load.js";
import { type ModelContext, type PackInput, PROGRAMS, type StagedPiece, startModel } from "#dist/entry/programs.js";
import { planStaging, ROOMS } from "#dist/entry/staging.js";
import { tilesOf } from "#dist/entry/variant.js";
import type { RgbImage } from "#dist/image/pixels.js";
import { towerSteps } from "#dist/model/vision.js";
import { sliceCount } from "#dist/ops/pack.js";
import { CONTROL_BYTES, STOP, WORD } from "#dist/threads/control.js";
import { Ring } from "#dist/threads/ring.js";
import type { Reply } from "#dist/threads/serve.js";
import { Stopped } from "#dist/threads/team.js";
import { STORAGE } from "#dist/wasm/abi.js";
import { f32 } from "#dist/wasm/memory.js";
import { recordedFiles } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { ROOT } from "../../support/paths.js";

const test = suite("entry/programs");

const model = await openModel(memorySource(recordedFiles("tiny-orig-safetensors")));
const { dim, tokens, width, imageSize } = model.config;

function binary(variant: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(`${ROOT}dist/wasm/${variant}.wasm`));
}

/** A single worker over memory of its own; `control` is what its caller would hold. */
function alone(): { x: ModelContext; control: Int32Array } {
  const control = new SharedArrayBuffer(CONTROL_BYTES);
  const plan = planMemory(model, "auto", 1);
  const setup = { module: binary("simd"), memory: undefined, control, config: model.config, plan };
  return { x: startModel(setup, 0, 1), control: new Int32Array(control) };
}

/** Calls a program as `serve` does; the leader always replies. */
function call(name: keyof typeof PROGRAMS, x: ModelContext, input: unknown, own: unknown): Reply {
  const program = PROGRAMS[name] as (x: ModelContext, input: unknown, own: unknown) => Reply | undefined;
  const reply = program(x, input, own);
  if (!reply) throw new Error(`${name} gave no reply`);
  return reply;
}

/** Packs one piece that comes with the message; how many of its elements are not finite. */
function packed(x: ModelContext, piece: Omit<StagedPiece, "batch" | "from">, own: Uint8Array): number {
  const staging = planStaging(x.plan.free, 1, own.length, 1 << 17, false);
  const pieces = [{ ...piece, batch: 0, from: 0 }];
  const input: PackInput = { pieces, slices: [sliceCount(pieces[0]!)], staging, rooms: [], ring: undefined };
  const [nonFinite = Number.NaN] = call("pack", x, input, own).output as number[];
  return nonFinite;
}

async function packAll(x: ModelContext): Promise<void> {
  for (const placement of x.plan.placements) {
    const tensor = model.bound.get(placement.role)!;
    const rows = tensor.shape[0] ?? 1;
    const bytes = await model.checkpoint.readRows(tensor, 0, rows);
    const count = placement.kind === "vector" ? bytes.length / 4 : rows;
    assert.is(packed(x, { placement, first: 0, count, stored: STORAGE.f32 }, bytes), 0);
  }
}

test("a worker alone makes its own memory, of the plan's size, and sees its caller's stop", () => {
  const { x, control } = alone();
  assert.ok(x.memory.buffer instanceof ArrayBuffer && x.memory.buffer.byteLength >= x.plan.free);
  assert.is(x.scratch, x.plan.scratch);
  x.team.barrier();
  control[WORD.stop] = STOP.cancelled;
  assert.throws(
    () => x.team.barrier(),
    (error: unknown) => error instanceof Stopped,
  );
});

test("workers of several share the memory and its control block, each with scratch of its own", () => {
  const plan = planMemory(model, "auto", 3);
  const pages = Math.ceil(plan.free / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const setup = { module: binary("simd-threads"), memory, control: undefined, config: model.config, plan };
  const workers = [0, 1, 2].map((index) => startModel(setup, index, 3));
  assert.equal(
    workers.map(({ scratch }) => scratch - plan.scratch),
    [0, plan.scratchBytes, 2 * plan.scratchBytes],
  );
  assert.ok(workers.every((x) => x.memory === memory));
  new Int32Array(memory.buffer, plan.control, 3)[WORD.stop] = STOP.failed;
  for (const x of workers)
    assert.throws(
      () => x.team.poll(),
      (error: unknown) => error instanceof Stopped,
    );
});

test("a vector is widened to its place piece by piece, and what is not finite is counted", () => {
  const { x } = alone();
  const placement = x.plan.placements.find(({ role }) => role === "pos_embed")!;
  const before = x.memory.buffer.byteLength;
  const large = random(16 * 64, 1);
  large[70] = Number.NaN;
  for (const [first, count] of [
    [0, 64],
    [64, 960],
  ] as const) {
    const own = new Uint8Array(large.slice(first, first + count).buffer);
    assert.is(packed(x, { placement, first, count, stored: STORAGE.f32 }, own), first === 0 ? 0 : 1);
  }
  assertSameBits(f32(x.memory, placement.at, 1024), large);
  assert.ok(x.memory.buffer.byteLength >= before);
});

test("batches are taken from shared buffers in turn, when they are there", () => {
  const { x } = alone();
  const placement = x.plan.placements.find(({ role }) => role === "pos_embed")!;
  const large = random(16 * 64, 2);
  large[900] = Number.NEGATIVE_INFINITY;
  const rooms = Array.from({ length: ROOMS }, () => new SharedArrayBuffer(4096));
  const pieces = [0, 1, 2, 3].map((batch) => ({
    placement,
    stored: STORAGE.f32,
    first: batch * 256,
    count: 256,
    batch,
    from: 64,
  }));
  const words = Ring.words(pieces.length);
  const ring = new Ring(words);
  for (const { batch, first } of pieces) {
    new Float32Array(rooms[batch]!, 64, 256).set(large.subarray(first, first + 256));
    ring.fill();
  }
  const staging = planStaging(x.plan.free, 1, 4096, 1 << 17, false);
  const input: PackInput = { pieces, slices: [1, 1, 1, 1], staging, rooms, ring: words };
  assert.equal(call("pack", x, input, undefined).output, [0, 0, 0, 1]);
  assertSameBits(f32(x.memory, placement.at, 1024), large);
  assert.equal([...new Int32Array(words)], [4, 1, 1, 1, 1]);
});

test("stored halves are widened to f32 panels when the plan says so", async () => {
  const half = await openModel(memorySource(recordedFiles("tiny-orig-f16")));
  for (const wide of [false, true]) {
    const plan = planMemory(half, wide ? "fp32" : "auto", 1);
    const setup = { module: binary("simd"), memory: undefined, control: undefined, config: half.config, plan };
    const x = startModel(setup, 0, 1);
    const placement = plan.placements.find(({ role }) => role === "aligner.layers.0.weight")!;
    const bits = Uint16Array.from({ length: 56 * 48 }, (_, i) => 0x3c00 + (i % 1024)); // 1 and up
    const own = new Uint8Array(bits.buffer);
    assert.is(packed(x, { placement, first: 0, count: 56, stored: STORAGE.f16 }, own), 0);
    // Column 9, k 5 is the second column of the second panel.
    const at = 8 * 48 + 5 * 8 + 1;
    if (wide) assert.is(f32(x.memory, placement.at, 56 * 48)[at], 1 + ((9 * 48 + 5) % 1024) / 1024);
    else assert.is(new Uint16Array(x.memory.buffer, placement.at, 56 * 48)[at], 0x3c00 + ((9 * 48 + 5) % 1024));
  }
});

test("answers are copies that are handed over, stages only when asked for", async () => {
  const { x } = alone();
  await packAll(x);
  const picture = Uint8Array.from({ length: 30 * 20 * 3 }, (_, i) => i % 256);
  const reply = call("preprocess", x, { width: 30, height: 20 }, picture);
  const pixels = reply.output as Float32Array;
  assert.is(pixels.length, 3 * imageSize ** 2);
  assert.equal(reply.transfer, [pixels.buffer]);

  const squared = call("square", x, { width: 30, height: 20 }, picture);
  const square = squared.output as RgbImage;
  assert.equal([square.width, square.height, square.data.length], [imageSize, imageSize, 3 * imageSize ** 2]);
  assert.equal(squared.transfer, [square.data.buffer]);
  assertSameBits(call("preprocess", x, square, square.data).output as Float32Array, pixels);

  const steps = towerSteps(x.config);
  const plain = call("encode", x, { form: "pixels", taps: false, tiles: tilesOf("simd", "absent"), steps }, pixels);
  const { features, stages } = plain.output as Encoded;
  assert.is(features.length, tokens * width);
  assert.equal([stages.length, plain.transfer], [0, [features.buffer]]);
  const looked = call(
    "encode",
    x,
    { form: "square", taps: false, tiles: tilesOf("simd", "absent"), steps },
    square.data,
  );
  assertSameBits((looked.output as Encoded).features, features, "looked up from the square");
  const tapped = call("encode", x, { form: "pixels", taps: true, tiles: tilesOf("simd", "absent"), steps }, pixels);
  const output = tapped.output as Encoded;
  assertSameBits(output.features, features);
  assert.equal(
    output.stages.map(([name]) => name),
    ["vision.patch_embed", "vision.block.0", "vision.block.1", "vision.block.2"],
  );
  assert.is(tapped.transfer?.length, 5);
  assert.is(new Set(tapped.transfer).size, 5);

  const embeds = call("project", x, { tiles: tilesOf("simd", "absent") }, features);
  assert.is((embeds.output as Float32Array).length, tokens * dim);
  call(
    "encode",
    x,
    { form: "pixels", taps: false, tiles: tilesOf("simd", "absent"), steps },
    new Float32Array(pixels.length),
  );
  const again = call("project", x, { tiles: tilesOf("simd", "absent") }, features).output;
  assertSameBits(
    again as Float32Array,
    embeds.output as Float32Array,
    "features come from the caller, not from memory",
  );
});

test("token rows grow the memory, and what is not finite is counted in the rows given", () => {
  const { x } = alone();
  const before = x.memory.buffer.byteLength;
  const table = random(50 * dim, 1);
  table[7] = Number.POSITIVE_INFINITY;
  const rows = 3000;
  const index = Int32Array.from({ length: rows }, (_, i) => (i * 7) % 50);
  const input = { rows, distinct: 50, storage: STORAGE.f32 };
  const reply = call("embedTokens", x, input, { table: new Uint8Array(table.buffer), index });
  const { bad, data } = reply.output as { bad: number; data: Float32Array };
  assert.is(bad, 1);
  assert.ok(x.memory.buffer.byteLength > before);
  index.forEach((row, at) => {
    assertSameBits(data.subarray(at * dim, (at + 1) * dim), table.subarray(row * dim, (row + 1) * dim));
  });
});

test("source rows are put in at their index, and into a copy", () => {
  const { x } = alone();
  const text = random(5 * dim, 1);
  const source = random(2 * dim, 2);
  const own = { text, source, index: Int32Array.from([4, 1]) };
  const fused = call("fuse", x, { rows: 5, sources: 2 }, own).output as Float32Array;
  const expected = text.slice();
  expected.set(source.subarray(0, dim), 4 * dim);
  expected.set(source.subarray(dim), dim);
  assertSameBits(fused, expected);
});

test.run();
