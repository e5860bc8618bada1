import { print, printNote } from "../entry/node/terminal.js";
import type { Runtime } from "../entry/start.js";
import { type Destination, destinationText } from "./output.js";

/** What `--json` prints, and the few lines on stderr otherwise. */
export interface Report {
  readonly dims: Readonly<Record<string, readonly number[]>>;
  readonly runtime: Runtime;
  readonly timings: Readonly<Record<string, number>>;
  readonly peakMemoryBytes: number;
}

/** Prints one JSON object on stdout, or a summary on stderr. Times are milliseconds. */
export function report(to: Destination, flags: { readonly json?: boolean }, result: Report): void {
  const timings = Object.fromEntries(
    Object.entries(result.timings).map(([stage, ms]) => [stage, Math.round(ms * 100) / 100]),
  );
  if (flags.json) {
    print(JSON.stringify({ ...result, timings }));
    return;
  }
  const { runtime } = result;
  printNote(`wrote ${destinationText(to)}`);
  for (const [name, dims] of Object.entries(result.dims)) printNote(`  ${name} [${dims.join(", ")}]`);
  const stages = Object.entries(timings).map(([stage, ms]) => `${stage} ${ms.toFixed(ms < 10 ? 1 : 0)}`);
  printNote(`  ms: ${stages.join(", ")}`);
  const threads = runtime.threads === 1 ? "1 thread" : `${runtime.threads} threads`;
  printNote(`  ${runtime.variant}, ${threads}, ${runtime.dtype}, tile ${runtime.tile}, ${runtime.engine}`);
  for (const note of runtime.notes) printNote(`  note: ${note}`);
}
