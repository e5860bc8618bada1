import { setFlagsFromString } from "node:v8";
import type { EngineFlag } from "../host.js";

/**
 * Flags of V8 that make kernels faster and are off by default. Set from inside they hold for everything compiled afterwards, workers
 * included (measured on Node 20, 24 and 26; the same figures as on the command line).
 *
 *   --experimental-wasm-revectorize    Node 24 and later on x64: neighbouring 128-bit operations become 256-bit ones; twice as fast
 *   --experimental-wasm-relaxed-simd   Node 20, where relaxed SIMD is not on by itself: a fused multiply-add, where the processor gains by it
 */
const NODE_MAJOR = Number(process.versions.node.split(".")[0]);
const OFFERED = [
  ...(NODE_MAJOR >= 24 && process.arch === "x64" ? ["--experimental-wasm-revectorize"] : []),
  ...(NODE_MAJOR === 20 ? ["--experimental-wasm-relaxed-simd"] : []),
];

/** What an earlier load of this process has set: it is not tried again, and not taken back. */
const set = new Set<string>();

/** V8 flags that change how WebAssembly runs: in the environment, on the command line, or set since. */
export function flagsInForce(): string[] {
  const environment = (process.env["NODE_OPTIONS"] ?? "").split(/\s+/);
  const given = [...environment, ...process.execArgv].filter((flag) => /wasm|liftoff|turbo/.test(flag));
  return [...new Set([...given, ...set])];
}

/** The flags worth a trial here: not those in force, and not those that somebody has decided about, on or off, on the command line or in the environment. */
export function offeredFlags(): EngineFlag[] {
  const decided = flagsInForce().map(nameOf);
  return OFFERED.filter((name) => !decided.includes(name)).map((name) => ({
    name,
    set(on: boolean): void {
      setFlagsFromString(on ? name : name.replace(/^--/, "--no-"));
      if (on) set.add(name);
      else set.delete(name);
    },
  }));
}

/** V8 takes underscores for dashes, and `--no-` or `--no` before a name. */
function nameOf(flag: string): string {
  return flag.replaceAll("_", "-").replace(/^--?no-?/, "--");
}
