/** SHA-256 in hexadecimal, computed beside this thread. What lies in shared memory is copied first: WebCrypto takes nothing that may change. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  return Array.from(await sha256Bytes(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The same as its 32 bytes. */
export async function sha256Bytes(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", unshared(bytes)));
}

/** The bytes in memory of one thread, which WebCrypto and files want; a copy only where they are not. */
export function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
