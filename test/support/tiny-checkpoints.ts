import { readdirSync, readFileSync } from "node:fs";
import type { JanusConfig } from "#dist/model/config.js";
import { parseConfig } from "#dist/model/config.js";
import { type Checkpoint, openCheckpoint } from "#dist/weights/checkpoint.js";
import { readConfigFiles } from "#dist/weights/config-files.js";
import { MemorySource } from "./memory-source.js";
import { golden } from "./paths.js";

export const TINY = [
  "tiny-orig-safetensors",
  "tiny-orig-bin",
  "tiny-orig-bin-single",
  "tiny-orig-f16",
  "tiny-hf",
] as const;

/** The files of a recorded checkpoint, by name. */
export function tinyFiles(name: string): Record<string, Uint8Array> {
  const folder = golden(`checkpoints/${name}`);
  return Object.fromEntries(
    readdirSync(folder).map((file) => [file, new Uint8Array(readFileSync(`${folder}/${file}`))]),
  );
}

/** A checkpoint opened as a loader opens it. */
export async function openTiny(
  files: Record<string, Uint8Array>,
): Promise<{ source: MemorySource; checkpoint: Checkpoint; config: JanusConfig }> {
  const source = new MemorySource(files);
  const checkpoint = await openCheckpoint(source);
  const shape = checkpoint.tableShape()!;
  return { source, checkpoint, config: parseConfig(await readConfigFiles(source), shape, checkpoint.layout) };
}
