import { isRelaxed, type Variant } from "#dist/wasm/variants.js";
import { peakBinary, type Step } from "./peak-binary.js";

const ITERATIONS = 4096;

export interface PeakCase {
  readonly name: string;
  /** Floating-point or, in 8 bits, integer operations of one `run`. */
  readonly flop: number;
  run(): void;
}

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
  const binary = await peakBinary(vectors, isRelaxed(variant), step);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary));
  const peak = exports["peak"] as (iterations: number) => void;
  const operations = OPERATIONS[step] * vectors * ITERATIONS;
  return { name: `${variant} peak, ${step} ${vectors}`, flop: operations, run: () => peak(ITERATIONS) };
}
