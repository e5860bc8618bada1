/** Weights that are read while others are computed: the bytes of a resident model, in the memory that was planned, whatever fails between. */
import { createHash } from "node:crypto";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Host, ModelInput } from "#dist/entry/host.js";
import { JanusModel } from "#dist/entry/janus.js";
import { directorySource } from "#dist/entry/node/directory.js";
import { nodeHost } from "#dist/entry/node/host.js";
import { pack } from "#dist/entry/node/pack.js";
import type { LoadOptions } from "#dist/entry/options.js";
import type { WeightSource } from "#dist/weights/source.js";
import { faultySource } from "../../support/faulty-source.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { inlineHost } from "../../support/inline-host.js";
import { golden, ROOT } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { bytesOf } from "../../support/tensors.js";
import { rejection, within } from "../../support/waiting.js";

const test = suite("entry/streamed-weights");

const scratch = mkdtempSync(join(tmpdir(), "janus-test-"));
test.after(() => rmSync(scratch, { recursive: true, force: true }));

const DEMO = `${ROOT}models/demo`;
const packed = join(scratch, "packed");
await pack(DEMO, packed, { dtype: "int8", shardSize: 600_000 });

const PICTURE = new Uint8Array(readFileSync(join(DEMO, "examples/06.png")));

/** Memories that were made since `watch`, also by an inline worker. */
function watch(): { readonly bytes: () => number; readonly restore: () => void } {
  const { Memory } = WebAssembly;
  const made: WebAssembly.Memory[] = [];
  WebAssembly.Memory = new Proxy(Memory, {
    construct(target, [descriptor]) {
      const memory = new target(descriptor);
      made.push(memory);
      return memory;
    },
  });
  return {
    bytes: () => Math.max(0, ...made.map(({ buffer }) => buffer.byteLength)),
    restore: () => {
      WebAssembly.Memory = Memory;
    },
  };
}

/** Two pictures through the tower and the aligner, and the first again through the aligner: SHA-256. */
async function answers(model: JanusModel, signal?: AbortSignal): Promise<string> {
  const size = model.config.imageSize;
  const data = new Float32Array(2 * 3 * size ** 2).map((_, i) => Math.sin(i * 0.37));
  const options = signal ? { signal } : {};
  const features = await model.encode({ type: "float32", dims: [2, 3, size, size], data }, options);
  const hash = createHash("sha256").update(bytesOf(features));
  for (let n = 0; n < 2; n++) hash.update(bytesOf(await model.project(features, options)));
  return hash.digest("hex");
}

async function withModel<T>(
  host: Host,
  input: ModelInput,
  options: LoadOptions,
  work: (model: JanusModel) => Promise<T>,
): Promise<T> {
  const model = await JanusModel.load(host, input, { variant: "simd", ...options });
  try {
    return await work(model);
  } finally {
    await model.dispose();
  }
}

const CHECKPOINTS: Readonly<Record<string, readonly [string, LoadOptions]>> = {
  "the original layout, f32": [golden("checkpoints/tiny-orig-bin"), {}],
  "Hugging Face's layout, bf16 in 8 bits": [golden("checkpoints/tiny-hf"), { dtype: "int8" }],
  "the demo model, widened": [DEMO, { dtype: "fp32" }],
  "the demo model in 8 bits": [DEMO, { dtype: "int8" }],
  "the demo model packed in 8 bits": [packed, {}],
};

/** Those that are tried in every way and with more budgets: panels that are read to their places, and rows that are packed. */
const THOROUGHLY = ["the demo model packed in 8 bits", "the original layout, f32"];

/** Ways for weights to come into memory. */
const HOSTS: Readonly<Record<string, readonly [() => Host, number]>> = {
  "one thread that shares its memory": [nodeHost, 1],
  "two threads": [nodeHost, 2],
  "three threads": [nodeHost, 3],
  "one worker that does not share": [() => ({ ...nodeHost(), sharesMemory: false }), 1],
  "no worker at all": [inlineHost, 1],
};

