/** The pool over real threads: every program of pool-worker.ts, with one to three workers. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { startComputeWorker } from "#dist/entry/node/workers.js";
import type { JanusError } from "#dist/errors.js";
import { CONTROL_BYTES } from "#dist/threads/control.js";
import { Pool, type RunOptions } from "#dist/threads/pool.js";
import type { FromWorker, ToWorker, WorkerHandle } from "#dist/threads/protocol.js";
import { ARENA_BASE } from "#dist/wasm/abi.js";
import { countListeners } from "../../support/counted-listeners.js";
import { ROOT } from "../../support/paths.js";
import { type PoolSetup, WORDS, WORDS_AT } from "../../support/pool-words.js";
import { refused } from "../../support/refusal.js";
import { rejection, until, within } from "../../support/waiting.js";

const test = suite("threads/pool");

const COUNTS = [1, 2, 3];
/** What is called prompt: far more than a message takes, far less than a hang. */
const PROMPT_MS = 2000;
/** How soon an abort must be through. */
const ABORT_MS = 200;
const module = new WebAssembly.Module(readFileSync(`${ROOT}dist/wasm/simd-threads.wasm`));
const program = new URL("../../support/pool-worker.js", import.meta.url);

interface Running {
  readonly pool: Pool;
  readonly words: Int32Array;
  /** Runs and requires an answer in time. */
  run(name: string, input?: unknown, options?: RunOptions): Promise<unknown[]>;
}

async function started(count: number, grace?: number, fails?: PoolSetup["fails"]): Promise<Running> {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const setup: PoolSetup = { module, memory, ...(fails && { fails }) };
  const pool = await Pool.start({
    count,
    startWorker: () => startComputeWorker(program),
    control: new Int32Array(memory.buffer, ARENA_BASE, CONTROL_BYTES / 4),
    setup,
    ...(grace !== undefined && { grace }),
  });
  const run: Running["run"] = (name, input, options) => within(PROMPT_MS, pool.run(name, input, options), name);
  return { pool, words: new Int32Array(memory.buffer, WORDS_AT, 16), run };
}

async function withPool(count: number, work: (running: Running) => Promise<void>, grace?: number): Promise<void> {
  const running = await started(count, grace);
  try {
    await work(running);
  } finally {
    await within(PROMPT_MS, running.pool.dispose(), "dispose");
  }
}

/** Usable: all meet, and the leader's output is the first. */
async function checkUsable({ pool, run }: Running): Promise<void> {
  assert.equal(await run("meet", 100), Array(pool.size).fill(100));
}

async function checkLost({ run }: Running, code: "E_INTERNAL" | "E_DISPOSED", message: RegExp): Promise<void> {
  await refused(run("nothing"), code, message);
}

