import jpegModule from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import decodeJpeg, { init as initJpeg } from "@jsquash/jpeg/decode.js";
import webpModule from "@jsquash/webp/codec/dec/webp_dec.wasm";
import decodeWebp, { init as initWebp } from "@jsquash/webp/decode.js";

/** @import { Decoders } from "janus-wasm" */

/**
 * A decoder of its own for every picture: its memory would never shrink again, and one that failed is not to be trusted with the next.
 * @type {Decoders}
 */
export const decoders = {
  async jpeg(bytes) {
    await initJpeg(jpegModule);
    return decodeJpeg(bytes);
  },
  async webp(bytes) {
    await initWebp(webpModule);
    return decodeWebp(bytes);
  },
};
