import * as assert from "uvu/assert";
import { type ErrorCode, JanusError } from "#dist/errors.js";

/** Asserts that a promise rejects with a JanusError of this code whose message is one short line and matches. */
export async function refused(promise: Promise<unknown>, code: ErrorCode, pattern: RegExp): Promise<JanusError> {
  const outcome = await promise.then(
    () => "was accepted",
    (error: unknown) => error,
  );
  return checked(outcome, code, pattern);
}

/** The same of a function that throws. */
export function refusedNow(action: () => unknown, code: ErrorCode, pattern: RegExp): JanusError {
  let outcome: unknown = "was accepted";
  try {
    action();
  } catch (error) {
    outcome = error;
  }
  return checked(outcome, code, pattern);
}

function checked(outcome: unknown, code: ErrorCode, pattern: RegExp): JanusError {
  if (!(outcome instanceof JanusError)) throw new Error(`expected JanusError ${code}, got ${outcome}`);
  assert.is(outcome.code, code, outcome.message);
  assert.match(outcome.message, pattern);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be in a message.
  assert.not.match(outcome.message, /[\u0000-\u001f\u007f-\u009f]/);
  assert.ok(outcome.message.length <= 600, outcome.message);
  return outcome;
}
