import { toSafetensors } from "janus-wasm";

/** @import { EmbedResult } from "janus-wasm" */

/**
 * All tensors as safetensors; or, to a client that asks for application/octet-stream, inputs_embeds alone, float32 little-endian.
 * @param {Request} request @param {EmbedResult} result
 */
export function embedResponse(request, result) {
  const { dims, data } = result.inputsEmbeds;
  const headers = { "x-janus-dims": dims.join(","), "x-janus-dtype": "float32" };
  const accept = request.headers.get("accept") ?? "";
  if (/\bapplication\/octet-stream\b/.test(accept) && !/safetensors/.test(accept)) {
    return new Response(data, { headers: { ...headers, "content-type": "application/octet-stream" } });
  }
  const file = toSafetensors(result);
  return new Response(streamOf(file), {
    headers: {
      ...headers,
      "content-type": "application/vnd.safetensors",
      "content-length": String(file.byteLength),
    },
  });
}

/** @param {Iterable<Uint8Array>} file */
function streamOf(file) {
  const chunks = file[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}
