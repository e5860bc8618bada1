import { assetsSource, Janus, JanusError, r2Source } from "janus-wasm";
import { decoders } from "./decoders.mjs";
import { LIMITS, RETRY_AFTER } from "./limits.mjs";
import { Problem } from "./problem.mjs";

/** @import { AssetsFetcher, ModelInput, ObjectBucket } from "janus-wasm" */

/**
 * Where the model lies: an R2 bucket, static assets, or a URL; the first that is bound.
 * @typedef {object} Env
 * @property {ObjectBucket} [MODELS] @property {string} [MODEL_PREFIX]
 * @property {AssetsFetcher} [ASSETS] @property {string} [MODEL_PATH]
 * @property {string} [MODEL_URL]
 * @property {string} [MODEL_ID] what GET /v1/models calls it
 * @property {"auto" | "simd" | "relaxed"} [VARIANT]
 * @property {string} [MEMORY_BUDGET] bytes for the model: README.md has what an isolate takes with it
 * @property {"yes" | "no"} [VERIFY] whether the model's checksums are compared when it is loaded
 */

/** Of 128 MB: README.md says what the isolate takes with it, as measured, with decoders of JPEG and WebP that were used. */
const MEMORY_BUDGET = 36e6;

/** The model of this isolate, loaded by the first request that needs it and kept for the next. */
export class Models {
  /** @type {Promise<Janus> | undefined} */
  #loading;
  /** @type {Janus | undefined} */
  #loaded;

  /** @param {Env} env */
  get(env) {
    this.#loading ??= this.#load(env);
    return this.#loading;
  }

  /** @param {Env} env */
  async #load(env) {
    try {
      const model = await Janus.load(sourceOf(env), {
        decoders,
        maxPixels: LIMITS.pixels,
        variant: env.VARIANT ?? "auto",
        // What does not fit is read for every picture, and nothing else is there in an isolate of 128 MB.
        residency: "stream",
        memoryBudget: Number(env.MEMORY_BUDGET ?? MEMORY_BUDGET),
        // Damage on the way from the disk to here would be wrong numbers, and nothing else would tell. It takes a pass over all of the model.
        verify: env.VERIFY !== "no",
      });
      this.#loaded = model;
      return model;
    } catch (error) {
      // The next request tries again.
      this.#loading = undefined;
      throw error;
    }
  }

  /**
   * The result of a call, unless it takes so long that the model must be taken for lost, with a request that the host has ended in the middle of
   * its turn: then the next request loads another. So it does when the files are not those that the model was loaded from any more.
   * @template T
   * @param {Janus} model @param {Promise<T>} call
   * @returns {Promise<T>}
   */
  async watched(model, call) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const lost = new Promise((_, reject) => {
      timer = setTimeout(() => {
        if (this.#loaded === model) this.#loading = this.#loaded = undefined;
        const headers = { "retry-after": RETRY_AFTER };
        reject(new Problem(503, `expected a result within ${LIMITS.seconds} s, got none`, { headers }));
      }, LIMITS.seconds * 1000);
    });
    try {
      return await Promise.race([call, lost]);
    } catch (error) {
      const changed = error instanceof JanusError && error.code === "E_INTEGRITY";
      if (changed && this.#loaded === model) this.#loading = this.#loaded = undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {Env} env */
  describe(env) {
    const loaded = this.#loaded;
    return {
      id: env.MODEL_ID ?? "janus",
      object: "model",
      limits: LIMITS,
      loaded: loaded !== undefined,
      ...(loaded && { runtime: loaded.runtime, width: loaded.config.dim, image_size: loaded.config.imageSize }),
    };
  }
}

/**
 * @param {Env} env
 * @returns {ModelInput}
 */
function sourceOf(env) {
  if (env.MODELS) return r2Source(env.MODELS, env.MODEL_PREFIX ?? "");
  if (env.ASSETS) return assetsSource(env.ASSETS, env.MODEL_PATH ?? "/");
  if (env.MODEL_URL) return env.MODEL_URL;
  throw new Problem(500, "no model is bound: MODELS, ASSETS or MODEL_URL");
}
