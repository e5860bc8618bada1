import { missingBytes, type PullPlan, pull as pullCheckpoint } from "../entry/node/pull.js";
import { print, printNote } from "../entry/node/terminal.js";
import type { PullFlags } from "./commands/pull.js";
import { withBar } from "./progress.js";

/** Runs `janus pull`. */
export async function pull(model: string, flags: PullFlags, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const { revision, all, dryRun, json } = flags;
  const onPlan = (plan: PullPlan): void => {
    for (const line of planLines(plan)) printNote(line);
  };
  const result = await withBar("pulling", (onProgress) =>
    pullCheckpoint(model, { revision, all, dryRun, signal, onPlan, onProgress }),
  );
  for (const note of result.notes) printNote(`  note: ${note}`);
  const total = Math.round((performance.now() - started) * 100) / 100;
  if (json) print(JSON.stringify({ ...result, timings: { total } }));
  else if (!dryRun) printNote(`fetched ${sizeText(result.fetched)} in ${(total / 1000).toFixed(1)} s`);
}

/** What goes where, before it goes. */
function planLines({ label, revision, whole, ranges }: PullPlan): string[] {
  const parts = [
    { part: whole, what: whole.files.length === 1 ? "1 file" : `${whole.files.length} files` },
    { part: ranges, what: "the tensors in use" },
  ];
  return [
    `pulling ${label}${revision === undefined ? "" : ` at commit ${revision}`}`,
    ...parts.flatMap(({ part, what }) => {
      const bytes = part.files.reduce((sum, file) => sum + file.bytes, 0);
      const missing = missingBytes(part);
      if (part.files.length === 0) return [];
      if (missing === 0) return [`  ${what}: all ${sizeText(bytes)} are in ${part.folder}`];
      return [`  ${what}: ${sizeText(missing)} of ${sizeText(bytes)} go to ${part.folder}`];
    }),
  ];
}

function sizeText(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
