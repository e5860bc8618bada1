import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bootThread, startTokenizer } from "#dist/entry/node/tokenizer.js";
import { createTokenizer, type TokenizerFiles } from "#dist/text/tokenizer.js";
import { golden, ROOT } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";
import { bytes, editedFiles, hostilePattern, tokenizerFiles } from "../../../support/tokenizer-files.js";

const OPTIONS = { vocabRows: 1024 };
const FILES = tokenizerFiles("tiny-orig-bin");

/** 30 000 characters that the hostile pattern would try for longer than the universe is old. */
const HOSTILE_TEXT = "a".repeat(30_000);

function hostile(): TokenizerFiles {
  return editedFiles("tiny-orig-bin", hostilePattern);
}

async function elapsed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

const test = suite("entry/node/tokenizer");

test("ids and special tokens are those of the tokenizer itself", async () => {
  const thread = startTokenizer(FILES, OPTIONS);
  const direct = createTokenizer(FILES, OPTIONS);
  const texts = ["Hello world", "", "\ud800\u0000<image_placeholder>", "图中有一座红色的房子。"];
  assert.equal(await thread.special(), direct.special);
  assert.equal(await thread.encode(texts), texts.map(direct.encode));
  assert.equal(await thread.encode([]), []);
  await thread.dispose();
});

test("a thread that was booted ahead is taken first, and only once", async () => {
  const booted = bootThread();
  const thread = startTokenizer(FILES, OPTIONS, booted);
  const { encode } = createTokenizer(FILES, OPTIONS);
  assert.equal(await thread.encode(["a"]), [encode("a")]);
  await booted.terminate();
  assert.equal(await thread.encode(["c"]), [encode("c")], "another one takes over");
  await thread.dispose();
});

test("a thread booted ahead ends with a tokenizer that was never asked", async () => {
  const booted = bootThread();
  let ended = false;
  booted.onEnd(() => {
    ended = true;
  });
  await startTokenizer(FILES, OPTIONS, booted).dispose();
  assert.ok(ended);
});

test("one that ended before it was needed is an error, and the next call is served", async () => {
  const booted = bootThread();
  await booted.terminate();
  const thread = startTokenizer(FILES, OPTIONS, booted);
  await refused(thread.special(), "E_INTERNAL", /ended before it was asked/);
  assert.is((await thread.encode(["a"])).length, 1);
  await thread.dispose();
});

test("calls at the same time are answered each with its own", async () => {
  const thread = startTokenizer(FILES, OPTIONS);
  const { encode } = createTokenizer(FILES, OPTIONS);
  const answers = await Promise.all(["a", "bb", "ccc"].map((text) => thread.encode([text])));
  assert.equal(answers, [[encode("a")], [encode("bb")], [encode("ccc")]]);
  await thread.dispose();
});

test("errors of the tokenizer cross with code, message and origin", async () => {
  const broken = startTokenizer({ tokenizerJson: bytes("{") }, OPTIONS);
  await refused(broken.special(), "E_CONFIG", /^tokenizer\.json: expected JSON in UTF-8/);
  await refused(broken.encode(["a"]), "E_CONFIG", /^tokenizer\.json/);
  const other = editedFiles("tiny-orig-bin", ({ model }) => (model.type = "Unigram"));
  const unsupported = startTokenizer(other, OPTIONS);
  const error = await unsupported.special().catch((reason: unknown) => reason);
  assert.is((error as { code: string }).code, "E_UNSUPPORTED");
  assert.is((error as { origin: string }).origin, "model");
  await broken.dispose();
  await unsupported.dispose();
});

test("C14 a catastrophic pattern is stopped, and the next call is served", async () => {
  const thread = startTokenizer(hostile(), OPTIONS);
  await thread.special();
  const took = await elapsed(() =>
    refused(thread.encode([HOSTILE_TEXT]), "E_CONFIG", /tokenizer\.json/, /pattern did not finish .* 30000 characters/),
  );
  // The deadline is 1.8 s; above it only the timer's own lateness on a busy machine.
  assert.ok(took >= 1790 && took < 3000, `${took} ms`);
  assert.equal(await thread.encode(["b"]), [[600, 65]]);
  await thread.dispose();
});

