import { tooLong } from "./admission.mjs";
import { LIMITS } from "./limits.mjs";
import { Problem } from "./problem.mjs";

/** @import { EmbedRequest } from "janus-wasm" */

const IMAGES = ["image/jpeg", "image/png", "image/webp"];

/**
 * A question (or a prompt with its <image_placeholder>s) and pictures, in one of three forms: multipart/form-data with fields `image`, `question`
 * or `prompt`; a picture as the body, with `?question=`; JSON with data URLs.
 * @param {Request} request
 * @returns {Promise<EmbedRequest>}
 */
export async function readEmbedRequest(request) {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (IMAGES.includes(type)) {
    const { searchParams } = new URL(request.url);
    return embedRequest([await readBody(request)], searchParams.get("question"), searchParams.get("prompt"));
  }
  if (type === "multipart/form-data") return readForm(request);
  if (type === "application/json") return readJson(request);
  throw new Problem(
    415,
    `expected multipart/form-data, application/json or ${IMAGES.join(", ")}, got ${type || "none"}`,
  );
}

/** @param {Request} request */
async function readForm(request) {
  const body = await readBody(request);
  const headers = { "content-type": request.headers.get("content-type") ?? "" };
  const form = await new Response(body, { headers }).formData().catch(() => {
    throw new Problem(400, "expected multipart/form-data, got a body that is not");
  });
  const images = form.getAll("image").map((image) => {
    if (typeof image === "string") throw new Problem(422, "expected the field image to be a file, got text");
    return image;
  });
  return embedRequest(images, form.get("question"), form.get("prompt"));
}

/** @param {Request} request */
async function readJson(request) {
  const body = await readBody(request);
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
 * @param {(string | Blob | ArrayBuffer)[]} images @param {unknown} question @param {unknown} prompt
 * @returns {EmbedRequest}
 */
function embedRequest(images, question, prompt) {
  if (images.length > LIMITS.images) {
    throw new Problem(422, `expected at most ${LIMITS.images} images, got ${images.length}`);
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
 * The body, counted while it comes: a length may be missing, or wrong.
 * @param {Request} request
 */
async function readBody(request) {
  /** @type {Uint8Array[]} */
  const parts = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const part = await reader?.read();
    if (part === undefined || part.done) break;
    length += part.value.length;
    if (length > LIMITS.bodyBytes) {
      reader?.releaseLock();
      throw tooLong(length);
    }
    parts.push(part.value);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body.buffer;
}
