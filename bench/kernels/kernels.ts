import { once } from "../child.js";
import type { NodeEngine } from "../engines.js";
import type { KernelResult } from "../report/results.js";
import type { KernelOutput } from "./cases.js";
import type { KernelInput } from "./process.js";

const PROGRAM = new URL("./process.js", import.meta.url);

/** Verifies and times the kernels on one engine, with `flags`. */
export async function timeKernels(
  engine: NodeEngine,
  flags: readonly string[],
  input: KernelInput,
): Promise<KernelResult[]> {
  const { name, version, v8, binary } = engine;
  const timed = await once<KernelOutput>(PROGRAM, binary, flags, input);
  return timed.map((result) => ({ engine: name, version, v8, flags, ...result }));
}
