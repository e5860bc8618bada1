import { createHash, type Hash } from "node:crypto";

/** What computes the digest that a content is named by: SHA-256, or SHA-1 as git names blobs. */
export function hashFor(digest: string, size: number): Hash {
  return digest.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}
