import { LIMITS } from "./limits.mjs";
import { Problem } from "./problem.mjs";

/** @import { EmbedRequest } from "janus-wasm" */
/** @import { Admitted } from "./admission.mjs" */

const IMAGES = ["image/jpeg", "image/png", "image/webp"];

/**
 * A question (or a prompt with its <image_placeholder>s) and pictures, in one of three forms: multipart/form-data with fields `image`, `question`
 * or `prompt`; a picture as the body, with `?question=`; JSON with data URLs.
 * @param {Request} request @param {Admitted["hold"]} hold
 * @returns {Promise<EmbedRequest>}
 */
export async function readEmbedRequest(request, hold) {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (IMAGES.includes(type)) {
    const { searchParams } = new URL(request.url);
    return embedRequest([await readBody(request, hold)], searchParams.get("question"), searchParams.get("prompt"));
  }
  if (type === "multipart/form-data") return readForm(request, hold);
  if (type === "application/json") return readJson(request, hold);
  throw new Problem(
    415,
    `expected multipart/form-data, application/json or ${IMAGES.join(", ")}, got ${type || "none"}`,
  );
}

/** @param {Request} request @param {Admitted["hold"]} hold */
async function readForm(request, hold) {
  const body = await readBody(request, hold);
  const headers = { "content-type": request.headers.get("content-type") ?? "" };
  const boundary = /boundary="?([^";]+)/i.exec(headers["content-type"])?.[1] ?? "";
  if (occurrences(body, `--${boundary}`, LIMITS.parts + 2) > LIMITS.parts + 1)
    throw new Problem(422, `expected a form of at most ${LIMITS.parts} fields, got more`);
  const form = await new Response(body, { headers }).formData().catch(() => {
    throw new Problem(400, "expected multipart/form-data, got a body that is not");
  });
  const images = form.getAll("image").map((image) => {
    if (typeof image === "string") throw new Problem(422, "expected the field image to be a file, got text");
    return image;
  });
  return embedRequest(images, form.get("question"), form.get("prompt"));
}

/** @param {Request} request @param {Admitted["hold"]} hold */
async function readJson(request, hold) {
  const body = await readBody(request, hold);
  // A value takes a hundred bytes when it is there, and two in the body.
  const values = [..."{[,"].reduce((sum, mark) => sum + occurrences(body, mark, LIMITS.values + 1), 0);
  if (values > LIMITS.values) throw new Problem(422, `expected JSON of at most ${LIMITS.values} values, got more`);
  let json;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Problem(400, "expected JSON, got a body that is not");
  }
  const { question, prompt, image, images = image === undefined ? [] : [image] } = json ?? {};
  if (!Array.isArray(images) || images.some((one) => typeof one !== "string"))
    throw new Problem(422, "expected images to be a list of data: URLs");
  return embedRequest(images, question, prompt);
}

/**
 * How often a text is in a body, counted up to a bound.
 * @param {ArrayBuffer} body @param {string} text @param {number} most
 */
function occurrences(body, text, most) {
  const bytes = new Uint8Array(body);
  const wanted = new TextEncoder().encode(text);
  let found = 0;
  for (let at = bytes.indexOf(wanted[0] ?? 0); at >= 0 && found < most; at = bytes.indexOf(wanted[0] ?? 0, at + 1))
    if (wanted.every((byte, index) => bytes[at + index] === byte)) found++;
  return found;
}

/**
 * @param {(string | Blob | ArrayBuffer)[]} images @param {unknown} question @param {unknown} prompt
 * @returns {EmbedRequest}
 */
function embedRequest(images, question, prompt) {
  if (images.length > LIMITS.images) {
    throw new Problem(
      422,
      `expected at most ${LIMITS.images} image${LIMITS.images === 1 ? "" : "s"}, got ${images.length}`,
    );
  }
  const text = question ?? prompt;
  if (typeof text !== "string" || (question != null && prompt != null)) {
    throw new Problem(422, "expected a question or a prompt, as text");
  }
  if (text.length > LIMITS.promptCharacters) {
    throw new Problem(422, `expected at most ${LIMITS.promptCharacters} characters of text, got ${text.length}`);
  }
  return question == null ? { prompt: text, images } : { question: text, images };
}

/**
 * The body, counted while it comes: a length may be missing, or wrong, and a client may fall silent.
 * @param {Request} request @param {Admitted["hold"]} hold
 */
async function readBody({ body }, hold) {
  if (body === null) return new ArrayBuffer(0);
  const reader = body.getReader();
  /** @type {Uint8Array[]} */
  const parts = [];
  const late = deadline(LIMITS.bodySeconds);
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.passed]);
      if (done) return await new Blob(/** @type {BlobPart[]} */ (parts)).arrayBuffer();
      hold(value.length);
      parts.push(value);
    }
  } catch (error) {
    // What the client still sends is the caller's to read; of one that is silent there is nothing to read.
    if (!(error instanceof Problem && error.status === 408)) reader.releaseLock();
    throw error;
  } finally {
    late.clear();
  }
}

/** @param {number} seconds */
export function deadline(seconds) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const passed = new Promise((_, reject) => {
    const problem = new Problem(408, `expected the whole body within ${seconds} s`);
    timer = setTimeout(() => reject(problem), seconds * 1000);
  });
  return { passed: /** @type {Promise<never>} */ (passed), clear: () => clearTimeout(timer) };
}