for (const [name, [input, options]] of Object.entries(CHECKPOINTS)) {
  test(`${name}: the bytes of a resident model, in the memory planned, with any budget that is enough`, async () => {
    const resident = await withModel(nodeHost(), input, { ...options, threads: 1 }, async (model) => {
      assert.is(model.runtime.residency, "resident");
      return { answers: await answers(model), weightBytes: model.runtime.weightBytes };
    });
    const thoroughly = THOROUGHLY.includes(name);
    for (const [way, [host, threads]] of Object.entries(HOSTS)) {
      if (!thoroughly && !["two threads", "no worker at all"].includes(way)) continue;
      const memory = watch();
      try {
        const streams: LoadOptions = { ...options, threads, residency: "stream" };
        const least = await withModel(host(), input, streams, async (model) => {
          const { runtime } = model;
          assert.equal([runtime.residency, runtime.threads], ["stream", threads]);
          assert.ok(runtime.notes.some((note) => /stream: 0 of \d+ blocks stay in memory/.test(note)));
          assert.ok(runtime.weightBytes < resident.weightBytes);
          assert.is(await answers(model), resident.answers, way);
          assert.ok(memory.bytes() <= runtime.memoryBytes, `${way}: ${memory.bytes()} of ${runtime.memoryBytes}`);
          return runtime.memoryBytes;
        });
        const short = JanusModel.load(host(), input, { ...streams, variant: "simd", memoryBudget: least - 1 });
        await refused(
          short,
          "E_OOM",
          new RegExp(`stream this model .* at least ${least} bytes is needed, got ${least - 1}`),
        );
        if (!thoroughly) continue;
        for (const memoryBudget of [least, least + (resident.weightBytes >> 1), 1e9]) {
          await withModel(host(), input, { ...streams, memoryBudget }, async (model) => {
            const { residency, memoryBytes } = model.runtime;
            assert.is(residency, memoryBudget === 1e9 ? "resident" : "stream");
            assert.ok(memoryBytes <= memoryBudget && memoryBytes >= least);
            assert.is(await answers(model), resident.answers, `${way}, ${memoryBudget} bytes`);
            assert.ok(memory.bytes() <= memoryBytes, `${way}: ${memory.bytes()} of ${memoryBytes}`);
          });
        }
      } finally {
        memory.restore();
      }
    }
  });
}

test("what stays is read once, what is in its place still is not read again, and the rest for every image", () =>
  withModel(nodeHost(), directorySource(packed), { threads: 1, residency: "stream" }, async ({ runtime }) => {
    const all = runtime.memoryBytes;
    const read: number[] = [];
    for (const memoryBudget of [all, all + 400_000]) {
      const source = faultySource(directorySource(packed));
      await withModel(nodeHost(), source, { threads: 1, residency: "stream", memoryBudget }, async (model) => {
        const { imageSize: size } = model.config;
        const image = { type: "float32", dims: [1, 3, size, size], data: new Float32Array(3 * size ** 2) } as const;
        const before = source.bytes();
        const features = await model.encode(image);
        read.push(source.bytes() - before);
        await model.encode(image);
        assert.is(source.bytes() - before, 2 * read.at(-1)!, "every image reads the same");
        await model.project(features);
        const aligned = source.bytes();
        await model.project(features);
        assert.is(source.bytes(), aligned, "the aligner is in its place");
      });
    }
    assert.ok(read[1]! > 0 && read[0]! - read[1]! > 200_000, `${read}`);
  }));