test("an abort while a pattern runs rejects with the signal's reason within 200 ms, and the next call is served", async () => {
  const thread = startTokenizer(hostile(), OPTIONS);
  await thread.special();
  const controller = new AbortController();
  const reason = new Error("no longer wanted");
  const running = thread.encode([HOSTILE_TEXT], controller.signal).catch((error: unknown) => error);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const took = await elapsed(async () => {
    controller.abort(reason);
    assert.is(await running, reason);
  });
  assert.ok(took < 200, `${took} ms`);
  assert.equal(await thread.encode(["b"]), [[600, 65]]);
  await thread.dispose();
});

test("an abort while others are served, while the thread starts, or before the call rejects at once", async () => {
  const thread = startTokenizer(hostile(), OPTIONS);
  const starting = new AbortController();
  const first = thread.special(starting.signal).catch((error: unknown) => error);
  await new Promise((resolve) => setImmediate(resolve));
  starting.abort("while starting");
  assert.is(await first, "while starting");

  const serving = thread.encode([HOSTILE_TEXT]);
  const waiting = new AbortController();
  const second = thread.encode(["b"], waiting.signal).catch((error: unknown) => error);
  waiting.abort("while waiting");
  assert.is(await second, "while waiting");
  assert.is(await thread.encode(["b"], AbortSignal.abort("before")).catch((error: unknown) => error), "before");
  await refused(serving, "E_CONFIG", /did not finish/);
  assert.equal(await thread.encode(["b"]), [[600, 65]]);
  await thread.dispose();
});

test("a signal that is never aborted keeps no listener", async () => {
  const thread = startTokenizer(FILES, OPTIONS);
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  await thread.encode(["a"], signal);
  await thread.encode(["a"], signal);
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(listeners, 0);
  await thread.dispose();
});

test("an answer that waits behind a busy main thread is not late", async () => {
  const thread = startTokenizer(FILES, OPTIONS);
  await thread.special();
  const answer = thread.encode(["a"]);
  await new Promise((resolve) => setImmediate(resolve));
  // Longer than the deadline of 1.5 s, and without a chance for the message to be read.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1700);
  assert.equal(await answer, [[600, 64]]);
  await thread.dispose();
});

test("dispose rejects what runs and what waits with E_DISPOSED, and every later call", async () => {
  const thread = startTokenizer(hostile(), OPTIONS);
  await thread.special();
  const running = refused(thread.encode([HOSTILE_TEXT]), "E_DISPOSED");
  const waiting = refused(thread.encode(["b"]), "E_DISPOSED");
  await new Promise((resolve) => setTimeout(resolve, 50));
  await thread.dispose();
  await running;
  await waiting;
  await refused(thread.special(), "E_DISPOSED");
  await thread.dispose();
});

test("dispose before any call starts nothing", async () => {
  const thread = startTokenizer(FILES, OPTIONS);
  await thread.dispose();
  await refused(thread.encode(["a"]), "E_DISPOSED");
});

test("P05 a prompt of 1 MB is tokenized within its deadline", async () => {
  const thread = startTokenizer(FILES, OPTIONS);
  const [ids] = await thread.encode(["Describe the picture. ".repeat(50_000)]);
  assert.ok(ids!.length > 16384);
  const [run] = await thread.encode(["a".repeat(1_000_000)]);
  assert.ok(run!.length > 16384);
  await thread.dispose();
});

test("an idle thread, never disposed, lets the process end; --input-type does not trouble it", () => {
  const url = pathToFileURL(`${ROOT}dist/entry/node/tokenizer.js`);
  const script = `
    import { readFileSync } from "node:fs";
    const { startTokenizer } = await import(${JSON.stringify(url.href)});
    const tokenizerJson = readFileSync(${JSON.stringify(golden("checkpoints/tiny-orig-bin/tokenizer.json"))});
    const [ids] = await startTokenizer({ tokenizerJson }, { vocabRows: 1024 }).encode(["a"]);
    console.log(JSON.stringify(ids));
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.is(stderr, "");
  assert.is(stdout, "[600,64]\n");
  assert.is(status, 0);
});

test.run();
