import { createHash, type Hash } from "node:crypto";
import { contentOf, type Known } from "./range-store.js";

/** The digest that a model hub names a content by: SHA-256, or SHA-1 as git names blobs. Undefined where the server's ETag is neither, and proves nothing. */
export function digestOf(file: Known): string | undefined {
  const name = contentOf(file) ?? "";
  return /^(?:[0-9a-f]{64}|[0-9a-f]{40})$/.test(name) ? name : undefined;
}

/** What computes it. */
export function hashFor(digest: string, size: number): Hash {
  return digest.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}