for (const count of COUNTS) {
  const title = (what: string): string => `${what}, ${count} worker${count === 1 ? "" : "s"}`;

  test(title("outputs come in the workers' order, the leader alone gets what is its own"), () =>
    withPool(count, async ({ pool, run }) => {
      assert.is(pool.size, count);
      const outputs = await run("echo", { question: 42 }, { own: "for the leader" });
      assert.equal(
        outputs,
        Array.from({ length: count }, (_, index) => ({
          index,
          count,
          input: { question: 42 },
          own: index === 0 ? "for the leader" : undefined,
        })),
      );
      assert.equal(await run("nothing"), Array(count).fill(undefined));
      assert.equal(
        await run("later"),
        Array.from({ length: count }, (_, index) => index),
      );
    }),
  );

  test(title("buffers change hands both ways"), () =>
    withPool(count, async ({ run }) => {
      const own = new Uint8Array([1, 2, 3]);
      const [first] = await run("echo", undefined, { own, transfer: [own.buffer] });
      assert.equal((first as { own: Uint8Array }).own, new Uint8Array([1, 2, 3]));
      assert.is(own.length, 0, "given away");
      const given = (await run("give", 5)) as Uint8Array[];
      for (const bytes of given) assert.equal(bytes, new Uint8Array(5).fill(7));
    }),
  );

  test(title("programs come one after another, and all workers are in the same one"), () =>
    withPool(count, async (running) => {
      for (let time = 0; time < 50; time++) assert.equal(await running.run("visit"), Array(count).fill(count));
      await checkUsable(running);
    }),
  );

  for (let index = 0; index < count; index++) {
    test(title(`an error in worker ${index} lets the others go and leaves the pool usable`), () =>
      withPool(count, async (running) => {
        for (let time = 0; time < 3; time++) {
          const error = await refused(running.run("refuse", { index }), "E_NUMERIC", /^packing: expected a number/);
          assert.is(error.origin, "model");
          assert.match(error.stack ?? "", "pool-worker");
          await checkUsable(running);
        }
      }),
    );

    for (const [fault, message] of [
      ["trap", /^a worker failed: .*out of bounds; load the model again$/],
      ["crash", /^a worker failed: a bug; load/],
      ["crashOddly", /^a worker failed: a string; load/],
      ["exit", new RegExp(`^compute worker ${index} ended: exit status 7; load the model again$`)],
    ] as const) {
      test(title(`${fault} in worker ${index} is prompt and the end of the pool`), () =>
        withPool(count, async (running) => {
          await refused(running.run(fault, { index }), "E_INTERNAL", message);
          await checkLost(running, "E_INTERNAL", message);
        }),
      );
    }

    test(title(`worker ${index} that ignores the stop is ended after the grace period`), () =>
      withPool(
        count,
        async (running) => {
          const controller = new AbortController();
          const work = running.run("deaf", { index }, { signal: controller.signal });
          await until(() => Atomics.load(running.words, WORDS.entered) === count, "all are inside");
          controller.abort();
          await refused(work, "E_INTERNAL", /^a worker did not leave deaf when stopped; load the model again$/);
          await checkLost(running, "E_INTERNAL", /did not leave deaf/);
        },
        50,
      ),
    );
  }

  test(title("an error in every worker arrives once, the first one"), () =>
    withPool(count, async (running) => {
      await refused(running.run("refuseAll"), "E_OOM", /^growing: worker \d has no memory$/);
      await checkUsable(running);
    }),
  );

  test(title("an answer that cannot be sent is the end of the pool"), () =>
    withPool(count, async (running) => {
      await refused(running.run("secret"), "E_INTERNAL", /could not be cloned; load the model again$/);
      await checkLost(running, "E_INTERNAL", /could not be cloned/);
    }),
  );

  test(title("a question that cannot be sent is not asked, and does no harm"), () =>
    withPool(count, async (running) => {
      const error = await rejection(running.run("echo", () => 1));
      assert.match(String(error), "could not be cloned");
      await checkUsable(running);
    }),
  );

  test(title("an abort before the run: the reason, and nothing was sent"), () =>
    withPool(count, async (running) => {
      const reason = new Error("changed my mind");
      const own = new Uint8Array(3);
      const options = { own, transfer: [own.buffer], signal: AbortSignal.abort(reason) };
      assert.is(await rejection(running.run("echo", 1, options)), reason);
      assert.is(own.length, 3, "not given away");
      await checkUsable(running);
    }),
  );

  for (const name of ["spin", "waitForLeader"]) {
    test(title(`an abort during ${name}: the reason, within ${ABORT_MS} ms, and the pool stays usable`), () =>
      withPool(count, async (running) => {
        for (let time = 1; time <= 3; time++) {
          const controller = new AbortController();
          const reason = { any: "value" };
          const work = running.run(name, undefined, { signal: controller.signal });
          await until(() => Atomics.load(running.words, WORDS.entered) === time * count, "all are inside");
          const aborted = performance.now();
          controller.abort(reason);
          assert.is(await rejection(work), reason);
          assert.ok(performance.now() - aborted < ABORT_MS, `${performance.now() - aborted} ms`);
          await checkUsable(running);
        }
      }),
    );
  }

  test(title("an abort at the very start, before any worker has read the message"), () =>
    withPool(count, async (running) => {
      for (let time = 0; time < 20; time++) {
        const controller = new AbortController();
        const work = running.run("spin", undefined, { signal: controller.signal });
        controller.abort();
        assert.is(((await rejection(work)) as Error).name, "AbortError");
        await checkUsable(running);
      }
    }),
  );

  test(title("an abort at any moment of a short program ends it or comes too late, and never harms the next"), () =>
    withPool(count, async (running) => {
      for (let time = 0; time < 60; time++) {
        const controller = new AbortController();
        const work = running.run("meet", 2000, { signal: controller.signal });
        setTimeout(() => controller.abort(), time / 20);
        const outcome = await work.catch((reason) => reason.name);
        assert.ok(outcome === "AbortError" || (Array.isArray(outcome) && outcome.every((times) => times === 2000)));
        await checkUsable(running);
      }
    }),
  );

  test(title("an abort between two runs concerns neither"), () =>
    withPool(count, async (running) => {
      const controller = new AbortController();
      await running.run("meet", 1, { signal: controller.signal });
      controller.abort();
      await checkUsable(running);
    }),
  );

  test(title("a signal that outlives its runs keeps no listener"), () =>
    withPool(count, async (running) => {
      const warnings: Error[] = [];
      const onWarning = (warning: Error): number => warnings.push(warning);
      process.on("warning", onWarning);
      const { signal } = new AbortController();
      const listeners = countListeners(signal);
      for (let time = 0; time < 20; time++) await running.run("nothing", undefined, { signal });
      await rejection(running.run("refuseAll", undefined, { signal }));
      await new Promise((resolve) => setImmediate(resolve));
      process.off("warning", onWarning);
      assert.is(listeners(), 0);
      assert.equal(warnings, []);
    }),
  );

  test(title("dispose while running: E_DISPOSED at once, for good, and twice is once"), () =>
    withPool(count, async (running) => {
      const work = refused(running.run("spin"), "E_DISPOSED", /disposed/);
      await until(() => Atomics.load(running.words, WORDS.entered) === count, "all are inside");
      await within(PROMPT_MS, Promise.all([running.pool.dispose(), running.pool.dispose()]), "dispose");
      await work;
      await checkLost(running, "E_DISPOSED", /disposed/);
    }),
  );

  test(title("dispose ends even a worker that does not look at the stop"), () =>
    withPool(count, async (running) => {
      const work = refused(running.run("deaf", { index: 0 }), "E_DISPOSED", /disposed/);
      await until(() => Atomics.load(running.words, WORDS.entered) === count, "all are inside");
      await within(PROMPT_MS, running.pool.dispose(), "dispose");
      await work;
    }),
  );

  for (const [how, code, message] of [
    ["refuses", "E_OOM", /^starting: no memory$/],
    ["throws", "E_INTERNAL", /^a worker failed: a bug in start/],
    ["exits", "E_INTERNAL", /ended: exit status 3/],
  ] as const) {
    test(title(`a last worker whose start ${how}: no pool, and no worker is left`), async () => {
      const start = started(count, undefined, { index: count - 1, how });
      await refused(within(10_000, start, "start"), code, message);
    });
  }
}

