import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** package.json of the peers as seen from `build/bench/peers/`: what their modules are resolved from. */
export const PEERS = fileURLToPath(new URL("../../../bench/peers/package.json", import.meta.url));

/** Whether `npm ci --prefix bench/peers --ignore-scripts` was run. */
export function peersInstalled(): boolean {
  return existsSync(new URL("../../../bench/peers/node_modules/onnxruntime-web/package.json", import.meta.url));
}
