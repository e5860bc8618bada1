import { stackFloats } from "../entry/floats.js";
import { Janus } from "../entry/node/index.js";
import { refuseExisting } from "../entry/node/output.js";
import { refuseInputAsOutput } from "../entry/node/output-conflict.js";
import { peakMemoryBytes } from "../entry/node/terminal.js";
import { writeSafetensors } from "../entry/node/write-safetensors.js";
import { addTimings, newTimings } from "../entry/timings.js";
import type { EncodeFlags } from "./commands/encode.js";
import { loadOptions } from "./commands/model-options.js";
import { loadingBar } from "./progress.js";
import { report } from "./report.js";

/** Runs `janus encode`. */
export async function encode(flags: EncodeFlags, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const force = flags.force === true;
  await refuseExisting(flags.output, force);
  await refuseInputAsOutput(flags.output, flags.model, flags.image);
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
    await writeSafetensors(flags.output, tensors, { force, signal });
    const end = performance.now();
    const { total: _, ...stages } = timings;
    report(flags, {
      dims: { image_features: tensors.image_features.dims, image_embeds: tensors.image_embeds.dims },
      runtime: janus.runtime,
      timings: { load, ...stages, write: end - computed, total: end - started },
      peakMemoryBytes: peakMemoryBytes(),
    });
  } finally {
    await janus.dispose();
  }
}
