import asc from "assemblyscript/asc";
import { isRelaxed, type Variant } from "#dist/wasm/variants.js";

const ITERATIONS = 4096;
const LANES = 4;

export interface PeakCase {
  readonly name: string;
  readonly flop: number;
  run(): void;
}

/**
 * What this engine can do at most with the variant's multiply-add: accumulators that never leave their registers, in calls of 10 to 30 us. Twelve vectors
 * fill two multiply-add units at 128 bits without spilling; 24 neighbours do so where V8's revectorizer makes 12 of 256 bits of
 * them, and spill elsewhere: the peak is the faster of the two.
 */
export async function peakCases(variant: Variant): Promise<PeakCase[]> {
  return Promise.all([12, 24].map((vectors) => peakCase(variant, vectors)));
}

async function peakCase(variant: Variant, vectors: number): Promise<PeakCase> {
  const relaxed = isRelaxed(variant);
  const { error, binary, stderr } = await asc.compileString(source(vectors, relaxed), {
    optimizeLevel: 3,
    noAssert: true,
    runtime: "stub",
    initialMemory: 1,
    enable: relaxed ? ["simd", "relaxed-simd"] : ["simd"],
  });
  if (error || !binary) throw new Error(`peak: ${stderr.toString()}`, { cause: error });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(binary)));
  const peak = exports["peak"] as (iterations: number) => void;
  return { name: `${variant} peak ${vectors}`, flop: 2 * LANES * vectors * ITERATIONS, run: () => peak(ITERATIONS) };
}

/** c = c * x + y on zeros: nothing can be moved out of the loop; x and y are loaded, because V8 makes a constant anew at every use. */
function source(vectors: number, relaxed: boolean): string {
  const each = (line: (i: number) => string): string => Array.from({ length: vectors }, (_, i) => line(i)).join("\n");
  const step = (i: number): string =>
    relaxed ? `f32x4.relaxed_madd(c${i}, x, y)` : `f32x4.add(f32x4.mul(c${i}, x), y)`;
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
