import { existsSync } from "node:fs";
import { ROOT } from "./paths.js";

/** transformers.js and onnxruntime-node: packages of the tests, in a folder of their own so that they are no dependency of ours. */
export const PACKAGES = `${ROOT}test/transformers`;

/** Whether `npm ci --prefix test/transformers --ignore-scripts` was run; if not, says what the suite is missing, which the runner reports. */
export function packagesInstalled(): boolean {
  const installed = existsSync(`${PACKAGES}/node_modules/@huggingface/transformers/package.json`);
  if (!installed) console.log("SKIPPED: npm ci --prefix test/transformers --ignore-scripts was not run");
  return installed;
}
