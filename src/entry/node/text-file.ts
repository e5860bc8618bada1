import { type FileHandle, open, stat } from "node:fs/promises";
import { JanusError, quote } from "../../errors.js";

/** The most that a conversation or one line of requests may hold, in UTF-16 units: text alone, pictures are named by path. */
const TEXT_MAX = 16 << 20;
/** Read at once: what a file of any length costs in memory. */
const CHUNK_BYTES = 256 << 10;

/**
 * The text of a small file, its byte order mark left out.
 *
 * @throws JanusError E_IO of origin "input" when it is not a regular file or cannot be read; E_PROMPT when it is not UTF-8, or longer than
 * 16 M characters; the signal's reason.
 */
export async function readTextFile(path: string, signal: AbortSignal): Promise<string> {
  let text = "";
  for await (const chunk of chunks(path, signal)) {
    text += chunk;
    if (text.length > TEXT_MAX) throw tooLong(path, "text");
  }
  return text;
}

/**
 * The lines of a text file of any length, one at a time, without their LF or CRLF. No other character ends a line: JSON may hold U+2028 as it
 * is. Errors as of `readTextFile`, the limit holding for each line.
 */
export async function* textLines(path: string, signal: AbortSignal): AsyncGenerator<string> {
  let line = "";
  for await (const chunk of chunks(path, signal)) {
    let begin = 0;
    for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", begin)) {
      yield withoutCR(line + chunk.slice(begin, end));
      line = "";
      begin = end + 1;
    }
    line += chunk.slice(begin);
    if (line.length > TEXT_MAX) throw tooLong(path, "a line");
  }
  if (line !== "") yield withoutCR(line);
}

async function* chunks(path: string, signal: AbortSignal): AsyncGenerator<string> {
  const file = await openRegular(path, signal);
  try {
    const utf8 = new TextDecoder("utf-8", { fatal: true });
    const bytes = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(bytes).catch((cause: unknown) => {
        throw unreadable(path, cause);
      });
      yield decode(utf8, bytes.subarray(0, bytesRead), path);
      if (bytesRead === 0) return;
    }
  } finally {
    await file.close();
  }
}

/** Nothing at all says that the text has ended, and must not end within a character. */
function decode(utf8: TextDecoder, bytes: Uint8Array, path: string): string {
  try {
    return utf8.decode(bytes, { stream: bytes.length > 0 });
  } catch (cause) {
    throw new JanusError("E_PROMPT", `reading ${quote(path, 200)}: expected UTF-8, got other bytes; save it as UTF-8`, {
      cause,
    });
  }
}

/** Asked before opening: opening a named pipe waits for a writer, and a device may never end. */
async function openRegular(path: string, signal: AbortSignal): Promise<FileHandle> {
  signal.throwIfAborted();
  try {
    if ((await stat(path)).isFile()) return await open(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  throw new JanusError(
    "E_IO",
    `reading ${quote(path, 200)}: expected a regular file, got a folder, pipe or device; write it to a file`,
    { origin: "input" },
  );
}

function tooLong(path: string, what: string): JanusError {
  return new JanusError(
    "E_PROMPT",
    `reading ${quote(path, 200)}: expected ${what} of at most ${TEXT_MAX} characters, got more; split it`,
  );
}

function unreadable(path: string, cause: unknown): JanusError {
  const reason =
    (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (cause as Error).message;
  return new JanusError("E_IO", `reading ${quote(path, 200)}: ${reason}; check the path`, { cause, origin: "input" });
}

function withoutCR(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
