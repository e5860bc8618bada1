/** This package as a contender: through its public door, so that every check of an input is in the time. */

import { JanusModel } from "#dist/entry/janus.js";
import { Janus } from "#dist/entry/node/index.js";
import type { LoadOptions } from "#dist/entry/options.js";
import { PhaseHost } from "./phase-host.js";
import { serveContender } from "./serve.js";

export interface JanusOptions {
  readonly model: string;
  /** "auto" keeps a bf16 checkpoint as it is. */
  readonly dtype: "auto" | "fp32" | "int8";
  readonly threads: number;
  readonly engineFlags: "none" | "auto";
  /** Clocks around every kernel; `about.phases` then has the milliseconds of the last run by kernel. */
  readonly phases?: boolean;
}

serveContender(async ({ model, phases, ...options }: JanusOptions) => {
  const host = phases ? new PhaseHost() : undefined;
  const janus = await (host
    ? JanusModel.load(host.host, model, options)
    : Janus.load(model, options satisfies LoadOptions));
  const { imageSize } = janus.config;
  return {
    get about() {
      return { name: "janus-wasm", ...janus.runtime, ...(host && { phases: host.take() }) };
    },
    async run(pixels, images) {
      const dims = [images, 3, imageSize, imageSize];
      const features = await janus.encode({ type: "float32", dims, data: pixels });
      return (await janus.project(features)).data;
    },
  };
});
