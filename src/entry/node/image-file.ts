import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { JanusError, quote } from "../../errors.js";
import { PICTURE_BYTES_MAX } from "./decoder-protocol.js";

/** Read at once between two looks at the signal: a few milliseconds on a disk. */
const CHUNK_BYTES = 4 * 2 ** 20;

/**
 * The bytes of a picture's file: a regular one, perhaps behind a symbolic link, of at most PICTURE_BYTES_MAX.
 *
 * @throws JanusError E_IO (origin "input") when it is missing or cannot be read, E_IMAGE when it is something else than a regular file,
 * too large, or changes while it is read; or the signal's reason.
 */
export async function readImageFile(path: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  signal?.throwIfAborted();
  let file: FileHandle | undefined;
  try {
    // Before opening, because opening a device can already do something; afterwards again, because the path may lead elsewhere by then.
    checkKind(await stat(path), path);
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0));
    const status = await file.stat();
    checkKind(status, path);
    return await readWhole(file, status.size, path, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof JanusError ? error : fileError(error as NodeJS.ErrnoException, path);
  } finally {
    await file?.close();
  }
}

async function readWhole(
  file: FileHandle,
  size: number,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  // One byte more than the file has: a read that fills it says that the file has grown.
  const bytes = new Uint8Array(size + 1);
  let filled = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(bytes, filled, Math.min(CHUNK_BYTES, bytes.length - filled), filled);
    filled += bytesRead;
    if (bytesRead === 0 || filled > size) break;
  }
  signal?.throwIfAborted();
  if (filled !== size) {
    throw new JanusError(
      "E_IMAGE",
      `read ${quote(path)}: expected ${size} bytes, got ${filled > size ? "more" : filled}; try again when nobody writes to it`,
    );
  }
  return bytes.subarray(0, size);
}

function checkKind(status: Stats, path: string): void {
  if (!status.isFile()) {
    throw new JanusError(
      "E_IMAGE",
      `read ${quote(path)}: expected a regular file, got ${kindName(status)}; give a JPEG, PNG or WebP file`,
    );
  }
  if (status.size > PICTURE_BYTES_MAX) {
    throw new JanusError(
      "E_IMAGE",
      `read ${quote(path)}: expected at most ${PICTURE_BYTES_MAX} bytes, got ${status.size}; give a smaller picture`,
    );
  }
}

function kindName(status: Stats): string {
  if (status.isDirectory()) return "a directory";
  if (status.isFIFO()) return "a named pipe";
  if (status.isSocket()) return "a socket";
  return "a device";
}

function fileError(error: NodeJS.ErrnoException, path: string): JanusError {
  if (error.code === "ELOOP") {
    return new JanusError(
      "E_IMAGE",
      `read ${quote(path)}: expected a regular file, got a loop of symbolic links; give the file itself`,
      { cause: error },
    );
  }
  const reasons: Record<string, string> = {
    ENOENT: "there is no such file; check the path",
    ENOTDIR: "a part of the path is not a directory; check the path",
    EACCES: "permission denied; make it readable",
    ENAMETOOLONG: "the path is too long; check it",
  };
  const reason = reasons[error.code ?? ""] ?? `expected to read it, got ${quote(error.message)}; check the file`;
  return new JanusError("E_IO", `read ${quote(path)}: ${reason}`, { cause: error, origin: "input" });
}
