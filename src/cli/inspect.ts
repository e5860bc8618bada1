import { Command } from "commander";
import { inspectModel } from "../entry/inspect.js";
import { nodeHost } from "../entry/node/host.js";
import { print } from "../entry/node/terminal.js";

/** `janus inspect`: what a checkpoint is, which tensors are used and skipped, what memory it needs. Reads headers alone. */
export function inspectCommand(signal: AbortSignal): Command {
  return new Command("inspect")
    .description("what a checkpoint is, the tensors used and skipped, the memory it needs")
    .requiredOption("-m, --model <model>", "checkpoint directory")
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "list every tensor; a stack trace with errors")
    .action(async (flags: { model: string; json?: boolean; verbose?: boolean }) => {
      const found = await inspectModel(nodeHost(), flags.model, signal);
      if (flags.json) {
        print(JSON.stringify(found));
        return;
      }
      const { dims, tensors, bytes } = found;
      const mega = (count: number): string => `${(count / 1e6).toFixed(1)} MB`;
      print(`${flags.model}: ${found.layout} layout, ${found.format}, ${found.dtype}`);
      print(
        `  vision: ${dims.imageSize} px, patch ${dims.patchSize}, ${dims.tokens} tokens, width ${dims.width}, ${dims.blocks} blocks, ${dims.heads} heads, MLP ${dims.mlpWidth}`,
      );
      print(`  language model: D ${dims.dim}, ${dims.vocabRows} token rows (read by range, never loaded)`);
      print(
        `  memory: weights ${mega(bytes.weights)}, activations and scratch of one thread ${mega(bytes.activations)}`,
      );
      print(`  tensors: ${tensors.used.length} used, ${tensors.skipped.length} skipped`);
      for (const note of found.warnings) print(`  note: ${note}`);
      if (flags.verbose) {
        for (const t of tensors.used) print(`  used    ${t.name} ${t.dtype} [${t.shape.join(", ")}]`);
      }
      for (const t of tensors.skipped) print(`  skipped ${t.name} ${t.dtype} [${t.shape.join(", ")}]`);
    });
}
