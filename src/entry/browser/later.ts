/** What takes the place of these modules in the bundle for browsers, under the same names. */
import type * as engineFlags from "../engine-flags.js";
import { type Parts, part } from "./parts.js";

export const openPacked: Parts["packed"]["openPacked"] = async (...given) =>
  (await part("packed")).openPacked(...given);

export const locateTorch: Parts["torch"]["locateTorch"] = async (...given) =>
  (await part("torch")).locateTorch(...given);

export const streamWeights: Parts["stream"]["streamWeights"] = async (...given) =>
  (await part("stream")).streamWeights(...given);

export const planWithin: Parts["stream"]["planWithin"] = async (...given) =>
  (await part("stream")).planWithin(...given);

/** Pages are offered none. */
export const takeEngineFlags: typeof engineFlags.takeEngineFlags = async () => [];
