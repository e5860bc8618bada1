import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Variant } from "#dist/wasm/variants.js";

/** The bytes of a variant's binary. In a page `bench/browser/binary.ts` takes this module's place. */
export function variantBinary(variant: Variant): Uint8Array<ArrayBuffer> {
  return readFileSync(fileURLToPath(new URL(`../../../dist/wasm/${variant}.wasm`, import.meta.url)));
}
