/** Pieces: which rows are read when, and where they are said to go. That they get there is held by janus.test.ts and test/acceptance. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Engine } from "#dist/entry/engine.js";
import { openModel, planMemory } from "#dist/entry/load.js";
import type { PackInput } from "#dist/entry/programs.js";
import { loadWeights, STORAGE_OF } from "#dist/entry/weights.js";
import { PANEL, STORAGE } from "#dist/wasm/abi.js";
import { recordedFiles, towerFiles } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { ODD_TOWER } from "../../support/model-config.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/weights");

interface Loading {
  readonly packs: PackInput[];
  readonly log: string[];
  readonly loaded: number[];
  /** Every buffer that was read into. */
  readonly buffers: ReadonlySet<ArrayBufferLike>;
  readonly done: Promise<void>;
}

/** Loads with an engine that only notes; `bad` says how many elements of a piece are not finite. */
async function load(
  files: Record<string, Uint8Array>,
  bad: (input: PackInput) => number = () => 0,
  fail: (log: readonly string[]) => Error | undefined = () => undefined,
): Promise<Loading> {
  const model = await openModel(memorySource(files));
  const packs: PackInput[] = [];
  const log: string[] = [];
  const loaded: number[] = [];
  const buffers = new Set<ArrayBufferLike>();
  const checkpoint = {
    ...model.checkpoint,
    async readRowsInto(...[tensor, first, count, target, signal]: Parameters<typeof model.checkpoint.readRowsInto>) {
      log.push(`read ${tensor.role} ${first}+${count}`);
      buffers.add(target.buffer);
      const error = fail(log);
      if (error) throw error;
      await model.checkpoint.readRowsInto(tensor, first, count, target, signal);
    },
  };
  const engine = {
    async pack(input: PackInput, { length, buffer }: Uint8Array): Promise<{ nonFinite: number; buffer: unknown }> {
      log.push(`pack ${input.placement.role} ${input.first}+${input.count}`);
      assert.is(length, input.bytes);
      packs.push(input);
      return { nonFinite: bad(input), buffer };
    },
  } as unknown as Engine;
  const { placements } = planMemory(model, false, 1);
  const done = loadWeights(engine, checkpoint, model.bound, placements, (bytes) => loaded.push(bytes));
  done.catch(() => undefined);
  return { packs, log, loaded, buffers, done };
}

for (const checkpoint of ["tiny-orig-safetensors", "tiny-hf", "tiny-orig-f16", "tiny-orig-bin"]) {
  test(`${checkpoint}: every row of every tensor once, in execution order, the next read before each pack`, async () => {
    const { packs, log, loaded, buffers, done } = await load(recordedFiles(checkpoint));
    await done;
    assert.is(buffers.size, 2, "two buffers go round");
    const model = await openModel(memorySource(recordedFiles(checkpoint)));
    const { placements } = planMemory(model, false, 1);
    assert.equal(
      [...new Set(packs.map(({ placement }) => placement.role))],
      placements.map(({ role }) => role),
    );
    let total = 0;
    for (const placement of placements) {
      const tensor = model.bound.get(placement.role)!;
      const pieces = packs.filter((pack) => pack.placement.role === placement.role);
      const size = placement.kind === "vector" ? tensor.shape.reduce((a, b) => a * b, 1) : tensor.shape[0]!;
      let next = 0;
      for (const piece of pieces) {
        assert.is(piece.first, next, placement.role);
        assert.is(piece.stored, STORAGE_OF[tensor.dtype]);
        next += piece.count;
        total += piece.bytes;
      }
      assert.is(next, size, placement.role);
    }
    assert.is(loaded.at(-1), total);
    assert.ok(loaded.every((bytes, at) => bytes > (loaded[at - 1] ?? 0)));
    const order = log.map((entry) => entry.split(" ")[0]).join(" ");
    assert.match(order, /^read( read pack)* pack$/, "one piece ahead, never two");
  });
}

test("a matrix of more than a piece is cut at panels; q, k and v are cut apart", async () => {
  // 3 * 300 * 3000 * 4 bytes are more than 4 MB; a row is 12 kB, so a piece is 344 rows.
  const tower = {
    ...ODD_TOWER,
    imageSize: 10,
    patchSize: 10,
    width: 3000,
    heads: 2,
    blocks: 1,
    mlpWidth: 4,
    dim: 3000,
    depth: 1,
  };
  const { packs, done } = await load(towerFiles(tower, 2));
  await done;
  const pieces = packs.filter(({ placement }) => placement.role === "blocks.0.qkv.weight");
  assert.ok(pieces.length > 10);
  for (const { first, bytes } of pieces) assert.ok(first % PANEL === 0 && bytes <= 4 << 20);
  const apart = await load(recordedFiles("tiny-hf"));
  await apart.done;
  assert.equal(
    apart.packs
      .filter(({ placement }) => placement.role === "blocks.0.qkv.weight")
      .map(({ first, count }) => [first, count]),
    [
      [0, 80],
      [80, 80],
      [160, 80],
    ],
  );
});

test("non-finite elements of all tensors are gathered, at most eight are named", async () => {
  const { done, loaded } = await load(recordedFiles("tiny-orig-safetensors"), ({ placement }) =>
    placement.role.endsWith("bias") ? 2 : 0,
  );
  const error = await refused(
    done,
    "E_NUMERIC",
    /^loading weights: expected finite numbers, got NaN or infinity in 22 tensors/,
  );
  assert.is(error.message.match(/\(2\)/g)?.length, 8);
  assert.ok(loaded.length > 40, "all were looked at");
});

test("a read that fails and a pack that fails are the error, and the other one is not unhandled", async () => {
  const broken = new Error("the disk broke");
  const reading = await load(recordedFiles("tiny-hf"), undefined, (log) => (log.length > 9 ? broken : undefined));
  assert.is(await rejection(reading.done), broken);
  const packing = await load(
    recordedFiles("tiny-hf"),
    ({ placement }) => {
      if (placement.role === "pos_embed") throw new Error("no memory");
      return 0;
    },
    (log) => (log.includes("read blocks.0.norm1.weight 0+80") ? broken : undefined),
  );
  assert.match(String(await rejection(packing.done)), "no memory");
  await new Promise((resolve) => setImmediate(resolve));
});

test("storages are the ABI's", () => {
  assert.equal(STORAGE_OF, { F32: STORAGE.f32, BF16: STORAGE.bf16, F16: STORAGE.f16 });
});

test.run();
