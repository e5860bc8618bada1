/**
 * The harness of the kernel tests: one case file, run on every variant this engine must support.
 *
 * Every buffer is surrounded by canaries, checked after every call of a kernel. They read as NaN, so that an element taken from beyond a
 * buffer shows in the result. Buffers start at odd multiples of their element, never at a neat 64 bytes only. What a test leaves in its
 * buffers must be the same bytes with threads compiled in and without.
 */
import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { ARENA_BASE, type Kernels, type Pointer, TILE, type Tile, type TileName } from "#dist/wasm/abi.js";
import { instantiateKernels } from "#dist/wasm/instantiate.js";
import { isRelaxed, isThreaded, VARIANTS, type Variant, type VariantFamily } from "#dist/wasm/variants.js";
import { RELAXED_EXPECTED } from "./engine.js";
import { ROOT } from "./paths.js";

const PAGES = 512;
const CANARY_BYTES = 64;

type TypedArrayConstructor =
  | Uint8ArrayConstructor
  | Uint16ArrayConstructor
  | Int8ArrayConstructor
  | Int16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | Float32ArrayConstructor;

export interface Buffer<T> {
  readonly pointer: Pointer;
  readonly data: T;
}

interface Placed {
  readonly begin: number;
  readonly end: number;
  /** What a kernel leaves in it is its own business. */
  readonly scratch: boolean;
}

/** What this engine must run. One that is missing then fails instead of being skipped. */
export function requiredVariants(): Variant[] {
  return VARIANTS.filter((variant) => RELAXED_EXPECTED || !isRelaxed(variant));
}

export function variantBytes(variant: Variant): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(`${ROOT}dist/wasm/${variant}.wasm`));
}

/** Sixteen bits of place in every word, in the low half of a NaN. */
function canaryByte(address: number): number {
  const word = address >>> 2;
  return [word & 255, (word >>> 8) & 255, 0xff, 0x7f][address & 3]!;
}

export class Lab {
  readonly variant: Variant;
  /** Multiply-add rounds once in this variant on this engine. */
  readonly fused: boolean;
  /** The exports; each call is followed by a look at all canaries. */
  readonly kernels: Kernels;
  readonly #bytes: Uint8Array;
  readonly #memory: WebAssembly.Memory;
  #placed: Placed[] = [];
  #top = ARENA_BASE;
  #tail = PAGES * 65536;
  #calls = 0;
  #digest = 0x811c9dc5;