for (const [way, [host, threads]] of Object.entries(HOSTS)) {
  const load = (source: ModelInput): Promise<JanusModel> =>
    JanusModel.load(host(), source, { variant: "simd", threads, residency: "stream" });

  test(`${way}: a read that fails ends its call, and the next one reads it again`, async () => {
    const source = faultySource(directorySource(packed));
    const model = await load(source);
    const expected = await answers(model);
    let total = 0;
    source.before((read) => {
      total = read;
    });
    await answers(model);
    for (const failing of [0, Math.floor(total / 2), total]) {
      const broken = new Error(`the disk broke at ${failing}`);
      source.before((read) => {
        if (read === failing) throw broken;
      });
      assert.is(await rejection(answers(model)), broken);
      source.before(() => {});
      assert.is(await answers(model), expected, `after ${broken.message}`);
    }
    await model.dispose();
  });

  test(`${way}: an abort ends a call while it reads and while it computes, at once`, async () => {
    const source = faultySource(directorySource(packed));
    const model = await load(source);
    const expected = await answers(model);
    for (const aborting of [0, 45]) {
      for (const stalls of ["until the signal", "a while", "not"]) {
        const controller = new AbortController();
        let go = (): void => {};
        source.before(async (read, signal) => {
          if (read !== aborting) return;
          controller.abort("enough");
          if (stalls === "until the signal")
            await new Promise((_, reject) =>
              signal?.aborted ? reject(signal.reason) : signal?.addEventListener("abort", () => reject(signal.reason)),
            );
          if (stalls === "a while")
            await new Promise<void>((resolve) => {
              go = resolve;
            });
        });
        assert.is(await within(1000, rejection(answers(model, controller.signal)), "an abort"), "enough");
        source.before(() => {});
        const next = answers(model);
        // What a source that knows no signals reads in the end is written over.
        setTimeout(() => go(), 5);
        assert.is(await next, expected, `aborted at ${aborting}, stalled ${stalls}`);
      }
    }
    await model.dispose();
  });

  test(`${way}: a model that is disposed of while a read does not end rejects with E_DISPOSED`, async () => {
    const source = faultySource(directorySource(packed));
    const model = await load(source);
    let stalled = (): void => {};
    const reached = new Promise<void>((resolve) => {
      stalled = resolve;
    });
    source.before((read) => {
      if (read !== 40) return;
      stalled();
      return new Promise(() => {});
    });
    const call = rejection(answers(model));
    await reached;
    await within(1000, model.dispose(), "disposing");
    await refused(Promise.reject(await call), "E_DISPOSED", /disposed/);
  });
}

/** A copy of the packed demo model that `damage` may do harm to. */
async function copy(damage?: (file: string) => void): Promise<string> {
  const folder = mkdtempSync(join(scratch, "copy-"));
  await pack(DEMO, join(folder, "model"), { dtype: "int8" });
  damage?.(join(folder, "model", "model.safetensors"));
  return join(folder, "model");
}

/** Where the first element of a tensor lies in a file. */
function placeOf(file: string, name: string): number {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  return 8 + length + header[name].data_offsets[0];
}

test("weights that are not finite are E_NUMERIC by name, when they come", async () => {
  const folder = await copy((file) => {
    const bytes = readFileSync(file);
    bytes.writeFloatLE(Number.NaN, placeOf(file, "blocks.2.fc1.scales") + 8);
    writeFileSync(file, bytes);
  });
  for (const [host, threads] of Object.values(HOSTS)) {
    await withModel(host(), folder, { threads, residency: "stream" }, async (model) => {
      for (let n = 0; n < 2; n++) await refused(answers(model), "E_NUMERIC", /1 tensors: blocks\.2\.fc1\.scales \(1\)/);
    });
  }
  const staying = JanusModel.load(nodeHost(), folder, { residency: "stream", memoryBudget: 1e9, threads: 1 });
  await refused(staying, "E_NUMERIC", /blocks\.2\.fc1\.scales/);
  const verified = JanusModel.load(nodeHost(), folder, { residency: "stream", verify: true, threads: 1 });
  await refused(verified, "E_INTEGRITY", /SHA-256/);
});

test("a file that is written to between two images is E_INTEGRITY; one that is cut short is refused as ever", async () => {
  const folder = await copy();
  await withModel(nodeHost(), folder, { threads: 1, residency: "stream" }, async (model) => {
    await answers(model);
    appendFileSync(join(folder, "model.safetensors"), "x");
    await refused(answers(model), "E_INTEGRITY", /unchanged since it was opened/);
  });
  const short = await copy((file) => truncateSync(file, 900_000));
  for (const residency of ["resident", "stream"] as const)
    await refused(JanusModel.load(nodeHost(), short, { residency, threads: 1 }), "E_FORMAT", /model\.safetensors/);
});

