import { Command } from "commander";
import { Janus } from "../entry/node/index.js";
import { refuseExisting } from "../entry/node/output.js";
import { peakMemoryBytes } from "../entry/node/terminal.js";
import { writeSafetensors } from "../entry/node/write-safetensors.js";
import { collect } from "./collect.js";
import { addModelOptions, loadOptions, type ModelFlags, usage } from "./model-options.js";
import { loadingBar } from "./progress.js";
import { report } from "./report.js";

interface EncodeFlags extends ModelFlags {
  readonly image?: readonly string[];
  readonly output: string;
}

/** `janus encode`: image_features [n,P,W] and image_embeds [n,P,D] of pictures, without prompt or tokenizer. */
export function encodeCommand(signal: AbortSignal): Command {
  const command = new Command("encode").description("encode pictures: image_features and image_embeds alone");
  return addModelOptions(command)
    .option("-i, --image <path>", "a picture; may be given several times", collect)
    .requiredOption("-o, --output <file>", "safetensors file to write")
    .action((flags) => run(flags, signal));
}

async function run(flags: EncodeFlags, signal: AbortSignal): Promise<void> {
  const images = flags.image ?? [];
  if (images.length === 0) throw usage("encode: give at least one --image");
  const started = performance.now();
  await refuseExisting(flags.output, flags.force === true);
  const janus = await Janus.load(flags.model, { ...loadOptions(flags, signal), onProgress: loadingBar() });
  try {
    const loaded = performance.now();
    const pixels = await janus.preprocess(images, { signal });
    const preprocessed = performance.now();
    const features = await janus.encode(pixels, { signal });
    const encoded = performance.now();
    const embeds = await janus.project(features, { signal });
    const projected = performance.now();
    const tensors = { image_features: features, image_embeds: embeds };
    await writeSafetensors(flags.output, tensors, { force: flags.force === true, signal });
    const end = performance.now();
    report(flags, {
      dims: { image_features: features.dims, image_embeds: embeds.dims },
      runtime: janus.runtime,
      timings: {
        load: loaded - started,
        preprocess: preprocessed - loaded,
        encode: encoded - preprocessed,
        project: projected - encoded,
        write: end - projected,
        total: end - started,
      },
      peakMemoryBytes: peakMemoryBytes(),
    });
  } finally {
    await janus.dispose();
  }
}
