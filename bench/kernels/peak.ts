import asc from "assemblyscript/asc";
import { isRelaxed, type Variant } from "#dist/wasm/variants.js";

const ITERATIONS = 4096;

export interface PeakCase {
  readonly name: string;
  /** Floating-point or, in 8 bits, integer operations of one `run`. */
  readonly flop: number;
  run(): void;
}

/** What is looped: a multiply-add; a product of pairs of 16 bits and its sum, the same of sums, or of fours of 8 bits, which are what an 8-bit product can be made of. */
type Step = "multiply-add" | "dot 16" | "dot 16 of sums" | "dot 8";

/** Operations of one step: a product and a sum of every pair of numbers; of a dot of sums those of the products that it stands for (`assembly/tiles/crossed.ts`). */
const OPERATIONS: Readonly<Record<Step, number>> = {
  "multiply-add": 8,
  "dot 16": 16,
  "dot 16 of sums": 32,
  "dot 8": 32,
};

/**
 * What this engine can do at most with the variant's multiply-add: accumulators that never leave their registers, in calls of 10 to 30 us. Twelve vectors
 * fill two multiply-add units at 128 bits without spilling; 24 neighbours do so where V8's revectorizer makes 12 of 256 bits of
 * them, and spill elsewhere: the peak is the faster of the two. `quick`: the first alone.
 */
export async function peakCases(variant: Variant, quick: boolean): Promise<PeakCase[]> {
  return Promise.all((quick ? [12] : [12, 24]).map((vectors) => peakCase(variant, vectors, "multiply-add")));
}

/** The same of products of 8 bits: by 16-bit dots, plain or of sums, exact everywhere, and by the relaxed 8-bit dot, exact or not. A product and its sum take a register more. */
export async function int8PeakCases(variant: Variant, quick: boolean): Promise<PeakCase[]> {
  const steps: Step[] = isRelaxed(variant) ? ["dot 16", "dot 16 of sums", "dot 8"] : ["dot 16", "dot 16 of sums"];
  return Promise.all(
    steps.flatMap((step) => (quick ? [12] : [8, 12, 20, 24]).map((vectors) => peakCase(variant, vectors, step))),
  );
}

async function peakCase(variant: Variant, vectors: number, step: Step): Promise<PeakCase> {
  const relaxed = isRelaxed(variant);
  const { error, binary, stderr } = await asc.compileString(source(vectors, relaxed, step), {
    optimizeLevel: 3,
    noAssert: true,
    runtime: "stub",
    initialMemory: 1,
    enable: relaxed ? ["simd", "relaxed-simd"] : ["simd"],
  });
  if (error || !binary) throw new Error(`peak: ${stderr.toString()}`, { cause: error });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(binary)));
  const peak = exports["peak"] as (iterations: number) => void;
  const operations = OPERATIONS[step] * vectors * ITERATIONS;
  return { name: `${variant} peak, ${step} ${vectors}`, flop: operations, run: () => peak(ITERATIONS) };
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
