import { type Inspection, inspectModel } from "../entry/inspect.js";
import { nodeHost } from "../entry/node/host.js";
import { print, printNote } from "../entry/node/terminal.js";
import type { InspectFlags } from "./commands/inspect.js";
import { tensorNameText } from "./tensor-name.js";

type Stored = Inspection["tensors"]["used"][number];

/** Runs `janus inspect`. */
export async function inspect(flags: InspectFlags, signal: AbortSignal): Promise<void> {
  const found = await inspectModel(nodeHost(), flags.model, signal);
  if (flags.json) {
    for (const warning of found.warnings) printNote(`note: ${warning}`);
    print(JSON.stringify(inspectionJson(found)));
    return;
  }
  const { dims, tensors, bytes } = found;
  const mega = (count: number): string => `${(count / 1e6).toFixed(1)} MB`;
  print(`${found.label}: ${found.layout} layout, ${found.format}, ${found.dtype}`);
  print(
    `  vision: ${dims.imageSize} px, patch ${dims.patchSize}, ${dims.tokens} tokens, width ${dims.width}, ${dims.blocks} blocks, ${dims.heads} heads, MLP ${dims.mlpWidth}`,
  );
  print(`  language model: D ${dims.dim}, ${dims.vocabRows} token rows (read by range, never loaded)`);
  print(`  memory: weights ${mega(bytes.weights)}, activations and scratch of one thread ${mega(bytes.activations)}`);
  const parts = Object.entries(bytes.parts).map(([part, count]) => `${part} ${mega(count)}`);
  print(`    ${parts.join(", ")}`);
  print(`  tokenizer: ${found.tokenizer ?? "none, for input_ids alone"}`);
  print(`  tensors: ${tensors.used.length} used, ${tensors.skipped.length} skipped`);
  for (const note of found.warnings) print(`  note: ${note}`);
  if (flags.verbose) for (const tensor of tensors.used) print(`  used    ${tensorText(tensor)}`);
  for (const tensor of tensors.skipped) print(`  skipped ${tensorText(tensor)}`);
}

/** What `janus inspect --json` prints. */
export function inspectionJson({ layout, dtype, dims, tensors, bytes }: Inspection): object {
  const stored = ({ name, dtype, shape, bytes, layout }: Stored) => ({
    name,
    dtype,
    shape,
    bytes,
    ...(layout && { layout }),
  });
  const { used, skipped } = tensors;
  return { layout, dtype, dims, tensors: { used: used.map(stored), skipped: skipped.map(stored) }, bytes };
}

function tensorText({ name, dtype, shape, layout }: Stored): string {
  return `${tensorNameText(name)} ${dtype} [${shape.join(", ")}]${layout ? ` ${layout}` : ""}`;
}
