import { stackFloats } from "../entry/floats.js";
import { Janus } from "../entry/node/index.js";
import { peakMemoryBytes } from "../entry/node/terminal.js";
import { addTimings, newTimings } from "../entry/timings.js";
import type { EncodeFlags } from "./commands/encode.js";
import { loadOptions } from "./commands/model-options.js";
import { destination, target, writeOutput } from "./output.js";
import { loadingBar } from "./progress.js";
import { report } from "./report.js";

/** Runs `janus encode`. */
export async function encode(flags: EncodeFlags, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const to = await destination(await target("encode", flags, flags.image), flags.image.length);
  const janus = await Janus.load(flags.model, { ...loadOptions(flags, signal), onProgress: loadingBar() });
  try {
    const load = performance.now() - started;
    const features: Float32Array[] = [];
    const embeds: Float32Array[] = [];
    const timings = newTimings();
    for await (const picture of janus.encodeStream(flags.image, { signal })) {
      features.push(picture.imageFeatures.data);
      embeds.push(picture.imageEmbeds.data);
      addTimings(timings, picture.timings);
    }
    const computed = performance.now();
    const { tokens, width, dim } = janus.config;
    const tensors = {
      image_features: stackFloats(features, [features.length, tokens, width]),
      image_embeds: stackFloats(embeds, [embeds.length, tokens, dim]),
    };
    const dims = await writeOutput(to, { tensors, rows: "image_embeds" }, signal);
    const end = performance.now();
    const { total: _, ...stages } = timings;
    report(to, flags, {
      dims,
      runtime: janus.runtime,
      timings: { load, ...stages, write: end - computed, total: end - started },
      peakMemoryBytes: peakMemoryBytes(),
    });
  } finally {
    await janus.dispose();
  }
}
