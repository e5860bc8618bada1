import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT } from "../../../support/paths.js";

const test = suite("entry/node/workers");

/** Runs a program of its own that may use `start`, and waits for nothing but what the program does. */
function run(program: string): { status: number | null; stdout: string; stderr: string } {
  const script = `import { startComputeWorker as start } from ${JSON.stringify(`${ROOT}dist/entry/node/workers.js`)};\n${program}`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
}

const UNKNOWN = `{ kind: "run", program: "none", input: undefined, own: undefined }`;

test("an idle worker does not keep the process alive", () => {
  assert.is(run("start();").status, 0);
});

test("a worker that was asked something does, until it has answered", () => {
  const { status, stdout } = run(`
    const worker = start();
    worker.onMessage(({ kind }) => console.log(kind));
    worker.post(${UNKNOWN}, []);`);
  assert.is(status, 0);
  assert.is(stdout, "failed\n");
});

test("ending is waited for, also when a last message comes meanwhile", () => {
  // The worker answers while this thread is busy, so that its message is there before the worker has ended.
  const { status, stdout, stderr } = run(`
    const worker = start();
    let messages = 0;
    await new Promise((resolve) => {
      worker.onMessage(() => {
        messages++;
        resolve();
      });
      worker.post(${UNKNOWN}, []);
    });
    worker.post(${UNKNOWN}, []);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    worker.onEnd(() => console.log("not when it was asked to end"));
    const ended = worker.terminate();
    await ended;
    console.log("ended", messages);`);
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /^ended [12]\n$/);
});

test("a worker that ends before anyone listens is told of when someone does", () => {
  const { status, stdout, stderr } = run(`
    const worker = start(new URL("data:text/javascript,process.exit(4)"));
    await new Promise((resolve) => setTimeout(resolve, 500));
    worker.onEnd((reason) => console.log(reason));`);
  assert.equal([status, stdout, stderr], [0, "exit status 4\n", ""]);
});

test.run();
