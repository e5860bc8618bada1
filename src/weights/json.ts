import { type JanusError, quote } from "../errors.js";

/** Bounds of one JSON text; `values` counts every scalar, array and object, so that a small file cannot become a large heap. */
export interface JsonLimits {
  readonly bytes: number;
  readonly depth: number;
  readonly values: number;
}

/** A Map, so that no member name (`__proto__`, `constructor`) can mean anything but itself. */
export type JsonObject = ReadonlyMap<string, JsonValue>;
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** Makes the caller's error out of "expected this, found that"; the caller knows the file and the code. */
export type Refuse = (reason: string) => JanusError;

/** Python prints floats in at most 25 characters, and an exact double needs 767 digits: nothing honest is longer. */
const MAX_NUMBER_LENGTH = 1000;

const INTEGER = /-?(?:0|[1-9][0-9]*)/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/**
 * A pull parser for untrusted JSON (RFC 8259) that is stricter than `JSON.parse`: UTF-8 without a byte-order mark, no duplicate member
 * at any depth (JSON.parse keeps the last one silently), no lone surrogate, bounded depth and count. The caller asks for what it
 * expects, so that nothing is built that is not wanted: `skip` checks and forgets.
 */
export class JsonReader {
  readonly #text: string;
  readonly #limits: JsonLimits;
  readonly #refuse: Refuse;
  #at = 0;
  #depth = 0;
  #values = 0;

  constructor(bytes: Uint8Array, limits: JsonLimits, refuse: Refuse) {
    this.#limits = limits;
    this.#refuse = refuse;
    if (bytes.length > limits.bytes)
      throw refuse(`expected at most ${limits.bytes} bytes of JSON, found ${bytes.length}`);
    try {
      this.#text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw refuse("expected JSON in UTF-8, found bytes that are not UTF-8");
    }
  }

  /** Calls `member` for every name, in order; `member` must consume the value. */
  object(member: (name: string) => void): void {
    this.#enter("{", "an object");
    let names: Set<string> | undefined;
    if (this.#peek() !== "}") {
      do {
        if (this.#peek() !== '"') throw this.#unexpected("a member name");
        const name = this.#string();
        names ??= new Set();
        if (names.has(name)) throw this.#refuse(`expected every member once, found ${quote(name)} twice`);
        names.add(name);
        this.#take(":", "':'");
        member(name);
      } while (this.#comma());
    }
    this.#leave("}", "',' or '}'");
  }

  /** Calls `item` for every element; `item` must consume it. */
  array(item: () => void): void {
    this.#enter("[", "an array");
    if (this.#peek() !== "]") {
      do item();
      while (this.#comma());
    }
    this.#leave("]", "',' or ']'");
  }

  string(): string {
    if (this.#peek() !== '"') throw this.#unexpected("a string");
    this.#count();
    return this.#string();
  }

  /** A literal without fraction, exponent or minus zero, and exact as a number. */
  integer(): number {
    const literal = this.#literal(INTEGER, "an integer");
    const value = Number(literal);
    if (/[.eE]/.test(this.#text[this.#at] ?? "")) throw this.#unexpected("an integer, without fraction or exponent");
    if (!Number.isSafeInteger(value) || Object.is(value, -0))
      throw this.#refuse(`expected an integer within 2^53-1, found ${quote(literal)}`);
    return value;
  }

  /** Any finite number. */
  number(): number {
    const literal = this.#literal(NUMBER, "a number");
    const value = Number(literal);
    if (!Number.isFinite(value)) throw this.#refuse(`expected a finite number, found ${quote(literal)}`);
    return value;
  }

  /** Checks a value and forgets it. */
  skip(): void {
    const next = this.#peek();
    if (next === "{") this.object(() => this.skip());
    else if (next === "[") this.array(() => this.skip());
    else this.#scalar(next);
  }

  /** Builds whatever comes. */
  value(): JsonValue {
    const next = this.#peek();
    if (next === "{") {
      const members = new Map<string, JsonValue>();
      this.object((name) => members.set(name, this.value()));
      return members;
    }
    if (next === "[") {
      const items: JsonValue[] = [];
      this.array(() => items.push(this.value()));
      return items;
    }
    return this.#scalar(next);
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.#peek() !== "") throw this.#unexpected("the end of the text");
  }

  #scalar(next: string): null | boolean | number | string {
    if (next === '"') return this.string();
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#count();
      this.#at += word.length;
      return value;
    }
    return this.number();
  }

  #string(): string {
    const start = ++this.#at;
    let pieces = "";
    let copied = start;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) {
        const rest = this.#text.slice(copied, this.#at++);
        return pieces === "" ? rest : pieces + rest;
      }
      if (code === 0x5c) {
        pieces += this.#text.slice(copied, this.#at) + this.#escape();
        copied = this.#at;
      } else if (code >= 0x20) this.#at++;
      else throw this.#unexpected("a string without control characters, closed by '\"'");
    }
  }

