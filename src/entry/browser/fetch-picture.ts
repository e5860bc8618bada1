import { JanusError } from "../../errors.js";
import { PICTURE_BYTES_MAX } from "../../image/pixels.js";

/**
 * The bytes of a picture that a page may fetch, of at most PICTURE_BYTES_MAX: no more of an answer is read than that.
 *
 * @throws JanusError E_NETWORK, E_IO of origin "input" for a refusal, E_IMAGE for more bytes; or the signal's reason.
 */
export async function fetchPicture(
  url: URL,
  label: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok)
      throw new JanusError("E_IO", `${label}: expected a picture, got status ${response.status}; check the URL`, {
        origin: "input",
      });
    return await readBounded(response, label);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof JanusError) throw cause;
    throw new JanusError(
      "E_NETWORK",
      `${label}: expected an answer, got a connection that failed; is the server there, and does it allow this page (CORS)?`,
      { cause, origin: "input" },
    );
  }
}

async function readBounded(response: Response, label: string): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done || value === undefined) break;
    size += value.length;
    chunks.push(value);
    if (size <= PICTURE_BYTES_MAX) continue;
    void reader?.cancel();
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected at most ${PICTURE_BYTES_MAX} bytes, got more; give a smaller picture`,
    );
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
