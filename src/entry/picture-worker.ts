import { planPictures } from "../image/plan.js";
import type { JanusConfig } from "../model/config.js";
import { moduleOf } from "../wasm/probe.js";
import { Engine } from "./engine.js";
import type { Host } from "./host.js";
import { tilesOf } from "./variant.js";

/** A worker that makes squares of pictures beside those that compute, one at a time. It has no weights, and the memory that its largest picture takes. */
export type PictureWorker = Pick<Engine, "square" | "dispose">;

/**
 * Starts one. It takes the plain variant, which runs everywhere: the resize computes in whole numbers, so every variant gives the same
 * pixels.
 */
export async function startPictureWorker(host: Host, config: JanusConfig): Promise<PictureWorker> {
  const module = await moduleOf(await host.binary("simd"));
  const plan = planPictures(config.imageSize);
  const { startWorker } = host;
  return Engine.start({ module, threads: 1, config, plan, tiles: tilesOf("simd", "absent"), startWorker });
}