  /** At a backslash; a surrogate must come as a pair, as every UTF-8 writer (and serde_json) demands. */
  #escape(): string {
    const kind = this.#text[this.#at + 1] ?? "";
    if (kind !== "u") {
      const character = ESCAPES[kind];
      if (character === undefined) throw this.#unexpected("an escape of RFC 8259");
      this.#at += 2;
      return character;
    }
    const pair = /\\u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?![dD][89a-fA-F])[0-9a-fA-F]{4})/y;
    pair.lastIndex = this.#at;
    const match = pair.exec(this.#text)?.[0];
    if (match === undefined) throw this.#unexpected("an escaped code point, surrogates in pairs");
    this.#at += match.length;
    const units = match.split("\\u").slice(1);
    return String.fromCharCode(...units.map((unit) => Number.parseInt(unit, 16)));
  }

  #literal(pattern: RegExp, expected: string): string {
    this.#peek();
    this.#count();
    pattern.lastIndex = this.#at;
    const literal = pattern.exec(this.#text)?.[0];
    if (literal === undefined) throw this.#unexpected(expected);
    if (literal.length > MAX_NUMBER_LENGTH) throw this.#refuse(`expected ${expected}, found ${quote(literal)}`);
    this.#at += literal.length;
    return literal;
  }

  #enter(bracket: string, expected: string): void {
    this.#take(bracket, expected);
    this.#count();
    if (++this.#depth > this.#limits.depth)
      throw this.#refuse(`expected at most ${this.#limits.depth} levels of JSON, found more`);
  }

  #leave(bracket: string, expected: string): void {
    this.#take(bracket, expected);
    this.#depth--;
  }

  #comma(): boolean {
    if (this.#peek() !== ",") return false;
    this.#at++;
    return true;
  }

  #take(character: string, expected: string): void {
    if (this.#peek() !== character) throw this.#unexpected(expected);
    this.#at++;
  }

  #count(): void {
    if (++this.#values > this.#limits.values)
      throw this.#refuse(`expected at most ${this.#limits.values} JSON values, found more`);
  }

  /** The next character that is not white space, not consumed; empty at the end. */
  #peek(): string {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
      this.#at++;
    }
    return this.#text[this.#at] ?? "";
  }

  #unexpected(expected: string): JanusError {
    const found = this.#text.slice(this.#at, this.#at + 20);
    return this.#refuse(
      `expected ${expected}, found ${found === "" ? "the end" : quote(found)} at character ${this.#at} of the JSON`,
    );
  }
}

/** The whole text as one value. Integers beyond 2^53-1 lose digits here: ask a JsonReader for `integer` where they matter. */
export function parseJson(bytes: Uint8Array, limits: JsonLimits, refuse: Refuse): JsonValue {
  const reader = new JsonReader(bytes, limits, refuse);
  const value = reader.value();
  reader.end();
  return value;
}