  constructor(variant: Variant) {
    this.variant = variant;
    this.#memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: isThreaded(variant) });
    this.#bytes = new Uint8Array(this.#memory.buffer);
    const raw = instantiateKernels(new WebAssembly.Module(variantBytes(variant)), this.#memory);
    this.fused = raw.probeFma() === 1;
    this.kernels = this.#watched(raw);
  }

  /** A zero-filled buffer with canaries on both sides. */
  buffer<C extends TypedArrayConstructor>(type: C, length: number): Buffer<InstanceType<C>> {
    const skew = (this.#placed.length % 4) * type.BYTES_PER_ELEMENT;
    const begin = Math.ceil((this.#top + CANARY_BYTES) / 64) * 64 + skew;
    this.#top = begin + length * type.BYTES_PER_ELEMENT + CANARY_BYTES;
    return this.#place(type, begin, length);
  }

  /** The same, filled. */
  from<C extends TypedArrayConstructor>(type: C, values: ArrayLike<number>): Buffer<InstanceType<C>> {
    const buffer = this.buffer(type, values.length);
    buffer.data.set(values);
    return buffer;
  }

  /** A filled buffer that ends where the memory ends: reading one byte beyond it traps. One at a time. */
  atEnd<C extends TypedArrayConstructor>(type: C, values: ArrayLike<number>): Buffer<InstanceType<C>> {
    assert.is(this.#tail, PAGES * 65536, "one buffer at the end of memory at a time");
    const begin = this.#tail - values.length * type.BYTES_PER_ELEMENT;
    this.#tail = begin - CANARY_BYTES;
    const buffer = this.#place(type, begin, values.length);
    buffer.data.set(values);
    return buffer;
  }

  /** f32 scratch, full of NaN, whose bytes are not part of the result. */
  scratch(bytes: number): Buffer<Float32Array> {
    const buffer = this.buffer(Float32Array, bytes / 4);
    buffer.data.fill(Number.NaN);
    const placed = this.#placed.pop();
    if (placed) this.#placed.push({ ...placed, scratch: true });
    return buffer;
  }

  /** Forgets all buffers, after adding their bytes to the digest. */
  reset(): void {
    for (const { begin, end, scratch } of this.#placed) {
      if (scratch) continue;
      for (let at = begin; at < end; at++) this.#digest = Math.imul(this.#digest ^ this.#bytes[at]!, 0x01000193);
    }
    this.#placed = [];
    this.#top = ARENA_BASE;
    this.#tail = PAGES * 65536;
  }

  /** Digest of everything since the last one; fails when no kernel has been called. */
  finish(): number {
    this.reset();
    assert.ok(this.#calls > 0, "the test calls a kernel");
    const digest = this.#digest;
    this.#calls = 0;
    this.#digest = 0x811c9dc5;
    return digest;
  }

  #place<C extends TypedArrayConstructor>(type: C, begin: number, length: number): Buffer<InstanceType<C>> {
    const end = begin + length * type.BYTES_PER_ELEMENT;
    assert.ok(this.#top <= this.#tail && end <= this.#bytes.length, "the harness memory is large enough");
    for (let at = begin - CANARY_BYTES; at < begin; at++) this.#bytes[at] = canaryByte(at);
    for (let at = end; at < Math.min(end + CANARY_BYTES, this.#bytes.length); at++) this.#bytes[at] = canaryByte(at);
    this.#bytes.fill(0, begin, end);
    this.#placed.push({ begin, end, scratch: false });
    const data = new type(this.#memory.buffer, begin, length) as InstanceType<C>;
    return { pointer: begin as Pointer, data };
  }

  #watched(raw: Kernels): Kernels {
    const watch = (name: string, kernel: (...args: number[]) => unknown) => {
      return (...args: number[]): unknown => {
        const result = kernel(...args);
        this.#calls++;
        this.#checkCanaries(name);
        return result;
      };
    };
    const entries = Object.entries(raw).filter(([, value]) => typeof value === "function");
    return Object.fromEntries(entries.map(([name, kernel]) => [name, watch(name, kernel)])) as unknown as Kernels;
  }

  #checkCanaries(name: string): void {
    this.#placed.forEach(({ begin, end }, index) => {
      for (let at = begin - CANARY_BYTES; at < begin; at++) this.#checkCanary(name, index, at, at - begin);
      const stop = Math.min(end + CANARY_BYTES, this.#bytes.length);
      for (let at = end; at < stop; at++) this.#checkCanary(name, index, at, at - end + 1);
    });
  }

  #checkCanary(name: string, index: number, at: number, distance: number): void {
    if (this.#bytes[at] === canaryByte(at)) return;
    const where = distance < 0 ? `${-distance} bytes before` : `${distance} bytes after`;
    assert.unreachable(`${name} wrote ${where} buffer ${index}`);
  }
}

/** One test per variant, and one that asks that the builds with threads left the bytes of those without. */
export function forEachVariant(test: Add, title: string, body: (lab: Lab) => void): void {
  const digests = new Map<Variant, number>();
  for (const variant of requiredVariants()) {
    test(`${title} [${variant}]`, () => {
      digests.set(variant, digestOf(variant, body));
    });
  }
  test(`${title} [threads or not: same bytes]`, () => {
    assert.is(digests.size, requiredVariants().length);
    for (const [variant, digest] of digests) {
      const twin = digests.get(`${isRelaxed(variant) ? "relaxed" : "simd"}-threads`);
      assert.is(digest, twin, variant);
    }
  });
}

/** The same for kernels that take a tile: one test per variant and tile, and one that asks that all tiles left the same bytes, too. */
export function forEachTile(test: Add, title: string, body: (lab: Lab, tile: Tile) => void): void {
  const names = Object.keys(TILE) as TileName[];
  const digests = new Map<VariantFamily, number[]>([
    ["simd", []],
    ["relaxed", []],
  ]);
  for (const variant of requiredVariants()) {
    for (const name of names) {
      test(`${title} [${variant}, ${name}]`, () => {
        const digest = digestOf(variant, (lab) => body(lab, TILE[name]));
        digests.get(isRelaxed(variant) ? "relaxed" : "simd")?.push(digest);
      });
    }
  }
  test(`${title} [any tile, threads or not: same bytes]`, () => {
    const all = [...digests.values()].flat();
    assert.is(all.length, requiredVariants().length * names.length);
    for (const [family, own] of digests) {
      for (const digest of own) assert.is(digest, own[0], family);
    }
  });
}

type Add = (name: string, body: () => void) => void;

function digestOf(variant: Variant, body: (lab: Lab) => void): number {
  const lab = labOf(variant);
  lab.reset();
  body(lab);
  return lab.finish();
}

const labs = new Map<Variant, Lab>();

function labOf(variant: Variant): Lab {
  const lab = labs.get(variant) ?? new Lab(variant);
  labs.set(variant, lab);
  return lab;
}
