import type { Tiles } from "../wasm/tiles.js";
import { Engine, type TowerImage } from "./engine.js";
import type { Host } from "./host.js";
import type { OpenModel } from "./load.js";
import { isBlockMatrix, planMemory } from "./load.js";
import { chooseVariant } from "./variant.js";
import { loadWeights } from "./weights.js";

/** How near the tokens of image_embeds come to those of the checkpoint's own precision, by their cosine. */
export interface Nearness {
  readonly worst: number;
  readonly mean: number;
}

const LINEARS = ["qkv", "proj", "fc1", "fc2"] as const;

export interface BlockSensitivity extends Nearness {
  /** Each linear of the block alone in 8 bits. */
  readonly linears: Readonly<Record<(typeof LINEARS)[number], Nearness>>;
}

/** What 8 bits cost, end to end: everything that `dtype: "int8"` keeps in them, one block alone, one linear alone. */
export interface Sensitivity {
  /** Tokens compared: those of all pictures. */
  readonly tokens: number;
  readonly all: Nearness;
  readonly blocks: readonly BlockSensitivity[];
}

export interface SensitivityOptions {
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** Runs done, and in all. */
  readonly onRun?: (done: number, total: number) => void;
}

/**
 * Runs the tower and the aligner over `pictures` once in the checkpoint's own precision and 5 * blocks + 1 times with some of its
 * linears in 8 bits, loading it anew for each: a few seconds a run of a full-size model.
 */
export async function measureSensitivity(
  host: Host,
  model: OpenModel,
  pictures: readonly TowerImage[],
  { threads, signal, onRun }: SensitivityOptions,
): Promise<Sensitivity> {
  const { blocks, dim } = model.config;
  const { module, tiles: untimed } = await chooseVariant(host, "auto", threads);
  const total = 2 + blocks * (1 + LINEARS.length);
  let tiles: Tiles | undefined;
  let done = 0;
  const embedsWith = async (inInt8: (role: string) => boolean): Promise<Float32Array[]> => {
    const plan = planMemory(model, "int8", threads, inInt8);
    const startWorker = () => host.startWorker();
    const { config } = model;
    const engine = await Engine.start({ module, threads, config, plan, tiles: tiles ?? untimed, startWorker });
    try {
      if (!tiles) await engine.timeTiles(["float", "int8"], signal);
      tiles = engine.tiles;
      await loadWeights(engine, model.checkpoint, model.bound, plan.placements, () => {}, signal);
      await engine.sumInt8Columns(signal);
      const embeds: Float32Array[] = [];
      for (const picture of pictures) {
        const { features } = await engine.encode(kept(picture), false, signal);
        embeds.push(await engine.project(features, signal));
      }
      onRun?.(++done, total);
      return embeds;
    } finally {
      await engine.dispose();
    }
  };
  const exact = await embedsWith(() => false);
  const nearness = async (inInt8: (role: string) => boolean): Promise<Nearness> =>
    summary(tokenCosines(exact, await embedsWith(inInt8), dim));
  const all = await nearness(isBlockMatrix);
  const found: BlockSensitivity[] = [];
  for (let n = 0; n < blocks; n++) {
    const whole = await nearness((role) => role.startsWith(`blocks.${n}.`));
    const linears: Partial<Record<(typeof LINEARS)[number], Nearness>> = {};
    for (const linear of LINEARS) linears[linear] = await nearness((role) => role === `blocks.${n}.${linear}.weight`);
    found.push({ ...whole, linears: linears as BlockSensitivity["linears"] });
  }
  return { tokens: exact.reduce((count, { length }) => count + length / dim, 0), all, blocks: found };
}

/** An image that may be given away: every run takes it. */
function kept(image: TowerImage): TowerImage {
  return image instanceof Float32Array ? image : { ...image, data: image.data.slice() };
}

/** Cosine of each row of `width` with that of the other list. */
export function tokenCosines(a: readonly Float32Array[], b: readonly Float32Array[], width: number): number[] {
  return a.flatMap((rows, at) => {
    const others = b[at]!;
    return Array.from({ length: rows.length / width }, (_, row) => {
      let [ab, aa, bb] = [0, 0, 0];
      for (let i = row * width; i < (row + 1) * width; i++) {
        ab += rows[i]! * others[i]!;
        aa += rows[i]! ** 2;
        bb += others[i]! ** 2;
      }
      return ab / Math.sqrt(aa * bb);
    });
  });
}

function summary(cosines: readonly number[]): Nearness {
  return {
    worst: cosines.reduce((least, cosine) => Math.min(least, cosine), 1),
    mean: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length,
  };
}
