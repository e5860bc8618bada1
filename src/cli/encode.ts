import type { Host } from "../entry/host.js";
import { JanusModel } from "../entry/janus.js";
import { nodeHost } from "../entry/node/host.js";
import { refuseExisting } from "../entry/node/output.js";
import { refuseInputAsOutput } from "../entry/node/output-conflict.js";
import { peakMemoryBytes } from "../entry/node/terminal.js";
import { writeSafetensors } from "../entry/node/write-safetensors.js";
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
  const host = timingDecode(nodeHost());
  const janus = await JanusModel.load(host, flags.model, { ...loadOptions(flags, signal), onProgress: loadingBar() });
  try {
    const loaded = performance.now();
    const pixels = await janus.preprocess(flags.image, { signal });
    const preprocessed = performance.now();
    const features = await janus.encode(pixels, { signal });
    const encoded = performance.now();
    const embeds = await janus.project(features, { signal });
    const projected = performance.now();
    const tensors = { image_features: features, image_embeds: embeds };
    await writeSafetensors(flags.output, tensors, { force, signal });
    const end = performance.now();
    report(flags, {
      dims: { image_features: features.dims, image_embeds: embeds.dims },
      runtime: janus.runtime,
      timings: {
        load: loaded - started,
        decode: host.decodeMs,
        preprocess: preprocessed - loaded - host.decodeMs,
        text: 0,
        encode: encoded - preprocessed,
        project: projected - encoded,
        fuse: 0,
        write: end - projected,
        total: end - started,
      },
      peakMemoryBytes: peakMemoryBytes(),
    });
  } finally {
    await janus.dispose();
  }
}

/** The same host, which sums up the milliseconds of its decoding. */
function timingDecode(host: Host): Host & { readonly decodeMs: number } {
  const timing = {
    ...host,
    decodeMs: 0,
    async decode(...args: Parameters<Host["decode"]>) {
      const started = performance.now();
      try {
        return await host.decode(...args);
      } finally {
        timing.decodeMs += performance.now() - started;
      }
    },
  };
  return timing;
}
