/** The worker of the edge tests: a model as its caller asks for it, one call of it, and everything that comes of it. */
import { assetsSource, Janus, JanusError } from "#dist/entry/edge/index.js";
import { parseTyped, stringifyTyped } from "./typed-json.js";
import type { Call, Outcome } from "./workerd-janus.js";

interface Env {
  readonly ASSETS: { fetch(request: Request): Promise<Response> };
}

async function answer({ checkpoint, options, method, args }: Call, { ASSETS }: Env): Promise<Outcome> {
  try {
    await using model = await Janus.load(assetsSource(ASSETS, `/${checkpoint}/`), options);
    const call = model[method] as unknown as (...given: unknown[]) => Promise<unknown>;
    const result = await call.apply(model, [...args]);
    return { result, runtime: { ...model.runtime, notes: model.runtime.notes } };
  } catch (error) {
    if (error instanceof JanusError) return { error: { code: error.code, message: error.message } };
    return {
      error: { code: "none", message: error instanceof Error ? (error.stack ?? error.message) : String(error) },
    };
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    return new Response(stringifyTyped(await answer(parseTyped(await request.text()) as Call, env)));
  },
};
