import { JanusError } from "../errors.js";
import type { Pointer } from "./abi.js";
import { roundUp } from "./abi.js";

/** What every planned buffer is aligned to: a cache line, so that two workers never write the same one. */
export const ALIGNMENT = 64;

/** What a memory is measured in. */
export const PAGE_BYTES = 65536;

/** The most that a wasm32 memory can hold, in bytes. */
export const MEMORY_LIMIT = 65536 * PAGE_BYTES;

/** Hands out addresses upwards from `base`, once: the plan of a memory, not an allocator. */
export class Arena {
  readonly #limit: number;
  #end: number;

  /** Nothing is to lie beyond `limit`. */
  constructor(base: number, limit: number = MEMORY_LIMIT) {
    this.#end = roundUp(base, ALIGNMENT);
    this.#limit = limit;
  }

  /** First byte not handed out yet. */
  get end(): Pointer {
    return this.#end as Pointer;
  }

  /** Reserves `bytes`. E_OOM when they do not fit below the limit, before anything is allocated. */
  take(bytes: number): Pointer {
    const at = this.#end;
    const end = at + roundUp(bytes, ALIGNMENT);
    if (!Number.isSafeInteger(end) || end > this.#limit) {
      const reason =
        this.#limit < MEMORY_LIMIT
          ? `the memory budget leaves ${this.#limit}; use a smaller picture or a larger budget`
          : `a WebAssembly memory ends at ${MEMORY_LIMIT}; use a smaller dtype, model or picture`;
      throw new JanusError("E_OOM", `planning memory: ${at + bytes} bytes needed, but ${reason}`);
    }
    this.#end = end;
    return at as Pointer;
  }
}

/** 64 KiB pages that cover `bytes`. */
export function pagesFor(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

/** Creates a memory of at least `bytes`; shared memories may grow to the full 4 GiB. E_OOM when the host refuses. */
export function createMemory(bytes: number, shared: boolean): WebAssembly.Memory {
  const initial = pagesFor(bytes);
  try {
    return new WebAssembly.Memory(shared ? { initial, maximum: MEMORY_LIMIT / PAGE_BYTES, shared } : { initial });
  } catch (cause) {
    throw outOfMemory(bytes, cause);
  }
}

/** Grows `memory` to at least `bytes`. E_OOM when the host refuses. Views made before are stale afterwards. */
export function ensureMemory(memory: WebAssembly.Memory, bytes: number): void {
  const missing = pagesFor(bytes) - memory.buffer.byteLength / PAGE_BYTES;
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw outOfMemory(bytes, cause);
  }
}

/** What a host that refuses memory throws, as E_OOM. */
export function outOfMemory(bytes: number, cause: unknown): JanusError {
  const megabytes = Math.ceil(bytes / 1e6);
  return new JanusError(
    "E_OOM",
    `allocating memory: the host refused ${megabytes} MB of WebAssembly memory; free memory or use a smaller model`,
    {
      cause,
    },
  );
}

/** `count` f32 elements at `at`. Made anew for every use: growing a memory detaches or outdates views. */
export function f32(memory: WebAssembly.Memory, at: Pointer, count: number): Float32Array {
  return new Float32Array(memory.buffer, at, count);
}

/** `count` i32 elements at `at`. */
export function i32(memory: WebAssembly.Memory, at: Pointer, count: number): Int32Array {
  return new Int32Array(memory.buffer, at, count);
}

/** `count` bytes at `at`. */
export function u8(memory: WebAssembly.Memory, at: Pointer, count: number): Uint8Array {
  return new Uint8Array(memory.buffer, at, count);
}
