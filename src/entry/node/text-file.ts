import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { JanusError } from "../../errors.js";

/** The most that a conversation or one line of requests may hold, in bytes: text alone, pictures are named by path. */
const TEXT_BYTES = 16 << 20;

/** A small text file. E_IO (of an input) when it cannot be read, E_PROMPT beyond 16 MB. */
export async function readTextFile(path: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const file = await open(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const { size } = await file.stat();
    if (size > TEXT_BYTES)
      throw new JanusError("E_PROMPT", `${path}: ${size} bytes of text, at most ${TEXT_BYTES} are read`);
    return await file.readFile({ encoding: "utf8", signal }).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw unreadable(path, cause);
    });
  } finally {
    await file.close();
  }
}

/** Lines of a text file of any length, one at a time. E_IO (of an input) when it cannot be read. */
export async function* textLines(path: string, signal: AbortSignal): AsyncGenerator<string> {
  const stream = createReadStream(path, { encoding: "utf8" });
  const failed = new Promise<never>((_, reject) => stream.once("error", (cause) => reject(unreadable(path, cause))));
  failed.catch(() => undefined);
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await Promise.race([lines.next(), failed]);
      if (next.done) return;
      if (next.value.length > TEXT_BYTES)
        throw new JanusError(
          "E_PROMPT",
          `${path}: a line of ${next.value.length} characters, at most ${TEXT_BYTES} are read`,
        );
      yield next.value;
    }
  } finally {
    stream.destroy();
  }
}

function unreadable(path: string, cause: unknown): JanusError {
  return new JanusError("E_IO", `reading ${path}: ${(cause as Error).message}`, { cause, origin: "input" });
}
