import { quote } from "../errors.js";
import { filesSource, type HeldFile, refuseFiles } from "./files-source.js";
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
    const held = bytesOf(content);
    if (held === undefined) throw refuseFiles("bytes by path", quote(content));
    files.set(path, { size: held.length, slice: async (begin, end) => held.subarray(begin, end) });
  }
  return filesSource("memory", files);
}

/** A view of the same memory; undefined for anything else. */
function bytesOf(content: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(content)) return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  const shared = typeof SharedArrayBuffer === "function" && content instanceof SharedArrayBuffer;
  return content instanceof ArrayBuffer || shared ? new Uint8Array(content) : undefined;
}
