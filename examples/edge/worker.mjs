// POST /v1/embed: a picture and a question in, inputs_embeds out, on an edge worker.
import { Admission } from "./admission.mjs";
import { LIMITS } from "./limits.mjs";
import { Models } from "./models.mjs";
import { asProblem, Problem, problemResponse } from "./problem.mjs";
import { deadline, readEmbedRequest } from "./read-request.mjs";
import { embedResponse } from "./respond.mjs";

/** @import { EmbedRequest, Janus } from "janus-wasm" */
/** @import { Env } from "./models.mjs" */

// Of the isolate: whatever request comes next uses them.
const models = new Models();
const admission = new Admission();

export default {
  /**
   * @param {Request} request @param {Env} env
   * @param {{ waitUntil(work: Promise<unknown>): void }} context
   */
  async fetch(request, env, context) {
    try {
      return await route(request, env, context);
    } catch (error) {
      await drain(request);
      return problemResponse(asProblem(error));
    }
  },
};

/**
 * Reads on what a refused request still sends, up to a bound and for some seconds: a client that is sending does not hear an answer.
 * @param {Request} request
 */
async function drain({ body }) {
  if (body === null || body.locked) return;
  const reader = body.getReader();
  const late = deadline(LIMITS.drainSeconds);
  try {
    for (let length = 0; length < 4 * LIMITS.bodyBytes; ) {
      const { done, value } = await Promise.race([reader.read(), late.passed]);
      if (done) return;
      length += value.length;
    }
    await reader.cancel();
  } catch {
    // Whoever sends nothing, or is gone, has the answer now.
  } finally {
    late.clear();
  }
}

/**
 * @param {Request} request @param {Env} env
 * @param {{ waitUntil(work: Promise<unknown>): void }} context
 * @returns {Promise<Response>}
 */
async function route(request, env, context) {
  const { pathname } = new URL(request.url);
  switch (`${request.method} ${pathname}`) {
    case "GET /healthz":
      return Response.json({ status: "ok" });
    case "GET /v1/models":
      return Response.json({ object: "list", data: [models.describe(env)] });
    case "POST /v1/embed":
      return embed(request, env, context);
  }
  const allowed = { "/healthz": "GET", "/v1/models": "GET", "/v1/embed": "POST" }[pathname];
  if (allowed === undefined) throw new Problem(404, `there is nothing at ${pathname}; POST to /v1/embed`);
  throw new Problem(405, `${pathname} takes ${allowed}`, { headers: { allow: allowed } });
}

/**
 * How long the sequence becomes is known by its tokens alone.
 * @param {Janus} model @param {EmbedRequest} request
 */
async function checkLength(model, request) {
  const [, positions = 0] = (await model.prepare(request)).inputIds.dims;
  if (positions > LIMITS.positions)
    throw new Problem(422, `expected a sequence of at most ${LIMITS.positions} positions, got ${positions}; ask less`);
}

/**
 * @param {Request} request @param {Env} env
 * @param {{ waitUntil(work: Promise<unknown>): void }} context
 */
async function embed(request, env, context) {
  const { hold, leave } = admission.enter(request);
  const work = (async () => {
    try {
      const embedding = await readEmbedRequest(request, hold);
      return await models.use(env, request.signal, async (model) => {
        await checkLength(model, embedding);
        return model.embed(embedding);
      });
    } finally {
      leave();
    }
  })();
  // A client that leaves in its turn does not end it, nor its context: others queue behind it, and what a context that has ended began is never finished.
  context.waitUntil(work.catch(() => undefined));
  return embedResponse(request, await work);
}
