import { refuseExisting, writeAtomically } from "../entry/node/output.js";
import { refuseInputAsOutput } from "../entry/node/output-conflict.js";
import { pack as packCheckpoint } from "../entry/node/pack.js";
import { sensitivityOf } from "../entry/node/sensitivity.js";
import { peakMemoryBytes, print, printNote } from "../entry/node/terminal.js";
import type { Sensitivity } from "../entry/sensitivity.js";
import { JanusError } from "../errors.js";
import type { PackFlags } from "./commands/pack.js";
import { withBar } from "./progress.js";

/** Linears that a summary names: the ones that cost most. */
const NAMED = 5;

/** Runs `janus pack`. */
export async function pack(flags: PackFlags, signal: AbortSignal): Promise<void> {
  checkFlags(flags);
  const started = performance.now();
  const { dtype, shardSize, report, image: images = [] } = flags;
  const force = flags.force === true;
  if (report !== undefined) {
    await refuseExisting(report, force);
    await refuseInputAsOutput(report, flags.model, images);
  }
  await refuseInputAsOutput(flags.output, flags.model, [flags.model]);
  const threads = flags.threads === "auto" ? undefined : flags.threads;
  const options = { dtype, shardSize, threads, force, signal };
  const packed = await withBar("packing", (onProgress) =>
    packCheckpoint(flags.model, flags.output, { ...options, onProgress }),
  );
  const timings: Record<string, number> = { pack: performance.now() - started };
  const cost = report === undefined ? undefined : await writeReport(report, flags, { threads, force, signal });
  if (cost) timings["report"] = performance.now() - started - timings["pack"]!;
  timings["total"] = performance.now() - started;
  for (const [name, ms] of Object.entries(timings)) timings[name] = Math.round(ms * 100) / 100;
  if (flags.json) {
    print(JSON.stringify({ ...packed, timings, peakMemoryBytes: peakMemoryBytes() }));
    return;
  }
  const bytes = packed.files.reduce((sum, file) => sum + file.bytes, 0);
  printNote(`wrote ${flags.output}: ${packed.dtype}, ${(bytes / 1e6).toFixed(1)} MB in ${packed.files.length} files`);
  for (const file of packed.files) printNote(`  ${file.name} ${file.bytes}`);
  if (cost) for (const line of summary(cost)) printNote(`  ${line}`);
  printNote(
    `  ms: ${Object.entries(timings)
      .map(([name, ms]) => `${name} ${ms.toFixed(0)}`)
      .join(", ")}`,
  );
}

function checkFlags({ dtype, report, image }: PackFlags): void {
  if (report !== undefined && dtype !== "int8") throw usage("--report says what 8 bits cost; add --dtype int8");
  if (report !== undefined && !image) throw usage("--report needs pictures; add --image");
  if (report === undefined && image) throw usage("--image is for --report; add it, or leave --image out");
}

function usage(message: string): JanusError {
  return new JanusError("E_USAGE", `pack: ${message}; see janus pack --help`);
}

async function writeReport(
  path: string,
  flags: PackFlags,
  { threads, force, signal }: { threads: number | undefined; force: boolean; signal: AbortSignal },
): Promise<Sensitivity> {
  const images = flags.image ?? [];
  const cost = await withBar("measuring", (onRun) => sensitivityOf(flags.model, images, { threads, signal, onRun }));
  const content = new TextEncoder().encode(`${JSON.stringify({ model: flags.model, images, ...cost }, null, 2)}\n`);
  await writeAtomically(path, [content], { force, signal });
  return cost;
}

/** Lines for a terminal. */
function summary({ tokens, all, blocks }: Sensitivity): string[] {
  const linears = blocks.flatMap((block, n) =>
    Object.entries(block.linears).map(([name, nearness]) => ({ name: `blocks.${n}.${name}`, ...nearness })),
  );
  const costly = linears.sort((a, b) => a.worst - b.worst).slice(0, NAMED);
  const figure = (cosine: number): string => cosine.toFixed(6);
  return [
    `cosine of ${tokens} tokens to the checkpoint's own precision: worst ${figure(all.worst)}, mean ${figure(all.mean)}`,
    `alone in 8 bits, worst: ${costly.map(({ name, worst }) => `${name} ${figure(worst)}`).join(", ")}`,
  ];
}
