/**
 * Frees the buffer behind bytes that nobody will read again, now and not when it is collected: in an isolate of 128 MB there is no room for pictures that wait for
 * that. Leaves it alone if it has more than these bytes, or is gone already, or cannot be freed.
 */
export function freeBytes({ buffer, byteLength }: ArrayBufferView): void {
  if (!(buffer instanceof ArrayBuffer) || byteLength === 0 || buffer.byteLength !== byteLength) return;
  try {
    (buffer as { transfer?: (bytes: number) => void }).transfer?.(0);
  } catch {
    // A WebAssembly memory, which a decoder may show as it is.
  }
}
