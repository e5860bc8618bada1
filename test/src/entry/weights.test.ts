/** Pieces: which rows are read when, and where they are said to go. That they get there is held by janus.test.ts and test/acceptance. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Engine, Packing } from "#dist/entry/engine.js";
import { openModel, planMemory } from "#dist/entry/load.js";
import type { StagedPiece } from "#dist/entry/programs.js";
import { loadWeights, STORAGE_OF } from "#dist/entry/weights.js";
import type { Placement } from "#dist/model/plan.js";
import { PANEL, STORAGE } from "#dist/wasm/abi.js";
import { storedRowBytes } from "#dist/weights/bound-tensor.js";
import { recordedFiles, towerFiles } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { ODD_TOWER } from "../../support/model-config.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/weights");

interface Loading {
  readonly pieces: readonly StagedPiece[];
  readonly log: string[];
  readonly loaded: number[];
  readonly done: Promise<void>;
}

interface Oddities {
  /** How many elements of a piece are not finite. */
  readonly bad?: (piece: StagedPiece) => number;
  /** What a read rejects with. */
  readonly read?: (log: readonly string[]) => Error | undefined;
  /** What filling rejects with. */
  readonly fill?: (batch: number) => Error | undefined;
  readonly serial?: boolean;
}

const role = ({ placement }: StagedPiece): string => (placement as Placement).role;

/** Loads with an engine that only notes. */
async function load(files: Record<string, Uint8Array>, oddities: Oddities = {}): Promise<Loading> {
  const model = await openModel(memorySource(files));
  const pieces: StagedPiece[] = [];
  const log: string[] = [];
  const loaded: number[] = [];
  const checkpoint = {
    ...model.checkpoint,
    async readRowsInto(...[tensor, first, count, target, signal]: Parameters<typeof model.checkpoint.readRowsInto>) {
      log.push(`read ${tensor.role} ${first}+${count}`);
      const error = oddities.read?.(log);
      if (error) throw error;
      await model.checkpoint.readRowsInto(tensor, first, count, target, signal);
    },
  };
  const engine = {
    pack(staged: readonly StagedPiece[], roomBytes: number, _sliceBytes: number, signal: AbortSignal): Packing {
      pieces.push(...staged);
      return {
        serial: oddities.serial ?? false,
        async room(batch) {
          log.push(`room ${batch}`);
          return new Uint8Array(roomBytes);
        },
        async fill(batch) {
          const error = oddities.fill?.(batch);
          if (error) throw error;
          log.push(`fill ${batch}`);
        },
        done: async () => {
          signal.throwIfAborted();
          return staged.map((piece) => oddities.bad?.(piece) ?? 0);
        },
      };
    },
  } as unknown as Engine;
  const { placements } = planMemory(model, "auto", 1);
  const done = loadWeights(engine, checkpoint, model.bound, placements, (bytes) => loaded.push(bytes));
  done.catch(() => undefined);
  return { pieces, log, loaded, done };
}

for (const checkpoint of ["tiny-orig-safetensors", "tiny-hf", "tiny-orig-f16", "tiny-orig-bin"]) {
  test(`${checkpoint}: every row of every tensor once, in execution order, at places of its own`, async () => {
    const { pieces, loaded, done } = await load(recordedFiles(checkpoint));
    await done;
    const model = await openModel(memorySource(recordedFiles(checkpoint)));
    const { placements } = planMemory(model, "auto", 1);
    assert.equal(
      [...new Set(pieces.map(role))],
      placements.map((placement) => placement.role),
    );
    let total = 0;
    let free = 0;
    let batch = 0;
    for (const placement of placements) {
      const tensor = model.bound.get(placement.role)!;
      const rows = tensor.shape[0]!;
      const size = placement.kind === "vector" ? tensor.shape.reduce((a, b) => a * b, 1) : rows;
      const bytes = storedRowBytes(tensor) * (rows / size);
      let next = 0;
      for (const piece of pieces.filter((one) => role(one) === placement.role)) {
        assert.is(piece.first, next, placement.role);
        assert.is(piece.stored, STORAGE_OF[tensor.dtype as "F32" | "F16" | "BF16"]);
        if (piece.batch !== batch) free = 0;
        batch = piece.batch;
        assert.ok(piece.from >= free && piece.from % 64 === 0);
        free = piece.from + piece.count * bytes;
        next += piece.count;
        total += piece.count * bytes;
      }
      assert.is(next, size, placement.role);
    }
    assert.is(loaded.at(-1), total);
    assert.ok(loaded.every((bytes, at) => bytes > (loaded[at - 1] ?? 0)));
    assert.is(loaded.length, pieces.length);
  });
}

/** Matrices of 3000 columns: a row is 12 kB of f32, a full batch 344 rows. */
const LARGE = {
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

test("batches are full, cut at panels; q, k and v are cut apart", async () => {
  const { pieces, done } = await load(towerFiles(LARGE, 2));
  await done;
  const qkv = pieces.filter((piece) => role(piece) === "blocks.0.qkv.weight");
  assert.ok(qkv.length > 10);
  for (const { first, count, from } of qkv) assert.ok(first % PANEL === 0 && from + count * 12_000 <= 4 << 20);
  for (const { from, count } of qkv.slice(1, -1)) {
    assert.is(from, 0);
    assert.ok((count + PANEL) * 12_000 > 4 << 20, "another panel would not fit");
  }
  const apart = await load(recordedFiles("tiny-hf"));
  await apart.done;
  assert.equal(
    apart.pieces.filter((piece) => role(piece) === "blocks.0.qkv.weight").map(({ first, count }) => [first, count]),
    [
      [0, 80],
      [80, 80],
      [160, 80],
    ],
  );
});

test("batches are filled in order; several are read at a time, unless the engine takes one", async () => {
  for (const serial of [false, true]) {
    const { log, done } = await load(towerFiles(LARGE, 2), { serial });
    await done;
    const steps = log.filter((step) => !step.startsWith("read")).map((step) => step.split(" "));
    const fills = steps.filter(([what]) => what === "fill").map(([, batch]) => Number(batch));
    assert.ok(fills.length > 10);
    assert.equal(
      fills,
      fills.map((_, at) => at),
    );
    let open = 0;
    let most = 0;
    for (const [what] of steps) {
      open += what === "room" ? 1 : -1;
      most = Math.max(most, open);
    }
    assert.ok(serial ? most === 1 : most > 1);
  }
});

test("non-finite elements of all tensors are gathered, at most eight are named", async () => {
  const { done, loaded } = await load(recordedFiles("tiny-orig-safetensors"), {
    bad: (piece) => (role(piece).endsWith("bias") ? 2 : 0),
  });
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
  for (const serial of [false, true]) {
    const reading = await load(towerFiles(LARGE, 2), { serial, read: (log) => (log.length > 30 ? broken : undefined) });
    assert.is(await rejection(reading.done), broken);
    const noMemory = new Error("no memory");
    const packing = await load(towerFiles(LARGE, 2), {
      serial,
      fill: (batch) => (batch === 3 ? noMemory : undefined),
      read: (log) => (log.includes("fill 2") ? broken : undefined),
    });
    assert.ok([broken, noMemory].includes((await rejection(packing.done)) as Error));
  }
  await new Promise((resolve) => setImmediate(resolve));
});

test("storages are the ABI's", () => {
  assert.equal(STORAGE_OF, { F32: STORAGE.f32, BF16: STORAGE.bf16, F16: STORAGE.f16 });
});

test.run();
