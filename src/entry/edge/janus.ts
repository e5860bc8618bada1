import { JanusError, quote } from "../../errors.js";
import type { ModelInput } from "../host.js";
import { JanusModel } from "../janus.js";
import type { LoadOptions } from "../options.js";
import { type Binaries, edgeHost } from "./host.js";
import type { Decoders } from "./image-input.js";

export interface EdgeLoadOptions extends LoadOptions {
  /** How JPEG and WebP are decoded here. PNG needs nothing. */
  readonly decoders?: Decoders;
  /** The most pixels of an encoded picture, E_IMAGE beyond; 2048 x 2048 unless given, which takes about 50 MB while it is decoded. */
  readonly maxPixels?: number;
}

const MAX_PIXELS = 2 ** 22;

/** What an edge entry exports as `Janus`. */
export interface EdgeJanus {
  /**
   * A checkpoint, ready to embed: an http(s) base URL, a WeightSource (`r2Source`, `assetsSource`, one of your own), or files (Blobs or bytes by
   * path). JanusError E_CONFIG, E_FORMAT, E_NETWORK, E_INTEGRITY, E_NUMERIC, E_OOM and others by design.
   */
  load(model: ModelInput, options?: EdgeLoadOptions): Promise<JanusModel>;
}

/** `Janus` over binaries that the host has compiled. */
export function edgeJanus(binaries: Binaries): EdgeJanus {
  return {
    async load(model, options = {}) {
      const { decoders = {}, maxPixels = MAX_PIXELS } = options;
      if (!(Number.isSafeInteger(maxPixels) && maxPixels > 0)) {
        throw new JanusError("E_USAGE", `loading: maxPixels must be a whole number above 0, got ${quote(maxPixels)}`, {
          origin: "usage",
        });
      }
      return JanusModel.load(edgeHost(binaries, { decoders, maxPixels }), model, options);
    },
  };
}
