import * as assert from "uvu/assert";
import { type ErrorCode, JanusError } from "#dist/errors.js";

/** Time for a refusal: the bound of the list of hostile inputs. */
const PROMPT_MS = 1000;
/** One line on a terminal; a list of tensors may be longer, a message that grows with the file is a flood. */
const MAX_MESSAGE = 600;
/** The one message that lists every missing or mis-shaped tensor; 400 names of an absurd tower at most. */
const LISTING = /^binding the tensors of /;
const MAX_LISTING = 40_000;

/** Asserts that the call is refused with this code, in one bounded line that matches, and promptly. */
export async function refuses(call: () => unknown, code: ErrorCode, pattern: RegExp): Promise<void> {
  const started = performance.now();
  let outcome: unknown = "was accepted";
  try {
    await call();
  } catch (error) {
    outcome = error;
  }
  const elapsed = performance.now() - started;
  checked(outcome, code, [pattern]);
  assert.ok(elapsed < PROMPT_MS, `refused after ${elapsed} ms`);
}

/** Asserts that a promise rejects with a JanusError of this code whose message is one bounded line and matches, whenever that is. */
export async function refused(promise: Promise<unknown>, code: ErrorCode, ...patterns: RegExp[]): Promise<JanusError> {
  const outcome = await promise.then(
    () => "was accepted",
    (error: unknown) => error,
  );
  return checked(outcome, code, patterns);
}

/** The same of a function that throws. */
export function refusedNow(action: () => unknown, code: ErrorCode, ...patterns: RegExp[]): JanusError {
  let outcome: unknown = "was accepted";
  try {
    action();
  } catch (error) {
    outcome = error;
  }
  return checked(outcome, code, patterns);
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

function checked(outcome: unknown, code: ErrorCode, patterns: readonly RegExp[]): JanusError {
  if (!(outcome instanceof JanusError)) {
    throw new Error(`expected JanusError ${code}, got ${outcome instanceof Error ? outcome.stack : outcome}`);
  }
  assert.is(outcome.code, code, outcome.message);
  for (const pattern of patterns) assert.match(outcome.message, pattern);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be in a message.
  assert.not.match(outcome.message, /[\u0000-\u001f\u007f-\u009f]/);
  const bound = LISTING.test(outcome.message) ? MAX_LISTING : MAX_MESSAGE;
  assert.ok(outcome.message.length <= bound, `message of ${outcome.message.length} characters: ${outcome.message}`);
  return outcome;
}
