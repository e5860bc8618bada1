import jpegModule from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import decodeJpeg, { init as initJpeg } from "@jsquash/jpeg/decode.js";
import webpModule from "@jsquash/webp/codec/dec/webp_dec.wasm";
import decodeWebp, { init as initWebp } from "@jsquash/webp/decode.js";

/** @import { DecodePicture, Decoders } from "janus-wasm" */

/** @type {Decoders} */
export const decoders = {
  jpeg: kept(decodeJpeg, () => initJpeg(jpegModule)),
  webp: kept(decodeWebp, () => initWebp(webpModule)),
};

/**
 * A decoder that is used again: a new one for every picture would leave the memories of those before, 17 MB and more each, until V8 comes to collect
 * them. Its memory grows to what the largest picture took, which `LIMITS.pixels` bounds. One that failed is not to be trusted with the next picture.
 * @param {DecodePicture} decode @param {() => Promise<void>} start
 * @returns {DecodePicture}
 */
function kept(decode, start) {
  /** @type {Promise<void> | undefined} */
  let started;
  return async (bytes) => {
    started ??= start();
    try {
      await started;
      return await decode(bytes);
    } catch (error) {
      started = undefined;
      throw error;
    }
  };
}
