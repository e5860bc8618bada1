import type { Variant } from "#dist/wasm/variants.js";

const VARIANTS = ["simd", "relaxed"] as const;

/** Fetched before anything else runs, beside the bundle (`dist/demo/`). */
const binaries = new Map<Variant, Uint8Array<ArrayBuffer>>(
  await Promise.all(
    VARIANTS.map(async (variant) => {
      const response = await fetch(new URL(`../wasm/${variant}.wasm`, import.meta.url));
      if (!response.ok) throw new Error(`${variant}.wasm: status ${response.status}`);
      return [variant, new Uint8Array(await response.arrayBuffer())] as const;
    }),
  ),
);

/** In a page the module in place of `bench/kernels/binary.ts`. */
export function variantBinary(variant: Variant): Uint8Array<ArrayBuffer> {
  const bytes = binaries.get(variant);
  if (!bytes) throw new Error(`${variant}.wasm was not fetched`);
  return bytes;
}
