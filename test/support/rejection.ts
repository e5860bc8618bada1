import * as assert from "uvu/assert";
import { type ErrorCode, JanusError } from "#dist/errors.js";

/** Awaits `work` and requires that it rejects with a JanusError of this code, and a one-line message that matches. */
export async function rejects(work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<JanusError> {
  const error = await work.then(
    () => new Error(`expected a rejection with ${code}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof JanusError)) throw error;
  assert.is(error.code, code, error.message);
  assert.match(error.message, message);
  assert.not.match(error.message, /\n/);
  return error;
}
