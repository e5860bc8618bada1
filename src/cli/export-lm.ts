import { exportLanguageModel } from "../entry/node/export-lm.js";
import { refuseInputAsOutput } from "../entry/node/output-conflict.js";
import { peakMemoryBytes, print, printNote } from "../entry/node/terminal.js";
import type { ExportFlags } from "./commands/export-lm.js";
import { withBar } from "./progress.js";

/** Runs `janus export-lm`. */
export async function exportLm(flags: ExportFlags, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const { model, output, shardSize } = flags;
  await refuseInputAsOutput(output, model, [model]);
  const options = { shardSize, force: flags.force === true, signal };
  const written = await withBar("exporting", (onProgress) =>
    exportLanguageModel(model, output, { ...options, onProgress }),
  );
  const total = Math.round((performance.now() - started) * 100) / 100;
  if (flags.json) {
    print(JSON.stringify({ ...written, timings: { total }, peakMemoryBytes: peakMemoryBytes() }));
    return;
  }
  const bytes = written.files.reduce((sum, file) => sum + file.bytes, 0);
  printNote(`wrote ${output}: ${written.dtype}, ${(bytes / 1e6).toFixed(1)} MB in ${written.files.length} files`);
  for (const file of written.files) printNote(`  ${file.name} ${file.bytes}`);
}
