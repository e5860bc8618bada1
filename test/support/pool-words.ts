import { CONTROL_BYTES } from "#dist/threads/control.js";
import { ARENA_BASE } from "#dist/wasm/abi.js";

export interface PoolSetup {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** The worker whose start fails, and how. */
  readonly fails?: { readonly index: number; readonly how: "refuses" | "throws" | "exits" };
}

/** Words that a test and the programs of pool-worker.ts share, after the control block. */
export const WORDS_AT = ARENA_BASE + CONTROL_BYTES;

/** Workers that are inside a program; what tells a deaf one to go on; how often a program was entered. */
export const WORDS = { inside: 0, release: 1, entered: 2 } as const;
