import { JanusError, quote } from "../errors.js";

/** A parsed JSON object whose values are still to be checked. */
export type JsonObject = { readonly [key: string]: unknown };

/** Largest file of a tokenizer that is read: DeepSeek's tokenizer.json has under 8 MB, the largest published ones about 40. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;

/**
 * One of the tokenizer's JSON files.
 *
 * @throws JanusError E_CONFIG naming the file when it is too large, not UTF-8, not JSON or not an object.
 */
export function parseObject(file: string, bytes: Uint8Array): JsonObject {
  if (bytes.length > MAX_FILE_BYTES) {
    throw new JanusError("E_CONFIG", `${file}: at most ${MAX_FILE_BYTES} bytes are read, got ${bytes.length}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new JanusError("E_CONFIG", `${file}: expected JSON in UTF-8, got ${reason(cause)}`, { cause });
  }
  return asObject(file, value);
}

/** @throws JanusError E_CONFIG, `what` naming file and key. */
export function asObject(what: string, value: unknown): JsonObject {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw mismatch(what, "an object", value);
  return value as JsonObject;
}

/** @throws JanusError E_CONFIG, `what` naming file and key. */
export function asArray(what: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw mismatch(what, "a list", value);
  return value;
}

/** @throws JanusError E_CONFIG, `what` naming file and key. */
export function asString(what: string, value: unknown): string {
  if (typeof value !== "string") throw mismatch(what, "a string", value);
  return value;
}

/** "tokenizer.json: model must be an object, got 3". */
export function mismatch(what: string, expected: string, value: unknown): JanusError {
  return new JanusError("E_CONFIG", `${what} must be ${expected}, got ${shown(value)}`);
}

/** What the file may well say, but the ids would not surely be those of the reference. */
export function unsupported(what: string, expected: string, value: unknown): JanusError {
  const message = `${what} must be ${expected}, got ${shown(value)}; encode with transformers and give input_ids instead`;
  return new JanusError("E_UNSUPPORTED", message, { origin: "model" });
}

/** Containers are named, not printed: they can hold the whole vocabulary. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return value !== null && typeof value === "object" ? "an object" : quote(value);
}

/** The text of a foreign error, bounded: V8 quotes the source in some. */
export function reason(cause: unknown): string {
  return quote(cause instanceof Error ? cause.message : String(cause), 160);
}
