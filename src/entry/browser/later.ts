/** What takes the place of these modules in the bundle for browsers, under the same names. */
import type * as engineFlags from "../engine-flags.js";
import { type Parts, part } from "./parts.js";

export const locateTorch: Parts["torch"]["locateTorch"] = async (...given) =>
  (await part("torch")).locateTorch(...given);

export const streamWeights: Parts["stream"]["streamWeights"] = async (...given) =>
  (await part("stream")).streamWeights(...given);

export const planStreams: Parts["stream"]["planStreams"] = async (...given) =>
  (await part("stream")).planStreams(...given);

/** Pages are offered none. */
export const takeEngineFlags: typeof engineFlags.takeEngineFlags = async () => [];
