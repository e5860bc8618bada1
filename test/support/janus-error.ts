import * as assert from "uvu/assert";
import { type ErrorCode, JanusError } from "#dist/errors.js";

/** Asserts that `call` throws a JanusError of this code whose message, one line, matches every pattern. */
export function throwsJanus(call: () => unknown, code: ErrorCode, ...patterns: RegExp[]): void {
  let error: unknown;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  isJanus(error, code, ...patterns);
}

/** The same of a promise. */
export async function rejectsJanus(promise: Promise<unknown>, code: ErrorCode, ...patterns: RegExp[]): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  isJanus(error, code, ...patterns);
}

function isJanus(error: unknown, code: ErrorCode, ...patterns: RegExp[]): void {
  assert.ok(error instanceof JanusError, `expected a JanusError ${code}, got ${String(error)}`);
  assert.is(error.code, code, error.message);
  assert.ok(error.message.length < 600, `a message of ${error.message.length} characters`);
  for (const pattern of [/^[^\n\r]+$/, ...patterns]) assert.match(error.message, pattern);
}
