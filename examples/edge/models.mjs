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

/**
 * A model, from the time that it begins to be loaded.
 * @typedef {object} Current
 * @property {Promise<Janus>} loading
 * @property {Janus} [loaded]
 * @property {Promise<void>} turn settles when the last of those that wait for it is done
 */

/** The model of this isolate, loaded by the first request that needs it and kept for the next; one request at a time has its turn. */
export class Models {
  /** @type {Current | undefined} */
  #current;

  /** @param {Env} env */
  #load(env) {
    const loading = Janus.load(sourceOf(env), {
      decoders,
      maxPixels: LIMITS.pixels,
      variant: env.VARIANT ?? "auto",
      // What does not fit is read for every picture, and nothing else is there in an isolate of 128 MB.
      residency: "stream",
      memoryBudget: Number(env.MEMORY_BUDGET ?? MEMORY_BUDGET),
      // Damage on the way from the disk to here would be wrong numbers, and nothing else would tell. It takes a pass over all of the model.
      verify: env.VERIFY !== "no",
    });
    /** @type {Current} */
    const current = { loading, turn: Promise.resolve() };
    loading.then(
      (model) => {
        current.loaded = model;
      },
      // The next request tries again.
      () => this.#forget(current),
    );
    return current;
  }

  /** @param {Current} current */
  #forget(current) {
    if (this.#current === current) this.#current = undefined;
    // Who waits for it is told to come again; it leaves its memory to the next.
    current.loading.then((model) => model.dispose()).catch(() => undefined);
  }

  /**
   * What `work` makes of the model in its turn, unless that takes so long, waiting and loading included, that the model must be taken for lost, with a request that the host
   * has ended in the middle of its turn: then the next request loads another. So it does when the model has failed, or its files are not those that it was loaded from any more.
   * A client that has left by its turn (`left`) gives it to the next.
   * @template T
   * @param {Env} env @param {AbortSignal} left @param {(model: Janus) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async use(env, left, work) {
    this.#current ??= this.#load(env);
    const current = this.#current;
    const before = current.turn;
    const turn = (async () => {
      await before;
      const model = await current.loading;
      if (left.aborted) throw new Problem(499, "the client has left");
      return work(model);
    })();
    // Without its result, which has megabytes.
    current.turn = turn.then(
      () => undefined,
      () => undefined,
    );
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const lost = new Promise((_, reject) => {
      timer = setTimeout(() => {
        this.#forget(current);
        const headers = { "retry-after": RETRY_AFTER };
        reject(new Problem(503, `expected a result within ${LIMITS.seconds} s, got none`, { headers }));
      }, LIMITS.seconds * 1000);
    });
    try {
      return await Promise.race([turn, lost]);
    } catch (error) {
      if (error instanceof JanusError && (error.code === "E_INTEGRITY" || error.code === "E_INTERNAL"))
        this.#forget(current);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {Env} env */
  describe(env) {
    const loaded = this.#current?.loaded;
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
