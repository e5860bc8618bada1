import { JanusError } from "../errors.js";
import { chooseTile } from "../wasm/tiles.js";
import type { VariantFamily } from "../wasm/variants.js";
import { isThreaded } from "../wasm/variants.js";
import type { EngineFlag, Host } from "./host.js";
import { chooseVariant } from "./variant.js";

/** What a flag must bring to be kept: more than two timings of the same code differ by. */
const GAIN = 1.1;

/**
 * Tries the flags that this host offers, each timed before and after on this thread (7 to 40 ms each), and keeps those that make the
 * fastest tile faster. Returns, in words, what was not kept. Flags are the whole process's, and what was compiled before keeps the code it
 * has: call it first.
 */
export async function takeEngineFlags(
  host: Host,
  asked: "auto" | VariantFamily,
  threads: number,
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const flag of host.offeredFlags()) {
    const { before, after } = await tryFlag(host, flag, asked, threads);
    if (after > before * GAIN) continue;
    flag.set(false);
    notes.push(`${flag.name} not taken: ${before.toFixed(0)} GFLOP/s without, ${after.toFixed(0)} with`);
  }
  return notes;
}

async function tryFlag(
  host: Host,
  flag: EngineFlag,
  asked: "auto" | VariantFamily,
  threads: number,
): Promise<{ before: number; after: number }> {
  // V8 gives the same bytes the code it has already made of them: the trial without the flag gets bytes of its own.
  const apart: Host = { ...host, binary: async (variant) => withEmptySection(await host.binary(variant)) };
  const before = await fastest(apart, asked, threads);
  flag.set(true);
  return { before, after: await fastest(host, asked, threads) };
}

/** GFLOP/s of the fastest tile of the variant that would be taken; 0 where it does not run, or no clock can tell. */
async function fastest(host: Host, asked: "auto" | VariantFamily, threads: number): Promise<number> {
  try {
    const { module, variant, tiles } = await chooseVariant(host, asked, threads);
    const { gflops } = chooseTile(module, isThreaded(variant), tiles.float, () => performance.now());
    return Math.max(0, ...Object.values(gflops));
  } catch (error) {
    if (error instanceof JanusError && error.code === "E_UNSUPPORTED") return 0;
    throw error;
  }
}

/** The binary and a custom section without content: another binary that means the same. A module stays: nothing is compiled of it. */
function withEmptySection(binary: Uint8Array<ArrayBuffer> | WebAssembly.Module): typeof binary {
  if (binary instanceof WebAssembly.Module) return binary;
  const section = [0, 2, 1, 0x2d]; // id, size, length of the name, "-"
  const bytes = new Uint8Array(binary.length + section.length);
  bytes.set(binary);
  bytes.set(section, binary.length);
  return bytes;
}
