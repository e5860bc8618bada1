/** The binaries: `dist/wasm/<variant>.wasm`, built from one source. `relaxed` fuses multiply-add; `-threads` imports a shared memory. */
export const VARIANTS = ["simd", "simd-threads", "relaxed", "relaxed-threads"] as const;
export type Variant = (typeof VARIANTS)[number];

/** What a caller may ask for; whether `-threads` is added follows from the threads asked for. */
export type VariantFamily = "simd" | "relaxed";

export function variantOf(family: VariantFamily, threaded: boolean): Variant {
  return threaded ? `${family}-threads` : family;
}

export function isThreaded(variant: Variant): boolean {
  return variant.endsWith("-threads");
}

export function isRelaxed(variant: Variant): boolean {
  return variant.startsWith("relaxed");
}