test("what was verified is compared again each time it is read: damage between two images is E_INTEGRITY, mended it is the model again", async () => {
  const file = "model.safetensors";
  const folder = await copy();
  const files = Object.fromEntries(
    readdirSync(folder).map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]),
  );
  const damaged = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const at = placeOf(join(folder, file), name) + 5;
    files[file]![at]! ^= 1;
    try {
      return await work();
    } finally {
      files[file]![at]! ^= 1;
    }
  };
  const ask = async (model: JanusModel): Promise<string> => {
    const { inputsEmbeds } = await model.embed({ prompt: "<image_placeholder> Where?", images: [PICTURE] });
    return createHash("sha256").update(bytesOf(inputsEmbeds)).digest("hex");
  };
  const expected = await withModel(nodeHost(), folder, { threads: 1 }, ask);
  for (const [way, [host, threads]] of Object.entries(HOSTS)) {
    const least = await withModel(
      host(),
      folder,
      { threads, residency: "stream" },
      async (model) => model.runtime.memoryBytes,
    );
    for (const budget of [{}, { memoryBudget: least }, { memoryBudget: least + 200_000 }]) {
      const options = { threads, residency: "stream", verify: true, ...budget } as const;
      await withModel(host(), memorySource(files), options, async (model) => {
        assert.is(await ask(model), expected, way);
        for (const name of ["blocks.3.fc2.weight", "blocks.3.norm1.bias", "embed_tokens.weight.rows.0"]) {
          const refusal = new RegExp(
            `model\\.safetensors: .*${name.replace(/\.rows\.0$/, "")}.* as they were when they were verified`,
          );
          await damaged(name, () => refused(ask(model), "E_INTEGRITY", refusal));
        }
        assert.is(await ask(model), expected, way);
      });
    }
  }
  // What is loaded was read before, when it was verified: it is compared again.
  for (const threads of [1, 2]) {
    const at = placeOf(join(folder, file), "blocks.1.fc1.weight") + 5;
    let reads = 0;
    const from = memorySource(files);
    const changing: WeightSource = {
      ...from,
      async read(path, offset, length) {
        const bytes = await from.read(path, offset, length);
        if (path === file && offset <= at && at < offset + length && ++reads > 1) bytes[at - offset]! ^= 1;
        return bytes;
      },
    };
    const loading = JanusModel.load(nodeHost(), changing, { threads, verify: true });
    await refused(loading, "E_INTEGRITY", /blocks\.1\.fc1\.weight.* as they were when they were verified/);
    assert.is(reads, 2);
  }
  // Resident weights are read once, rows of the token table by every prompt.
  await withModel(nodeHost(), memorySource(files), { threads: 1, verify: true }, async (model) => {
    await damaged("embed_tokens.weight.rows.0", () => refused(ask(model), "E_INTEGRITY", /embed_tokens\.weight/));
    assert.is(await ask(model), expected);
  });
});

test("a picture that does not fit the budget is E_OOM, and the next one is answered", async () => {
  const picture = (side: number) => ({ width: side, height: side, data: new Uint8Array(3 * side ** 2) });
  for (const [host, threads] of Object.values(HOSTS)) {
    const least = await withModel(
      host(),
      packed,
      { threads, residency: "stream" },
      async (model) => model.runtime.memoryBytes,
    );
    const memory = watch();
    const limits = { threads, residency: "stream", memoryBudget: least } as const;
    await withModel(host(), packed, limits, async (model) => {
      const expected = await answers(model);
      await refused(
        model.preprocess(picture(2000)),
        "E_OOM",
        /bytes needed, but the memory budget leaves \d+; use a smaller/,
      );
      assert.is((await model.preprocess(picture(300))).dims.length, 4);
      assert.is(await answers(model), expected);
      assert.ok(memory.bytes() <= least);
    }).finally(memory.restore);
  }
});

test("a resident model with too small a budget says what it needs, and that it could stream", async () => {
  for (const threads of [1, 2]) {
    const small = JanusModel.load(nodeHost(), DEMO, { threads, memoryBudget: 3_000_000 });
    const error = await refused(small, "E_OOM", /keep this model resident .* got 3000000; .*stream it/);
    const needed = Number(/at least (\d+) bytes/.exec(error.message)?.[1]);
    await refused(JanusModel.load(nodeHost(), DEMO, { threads, memoryBudget: needed - 1 }), "E_OOM", /at least/);
    await withModel(nodeHost(), DEMO, { threads, memoryBudget: needed }, async (model) => {
      assert.equal([model.runtime.residency, model.runtime.memoryBytes], ["resident", needed]);
    });
  }
});

test.run();