test("a worker that cannot be made: the others are ended", async () => {
  let ended = 0;
  let made = 0;
  const startWorker = (): WorkerHandle => {
    if (made++ === 2) throw new Error("no more threads");
    const handle = startComputeWorker(program);
    return { ...handle, terminate: () => handle.terminate().then(() => void ended++) };
  };
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  const start = Pool.start({ count: 3, startWorker, control, setup: {} });
  assert.match(String(await rejection(start)), "no more threads");
  assert.ok(ended >= 2);
});

test("a program file that does not load is an end, promptly", async () => {
  const startWorker = (): WorkerHandle => startComputeWorker(new URL("./no-such-file.js", import.meta.url));
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  const start = Pool.start({ count: 2, startWorker, control, setup: {} });
  await refused(within(10_000, start, "start"), "E_INTERNAL", /^compute worker \d ended: .*no-such-file/);
});

/** A worker that answers only when told to: for orders of events that threads give once in a thousand times. */
class Puppet implements WorkerHandle {
  readonly sent: ToWorker[] = [];
  terminated = 0;
  answer: (message: FromWorker) => void = () => {};
  end: (reason: string) => void = () => {};

  post(message: ToWorker): void {
    this.sent.push(message);
    if (message.kind === "start") this.answer({ kind: "ready" });
  }
  onMessage(listener: (message: FromWorker) => void): void {
    this.answer = listener;
  }
  onEnd(listener: (reason: string) => void): void {
    this.end = listener;
  }
  async terminate(): Promise<void> {
    this.terminated++;
  }
}

