/** tokenizer.janus of a packed checkpoint, held against the tokenizer.json that it was made of. */
import { JanusError } from "../errors.js";
import { COMPACT_FILE } from "../text/compact-layout.js";
import { compactSource, readCompactTokenizer } from "../text/compact-tokenizer.js";
import { MAX_FILE_BYTES } from "../text/json-object.js";
import { sha256 } from "../weights/sha256.js";
import { sizeIfAny, type WeightSource } from "../weights/source.js";

const JSON_FILE = "tokenizer.json";

/**
 * The bytes of the file, undefined when there is none. A tokenizer.json beside it is not read, but must have the size that the file names, and the SHA-256 where
 * the source knows that; without one the file stands for itself.
 *
 * @throws JanusError E_FORMAT, E_INTEGRITY, E_UNSUPPORTED naming the file; the signal's reason.
 */
export async function readCompactFile(source: WeightSource, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const size = await sizeIfAny(source, COMPACT_FILE, signal);
  if (size === undefined) return undefined;
  if (size > MAX_FILE_BYTES) {
    throw new JanusError(
      "E_FORMAT",
      `reading ${COMPACT_FILE}: expected at most ${MAX_FILE_BYTES} bytes, found ${size}`,
      {
        origin: "model",
      },
    );
  }
  const bytes = await source.read(COMPACT_FILE, 0, size, signal);
  const beside = await sizeIfAny(source, JSON_FILE, signal);
  if (beside !== undefined) {
    const made = compactSource(bytes);
    if (beside !== made.bytes) throw mismatch(`${made.bytes} bytes`, `${beside}`);
    const sha256 = await source.sha256?.(JSON_FILE, signal);
    if (sha256 !== undefined && sha256 !== made.sha256) throw mismatch(`SHA-256 ${made.sha256}`, sha256);
  }
  return bytes;
}

/**
 * Reads the file and all of the tokenizer.json beside it, where there are both, and compares. For a host with SHA-256.
 *
 * @throws JanusError as `readCompactFile`, and as `readCompactTokenizer`.
 */
export async function verifyCompactFile(source: WeightSource, signal?: AbortSignal): Promise<void> {
  const bytes = await readCompactFile(source, signal);
  if (bytes === undefined) return;
  readCompactTokenizer(bytes);
  const size = await sizeIfAny(source, JSON_FILE, signal);
  if (size === undefined) return;
  const made = compactSource(bytes).sha256;
  const json = await source.read(JSON_FILE, 0, size, signal);
  const found = await sha256(json);
  signal?.throwIfAborted();
  if (found !== made) throw mismatch(`SHA-256 ${made}`, found);
}

function mismatch(expected: string, found: string): JanusError {
  return new JanusError(
    "E_INTEGRITY",
    `reading ${COMPACT_FILE}: it was made of a ${JSON_FILE} of ${expected}, found one of ${found} beside it; pack the checkpoint again, or delete one of the two`,
    { origin: "model" },
  );
}
