import type { ModelPlan } from "../model/plan.js";
import type { StoredTensor } from "../weights/bound-tensor.js";
import type { Host, ModelInput } from "./host.js";
import { keptDType, openModel, planMemory } from "./load.js";
import { tokenizerFile } from "./prepare.js";

/** What `janus inspect --json` prints. */
export interface Inspection {
  /** What the model's storage is called: a directory, a URL without what is secret in it. */
  readonly label: string;
  /** How tensors are named: original or huggingface; packed ones by their roles. */
  readonly layout: string;
  readonly format: string;
  readonly dtype: string;
  readonly dims: Readonly<
    Record<
      | "imageSize"
      | "patchSize"
      | "tokens"
      | "width"
      | "blocks"
      | "heads"
      | "mlpWidth"
      | "dim"
      | "vocabRows"
      | "maxPositions",
      number
    >
  >;
  readonly tensors: { readonly used: readonly StoredTensor[]; readonly skipped: readonly StoredTensor[] };
  /** What one thread's run keeps in WebAssembly memory. */
  readonly bytes: {
    readonly weights: number;
    readonly activations: number;
    /** The weights by part of the model: patch_embed, pos_embed, blocks, norm, aligner. */
    readonly parts: Readonly<Record<string, number>>;
  };
  /** What prompts are tokenized with; undefined where there is none. Packed checkpoints mostly have the compact form. */
  readonly tokenizer: string | undefined;
  readonly warnings: readonly string[];
}

/** Opens a checkpoint, checks it as loading would, and says what it is. Reads headers and configuration alone. */
export async function inspectModel(host: Host, model: ModelInput, signal?: AbortSignal): Promise<Inspection> {
  const source = await host.openModel(model, signal);
  try {
    const opened = await openModel(source, signal);
    const { config, checkpoint } = opened;
    const plan = planMemory(opened, "auto", 1);
    const names = new Set([...opened.bound.values()].flatMap((tensor) => tensor.names));
    const all = [...checkpoint.tensors.values()];
    const { imageSize, patchSize, tokens, width, blocks, heads, mlpWidth, dim, vocabRows, maxPositions } = config;
    return {
      label: source.label,
      layout: checkpoint.packed === undefined ? checkpoint.layout : "packed",
      format: checkpoint.format,
      dtype: keptDType(plan),
      dims: { imageSize, patchSize, tokens, width, blocks, heads, mlpWidth, dim, vocabRows, maxPositions },
      tensors: { used: all.filter((t) => names.has(t.name)), skipped: all.filter((t) => !names.has(t.name)) },
      bytes: { weights: plan.weightBytes, activations: plan.activationBytes, parts: partBytes(plan) },
      tokenizer: await tokenizerFile(source, checkpoint.packed !== undefined, signal),
      warnings: [...config.warnings, ...(source.notes ?? [])],
    };
  } finally {
    await source.close();
  }
}

/** Bytes of the parts of a model in memory, the space between them included. */
function partBytes({ placements, weightBytes }: ModelPlan): Record<string, number> {
  const begin = placements[0]?.at ?? 0;
  const parts: Record<string, number> = {};
  for (const [index, { role, at }] of placements.entries()) {
    const part = role.replace(/\..*$/, "");
    const end = placements[index + 1]?.at ?? begin + weightBytes;
    parts[part] = (parts[part] ?? 0) + end - at;
  }
  return parts;
}