async function puppets(): Promise<{ pool: Pool; puppets: [Puppet, Puppet]; control: Int32Array }> {
  const all: [Puppet, Puppet] = [new Puppet(), new Puppet()];
  const rest = [...all];
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  const startWorker = (): WorkerHandle => rest.shift() ?? new Puppet();
  return { pool: await Pool.start({ count: 2, startWorker, control, setup: undefined }), puppets: all, control };
}

test("a run waits for every worker, also after the first error", async () => {
  const {
    pool,
    puppets: [a, b],
  } = await puppets();
  let settled = false;
  const work = rejection(pool.run("any", 1)).finally(() => {
    settled = true;
  });
  a.answer({ kind: "failed", error: { code: "E_OOM", message: "the first" }, fatal: false });
  await new Promise((resolve) => setImmediate(resolve));
  assert.not.ok(settled, "the other is still inside");
  b.answer({ kind: "stopped" });
  assert.is(((await work) as JanusError).message, "the first");
});

test("a fatal error after another one is what the pool is lost with", async () => {
  const {
    pool,
    puppets: [a, b],
  } = await puppets();
  const work = rejection(pool.run("any", 1));
  a.answer({ kind: "failed", error: { code: "E_OOM", message: "the first" }, fatal: false });
  b.answer({ kind: "failed", error: { code: "E_INTERNAL", message: "a trap" }, fatal: true });
  assert.is(((await work) as JanusError).message, "a trap");
  assert.is(((await rejection(pool.run("any", 1))) as JanusError).message, "a trap");
  assert.ok(a.terminated > 0 && b.terminated > 0, "both were ended");
});

test("a lost pool asks its workers nothing, and leaves the stop word as it is", async () => {
  const {
    pool,
    puppets: [a, b],
    control,
  } = await puppets();
  a.end("exit status 1");
  await rejection(pool.run("any", 1));
  assert.is(a.sent.length + b.sent.length, 2, "the two starts");
  assert.is.not(control[2], 0);
});

test("an error that comes with the abort gives way to the reason, a lost worker does not", async () => {
  const first = await puppets();
  const controller = new AbortController();
  const work = rejection(first.pool.run("any", 1, { signal: controller.signal }));
  controller.abort("the reason");
  first.puppets[0].answer({ kind: "failed", error: { code: "E_OOM", message: "no memory" }, fatal: false });
  first.puppets[1].answer({ kind: "stopped" });
  assert.is(await work, "the reason");

  const second = await puppets();
  const other = new AbortController();
  const lost = rejection(second.pool.run("any", 1, { signal: other.signal }));
  other.abort("the reason");
  second.puppets[1].end("killed");
  assert.is(((await lost) as JanusError).code, "E_INTERNAL");
});

test("a worker that shares no memory is waited for, whatever the grace period, and stays", async () => {
  const answers: ((message: FromWorker) => void)[] = [];
  const posted: ToWorker[] = [];
  const worker: WorkerHandle = {
    post: (message) => void posted.push(message),
    onMessage: (listener) => void answers.push(listener),
    onEnd() {},
    terminate: async () => assert.unreachable("it was ended"),
  };
  const control = new Int32Array(CONTROL_BYTES / 4);
  const starting = Pool.start({ count: 1, startWorker: () => worker, control, setup: undefined, grace: 10 });
  answers[0]?.({ kind: "ready" });
  const pool = await starting;
  const call = new AbortController();
  const work = rejection(pool.run("long", undefined, { signal: call.signal }));
  call.abort("enough");
  await new Promise((resolve) => setTimeout(resolve, 50));
  answers[0]?.({ kind: "done", output: 1 });
  assert.is(await work, "enough");
  const next = pool.run("next", undefined);
  answers[0]?.({ kind: "done", output: 2 });
  assert.equal(await next, [2]);
  assert.is(posted.length, 3);
});

test("a program that left in time does not lose the pool when the grace period is over", () =>
  withPool(
    2,
    async (running) => {
      const controller = new AbortController();
      const work = running.run("spin", undefined, { signal: controller.signal });
      await until(() => Atomics.load(running.words, WORDS.entered) === 2, "all are inside");
      controller.abort("enough");
      assert.is(await rejection(work), "enough");
      await new Promise((resolve) => setTimeout(resolve, 150));
      await checkUsable(running);
    },
    100,
  ));

