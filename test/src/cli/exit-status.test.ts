import { CommanderError } from "commander";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorText, exitStatus } from "#dist/cli/exit-status.js";
import { Interrupted, ReaderGone } from "#dist/entry/node/terminal.js";
import { type ErrorCode, type ErrorOrigin, JanusError } from "#dist/errors.js";

const test = suite("cli/exit-status");

const janus = (code: ErrorCode, origin?: ErrorOrigin) => new JanusError(code, "why", origin ? { origin } : {});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

test("every row of the table", () => {
  for (const [status, error] of [
    [1, janus("E_INTERNAL")],
    [1, janus("E_DISPOSED")],
    [1, new TypeError("why")],
    [1, new RangeError("Maximum call stack size exceeded")],
    [1, "why"],
    [1, undefined],
    [2, janus("E_USAGE")],
    [2, janus("E_UNSUPPORTED", "usage")],
    [2, new CommanderError(1, "commander.unknownOption", "error: unknown option")],
    [0, new ReaderGone("why")],
    [0, new CommanderError(0, "commander.version", "0.1.0")],
    [3, janus("E_IMAGE")],
    [3, janus("E_PROMPT")],
    [3, janus("E_SHAPE", "input")],
    [3, janus("E_IO", "input")],
    [4, janus("E_FORMAT")],
    [4, janus("E_CONFIG")],
    [4, janus("E_INTEGRITY")],
    [4, janus("E_UNSUPPORTED")],
    [4, janus("E_NUMERIC")],
    [4, janus("E_SHAPE", "model")],
    [4, janus("E_IO", "model")],
    [4, janus("E_IO", "output")],
    [5, janus("E_OOM")],
    [6, janus("E_NETWORK")],
    [130, new Interrupted("interrupted by SIGINT")],
  ] as const) {
    assert.is(exitStatus(error), status, String(error));
  }
});

test("an array that cannot be had is out of memory, by every message of the engine", () => {
  for (const error of [
    caught(() => new Float32Array(2 ** 53 - 1)),
    caught(() => new ArrayBuffer(2 ** 53 - 1)),
    new RangeError("Array buffer allocation failed"),
  ]) {
    assert.is(exitStatus(error), 5, String(error));
    assert.match(errorText(error), /^janus: E_OOM: .*; give fewer or shorter requests/);
  }
});

test("one line, whatever a file or a flag put into the message", () => {
  assert.is(errorText(janus("E_IO")), "janus: E_IO: why");
  assert.is(errorText(new Error("why")), "janus: E_INTERNAL: why");
  assert.is(errorText("why"), "janus: E_INTERNAL: why");
  const hostile = new JanusError("E_PROMPT", "a\r\n \u001b[31mb\u2028c\u0085d\u007f\n");
  assert.is(errorText(hostile), "janus: E_PROMPT: a [31mb c d");
  assert.ok(errorText(new Error("x".repeat(1e6))).length < 7000);
});

test("a usage error names the help that says more", () => {
  const unknown = new CommanderError(
    1,
    "commander.unknownOption",
    "error: unknown option '--imag'\n(Did you mean --image?)",
  );
  assert.is(
    errorText(unknown, { command: "embed" }),
    "janus: E_USAGE: unknown option '--imag' (Did you mean --image?); see janus embed --help",
  );
  const surplus = new CommanderError(1, "commander.excessArguments", "error: too many arguments.");
  assert.is(errorText(surplus), "janus: E_USAGE: too many arguments; see janus --help");
});

test("the stack, and what caused it, only when asked for", () => {
  const error = new JanusError("E_IO", "why\nindeed", { cause: new Error("below\nit") });
  assert.not.match(errorText(error), /\n/);
  const [first, ...rest] = errorText(error, { verbose: true }).split("\n");
  assert.is(first, "janus: E_IO: why indeed");
  assert.ok(rest.length > 4);
  assert.is(rest.filter((line) => line === "caused by Error: below it").length, 1);
  for (const line of rest) assert.match(line, /^(\s+at |caused by )/);
  assert.is(errorText("why", { verbose: true }), "janus: E_INTERNAL: why");
});

test.run();
