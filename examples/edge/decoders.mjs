import jpegModule from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import decodeJpeg, { init as initJpeg } from "@jsquash/jpeg/decode.js";
import webpModule from "@jsquash/webp/codec/dec/webp_dec.wasm";
import decodeWebp, { init as initWebp } from "@jsquash/webp/decode.js";

/** @import { DecodePicture, Decoders } from "janus-wasm" */
/** @typedef {(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => WebAssembly.Exports} Instantiate */

/** @type {Decoders} */
export const decoders = {
  jpeg: kept(decodeJpeg, initJpeg, jpegModule),
  webp: kept(decodeWebp, initWebp, webpModule),
};

/** A picture that is damaged leaves behind what the decoder had taken for it, and some of its stack: so many may do that, or until so much is taken. */
const FAILURES = 8;
const FAILED_BYTES = 26e6;

/**
 * A decoder that is used again: a new one for every picture would leave the memories of those before, 17 MB and more each, until V8 comes to collect
 * them. Its memory grows to what the largest picture took, which `LIMITS.pixels` bounds. mozjpeg gives up by exit(), after which it decodes the next one as if nothing had been; after
 * a trap it is not to be trusted.
 * @param {DecodePicture} decode
 * @param {(module: WebAssembly.Module, overrides: { instantiateWasm: Instantiate }) => Promise<void>} init
 * @param {WebAssembly.Module} module
 * @returns {DecodePicture}
 */
function kept(decode, init, module) {
  /** @type {{ ready: Promise<void>, memory?: WebAssembly.Memory, failures: number } | undefined} */
  let decoder;
  const start = () => {
    /** @type {NonNullable<typeof decoder>} */
    const started = { ready: Promise.resolve(), failures: 0 };
    started.ready = init(module, {
      instantiateWasm(imports, done) {
        const instance = new WebAssembly.Instance(module, imports);
        for (const one of Object.values(instance.exports)) if (one instanceof WebAssembly.Memory) started.memory = one;
        done(instance);
        return instance.exports;
      },
    });
    return started;
  };
  return async (bytes) => {
    decoder ??= start();
    const used = decoder;
    try {
      await used.ready;
      return await decode(bytes);
    } catch (error) {
      used.failures += 1;
      const taken = used.memory?.buffer.byteLength ?? Number.POSITIVE_INFINITY;
      if (error instanceof WebAssembly.RuntimeError || used.failures >= FAILURES || taken > FAILED_BYTES)
        decoder = undefined;
      throw error;
    }
  };
}