test("what a worker says after the pool was lost is of no consequence", async () => {
  const {
    pool,
    puppets: [a, b],
  } = await puppets();
  const work = rejection(pool.run("any", 1));
  a.end("killed");
  await work;
  b.answer({ kind: "done", output: 1 });
  a.answer({ kind: "done", output: 1 });
  await pool.dispose();
  assert.is(((await rejection(pool.run("any", 1))) as JanusError).code, "E_INTERNAL", "the first loss stays");
});

/** Every task of every call was some worker's, once. */
function checkClaims(outputs: readonly unknown[], totals: readonly number[]): void {
  totals.forEach((total, call) => {
    const taken = outputs.flatMap((own) => (own as number[][])[call]!);
    assert.equal(
      taken.sort((a, b) => a - b),
      Array.from({ length: total }, (_, index) => index),
      `call ${call} of ${total} tasks`,
    );
  });
}

for (const count of [1, 2, 3, 4, 5]) {
  test(`each task is one worker's, call after call and program after program, ${count} workers`, () =>
    withPool(count, async ({ run }) => {
      const totals = [7, 0, 1, 0, 0, 500, 3, 64, 2];
      for (let time = 0; time < 20; time++) checkClaims(await run("claim", { totals }), totals);
    }));

  test(`tasks begin at 0 again after an abort in the middle of them, ${count} workers`, () =>
    withPool(count, async ({ words, run }) => {
      for (let time = 0; time < 5; time++) {
        Atomics.store(words, WORDS.entered, 0);
        const controller = new AbortController();
        const reason = new Error("enough");
        const work = rejection(run("claimOn", undefined, { signal: controller.signal }));
        await until(() => Atomics.load(words, WORDS.entered) === count, "all are inside");
        controller.abort(reason);
        assert.is(await work, reason);
        checkClaims(await run("claim", { totals: [9, 4] }), [9, 4]);
      }
    }));
}

test("a slow worker does fewer tasks, the others do what it leaves", () =>
  withPool(3, async ({ run }) => {
    const totals = [30, 30];
    const outputs = (await run("claim", { totals, slow: 1 })) as number[][][];
    checkClaims(outputs, totals);
    for (const own of outputs[1]!) assert.ok(own.length < 10, `${own.length} of 30, its even share`);
  }));

/** Runs a module in a process of its own; `pool` and `run` are there. */
function inProcess(body: string): { status: number | null; stdout: string; stderr: string } {
  const source = `
    import { readFileSync } from "node:fs";
    import { startComputeWorker } from "${ROOT}dist/entry/node/workers.js";
    import { Pool } from "${ROOT}dist/threads/pool.js";
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
    const module = new WebAssembly.Module(readFileSync("${ROOT}dist/wasm/simd-threads.wasm"));
    const startWorker = () => startComputeWorker(new URL("${program.href}"));
    const control = new Int32Array(memory.buffer, ${ARENA_BASE}, ${CONTROL_BYTES / 4});
    const pool = await Pool.start({ count: 2, startWorker, control, setup: { module, memory }, grace: 100 });
    ${body}`;
  const args = ["--unhandled-rejections=strict", "--input-type=module", "--eval", source];
  return spawnSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
}

for (const [what, body, output] of [
  ["idle workers keep no process", `console.log("end");`, "end\n"],
  ["working ones keep it until they answer", `pool.run("later").then((o) => console.log(o.join()));`, "0,1\n"],
  ["so they do under a top-level await", `console.log((await pool.run("later")).join());`, "0,1\n"],
  [
    "a refused question keeps no process",
    `await pool.run("echo", () => 1).catch((e) => console.log(e.name));`,
    "DataCloneError\n",
  ],
  ["a disposed pool keeps no process", `await pool.dispose(); console.log("end");`, "end\n"],
  [
    "a lost one keeps no process, even with a worker that would never stop",
    `const c = new AbortController();
     setTimeout(() => c.abort(), 50);
     await pool.run("deaf", { index: 1 }, { signal: c.signal }).catch((e) => console.log(e.code));`,
    "E_INTERNAL\n",
  ],
] as const) {
  test(what, () => {
    const { status, stdout, stderr } = inProcess(body);
    assert.equal([status, stdout, stderr], [0, output, ""]);
  });
}

test.run();
