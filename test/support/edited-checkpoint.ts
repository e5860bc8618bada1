import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeSafetensorsHeader } from "#dist/weights/safetensors.js";
import { golden } from "./paths.js";

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** What a test may change: the sizes in the configuration, and the tensors by name. */
export interface Checkpoint {
  readonly config: {
    readonly aligner_config: { readonly params: { n_embed: number } };
    readonly language_config: { hidden_size: number };
  };
  readonly tensors: Map<string, Entry>;
}

const BYTES: Readonly<Record<string, number>> = { F32: 4, BF16: 2, F16: 2 };

/**
 * Writes a copy of a recorded checkpoint into `folder`, edited. Its weights are zeros that take no disk, however many: what is refused
 * before computing needs no others.
 */
export function editedCheckpoint(folder: string, edit: (checkpoint: Checkpoint) => void): string {
  cpSync(golden("checkpoints/tiny-orig-safetensors"), folder, { recursive: true });
  const weights = join(folder, "model.safetensors");
  const configuration = join(folder, "config.json");
  const stored = readFileSync(weights);
  const header: Record<string, Entry> = JSON.parse(stored.toString("utf8", 8, 8 + Number(stored.readBigUInt64LE(0))));
  const { __metadata__: _, ...entries } = header;
  const tensors = new Map(Object.entries(entries));
  const config = JSON.parse(readFileSync(configuration, "utf8"));
  edit({ config, tensors });
  writeFileSync(configuration, JSON.stringify(config));
  const list = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const bytes = list.map(({ dtype, shape }) => shape.reduce((product, size) => product * size, BYTES[dtype] ?? 0));
  const encoded = encodeSafetensorsHeader(list);
  writeFileSync(weights, encoded);
  truncateSync(
    weights,
    bytes.reduce((sum, size) => sum + size, encoded.length),
  );
  return folder;
}
