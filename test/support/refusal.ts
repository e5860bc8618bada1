import * as assert from "uvu/assert";
import { type ErrorCode, JanusError } from "#dist/errors.js";

/** Time for a refusal: the bound of the list of hostile inputs. */
const PROMPT_MS = 1000;
/** One line on a terminal; a list of tensors may be longer, a message that grows with the file is a flood. */
const MAX_MESSAGE = 600;

/** Asserts that the call is refused with this code, in one bounded line that matches, and promptly. */
export async function refuses(call: () => unknown, code: ErrorCode, pattern: RegExp): Promise<void> {
  const started = performance.now();
  let error: unknown;
  try {
    await call();
  } catch (thrown) {
    error = thrown;
  }
  const elapsed = performance.now() - started;
  if (!(error instanceof JanusError)) {
    assert.unreachable(`expected ${code}, got ${error === undefined ? "no error" : String((error as Error).stack)}`);
    throw error;
  }
  assert.is(error.code, code, error.message);
  assert.match(error.message, pattern);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
  assert.not.match(error.message, /[\x00-\x1f\x7f]/);
  assert.ok(error.message.length <= MAX_MESSAGE, `message of ${error.message.length} characters: ${error.message}`);
  assert.ok(elapsed < PROMPT_MS, `refused after ${elapsed} ms`);
}

/** Whatever else happens, only JanusErrors may come out. */
export async function onlyJanusErrors(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof JanusError)) throw error;
    if (error.code === "E_INTERNAL" || /[\n\r]/.test(error.message)) throw error;
  }
}
