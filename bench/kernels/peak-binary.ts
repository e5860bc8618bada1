import asc from "assemblyscript/asc";

/** What is looped: a multiply-add; a product of pairs of 16 bits and its sum, the same of sums, or of fours of 8 bits, which are what an 8-bit product can be made of. */
export type Step = "multiply-add" | "dot 16" | "dot 16 of sums" | "dot 8";

/** A module that exports `peak(iterations)`: `vectors` accumulators that take a step each, again and again. In a page those that `scripts/bundle-demo.mjs` has compiled take this module's place. */
export async function peakBinary(vectors: number, relaxed: boolean, step: Step): Promise<Uint8Array<ArrayBuffer>> {
  const { error, binary, stderr } = await asc.compileString(source(vectors, relaxed, step), {
    optimizeLevel: 3,
    noAssert: true,
    runtime: "stub",
    initialMemory: 1,
    enable: relaxed ? ["simd", "relaxed-simd"] : ["simd"],
  });
  if (error || !binary) throw new Error(`peak: ${stderr.toString()}`, { cause: error });
  return new Uint8Array(binary);
}

/**
 * c = c * x + y on zeros: nothing can be moved out of the loop, and no two steps are the same; x and y are loaded, because V8 makes a constant anew at every use.
 */
function source(vectors: number, relaxed: boolean, kind: Step): string {
  const each = (line: (i: number) => string): string => Array.from({ length: vectors }, (_, i) => line(i)).join("\n");
  const step = (i: number): string => {
    if (kind === "dot 16") return `i32x4.add(i32x4.dot_i16x8_s(c${i}, y), x)`;
    if (kind === "dot 16 of sums") return `i32x4.add(i32x4.dot_i16x8_s(i16x8.add(c${i}, y), i16x8.add(c${i}, x)), x)`;
    if (kind === "dot 8") return `i32x4.relaxed_dot_i8x16_i7x16_add_s(x, y, c${i})`;
    return relaxed ? `f32x4.relaxed_madd(c${i}, x, y)` : `f32x4.add(f32x4.mul(c${i}, x), y)`;
  };
  return `export function peak(iterations: i32): void {
    const x = v128.load(${vectors * 16});
    const y = v128.load(${vectors * 16 + 16});
    ${each((i) => `let c${i} = v128.load(${i * 16});`)}
    for (let n = 0; n < iterations; n++) {
      ${each((i) => `c${i} = ${step(i)};`)}
    }
    ${each((i) => `v128.store(${i * 16}, c${i});`)}
  }`;
}
