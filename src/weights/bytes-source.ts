import { filesSource, type HeldFile, isBytes, kindOf, refuseFiles } from "./files-source.js";
import type { WeightSource } from "./source.js";

/** Bytes by path. */
export type FileBytes =
  | ReadonlyMap<string, ArrayBufferLike | ArrayBufferView>
  | Readonly<Record<string, ArrayBufferLike | ArrayBufferView>>;

/**
 * A checkpoint in memory. The bytes are not copied, nor changed: leave them alone while a model is loaded and used.
 *
 * @throws JanusError E_USAGE for what is not bytes.
 */
export function bytesSource(bytes: FileBytes): WeightSource {
  const files = new Map<string, HeldFile>();
  for (const [path, content] of bytes instanceof Map ? bytes : Object.entries(bytes)) {
    if (!isBytes(content)) throw refuseFiles("bytes by path", kindOf(content));
    const held = viewOf(content);
    files.set(path, { size: held.length, slice: async (begin, end) => held.subarray(begin, end) });
  }
  return filesSource("memory", files);
}

/** A view of the same memory. */
function viewOf(bytes: ArrayBufferLike | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
}
