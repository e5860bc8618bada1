import { JanusError, quote } from "../errors.js";
import { MAX_CONFIG_BYTES } from "../weights/config-files.js";
import { type JsonLimits, type JsonObject, type JsonValue, parseJson } from "../weights/json.js";

/** Depth and count leave room for what other tools add. */
const LIMITS: JsonLimits = { bytes: MAX_CONFIG_BYTES, depth: 32, values: 100_000 };

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** E_CONFIG: the file and the key, what was expected, and what was got. */
export function misconfigured(file: string, reason: string): JanusError {
  return new JanusError("E_CONFIG", `reading ${file}: ${reason}`, { origin: "model" });
}

/** A well-formed configuration of something that this package does not run. */
export function notRunnable(file: string, reason: string): JanusError {
  return new JanusError("E_UNSUPPORTED", `reading ${file}: ${reason}`, { origin: "model" });
}

/**
 * One object of a configuration file, read member by member. A member that is absent or null gives undefined, because Python's defaults
 * treat them alike in the files at hand; one of the wrong type or out of range is E_CONFIG naming file, key and value.
 */
export class Fields {
  readonly file: string;
  readonly #path: string;
  readonly #members: JsonObject;

  private constructor(file: string, path: string, members: JsonObject) {
    this.file = file;
    this.#path = path;
    this.#members = members;
  }

  static parse(file: string, bytes: Uint8Array): Fields {
    const value = parseJson(bytes, LIMITS, (reason) => misconfigured(file, reason));
    if (!isObject(value)) throw misconfigured(file, `expected an object, got ${describe(value)}`);
    return new Fields(file, "", value);
  }

  /** A file that is not there, where every member is absent. */
  static absent(file: string): Fields {
    return new Fields(file, "", new Map());
  }

  /** The key as a reader of the file would look for it. */
  key(name: string): string {
    return `${this.#path}${name}`;
  }

  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  /** Written down as null, where that means something else than absent. */
  isNull(name: string): boolean {
    return this.#members.get(name) === null;
  }

  child(name: string): Fields | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.wrong(name, "an object");
    return new Fields(this.file, `${this.key(name)}.`, value);
  }

  string(name: string): string | undefined {
    const value = this.#get(name);
    if (value !== undefined && typeof value !== "string") throw this.wrong(name, "a string");
    return value;
  }

  boolean(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value !== undefined && typeof value !== "boolean") throw this.wrong(name, "true or false");
    return value;
  }

  integer(name: string, { min, max }: Range): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
      throw this.wrong(name, `an integer from ${min} to ${max}`);
    return value;
  }

  /** A number in (min, max]. */
  number(name: string, { min, max }: Range): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !(value > min && value <= max))
      throw this.wrong(name, `a number above ${min} and at most ${max}`);
    return value;
  }

  /** Three numbers, one for each colour. */
  colours(name: string, { min, max }: Range): readonly [number, number, number] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (
      !Array.isArray(value) ||
      value.length !== 3 ||
      !value.every((item) => typeof item === "number" && item >= min && item <= max)
    )
      throw this.wrong(name, `three numbers from ${min} to ${max}`);
    return [value[0], value[1], value[2]];
  }

  wrong(name: string, expected: string): JanusError {
    return misconfigured(
      this.file,
      `expected ${this.key(name)} to be ${expected}, got ${describe(this.#members.get(name))}`,
    );
  }

  #get(name: string): Exclude<JsonValue, null> | undefined {
    return this.#members.get(name) ?? undefined;
  }
}

function isObject(value: JsonValue): value is JsonObject {
  return value instanceof Map;
}

function describe(value: JsonValue | undefined): string {
  if (value instanceof Map) return "an object";
  if (Array.isArray(value) && value.some((item) => typeof item === "object")) return "an array";
  return quote(value);
}
