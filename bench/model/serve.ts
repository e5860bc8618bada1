import { readFile, writeFile } from "node:fs/promises";
import { peakMemory } from "./peak-memory.js";
import type { Answer, Ask, RunAsk } from "./protocol.js";

/** A loaded contender: image_embeds f32 [n,P,D] of pixel_values f32 [n,3,S,S]. */
export interface Contender {
  /** Versions, variant, tile: what the results file says of it. */
  readonly about: Readonly<Record<string, unknown>>;
  run(pixels: Float32Array<ArrayBuffer>, images: number): Promise<Float32Array>;
}

/** A contender's process: answers one ask after the other, sleeps between them, and ends with the driver. */
export function serveContender<Options>(load: (options: Options) => Promise<Contender>): void {
  let contender: Contender | undefined;
  const answer = async (ask: Ask<Options>): Promise<Answer> => {
    const started = performance.now();
    if (ask.kind === "load") {
      contender = await load(ask.options);
      return done(contender, performance.now() - started);
    }
    if (!contender) throw new Error("asked to run before it was loaded");
    return done(contender, await run(contender, ask));
  };
  process.on("message", (ask: Ask<Options>) => {
    answer(ask)
      .catch(
        (error: unknown): Answer => ({
          kind: "failed",
          why: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
      )
      .then((message) => process.send?.(message));
  });
  process.on("disconnect", () => process.exit(0));
}

/** Milliseconds of the call alone: reading pixels and writing embeddings are no part of it. */
async function run(contender: Contender, { pixels, images, output }: RunAsk): Promise<number> {
  const bytes = await readFile(pixels);
  const values = new Float32Array(new Uint8Array(bytes).buffer);
  const started = performance.now();
  const embeds = await contender.run(values, images);
  const ms = performance.now() - started;
  if (output) await writeFile(output, new Uint8Array(embeds.buffer, embeds.byteOffset, embeds.byteLength));
  return ms;
}

function done({ about }: Contender, ms: number): Answer {
  return { kind: "done", ms, peakBytes: peakMemory(), about };
}
