/** A binary result on stdout: for a pipe or a file of the shell, never for a terminal. */
import { fstatSync, write } from "node:fs";
import process from "node:process";
import { promisify } from "node:util";
import { JanusError } from "../../errors.js";
import { orAborted } from "../or-aborted.js";
import type { Chunks } from "./output.js";
import { errorCode } from "./output-error.js";
import { ReaderGone } from "./terminal.js";

const STDOUT = 1;
/** One call takes less than 2 GiB; smaller pieces also let an abort through. */
const PIECE = 2 ** 24;

const writeTo = promisify(write);

/** @throws JanusError E_USAGE when stdout is a terminal, where bytes would be noise. */
export function refuseTerminal(): void {
  if (!process.stdout.isTTY) return;
  throw new JanusError("E_USAGE", "write to stdout: it is a terminal; pipe it into a program, or name a file");
}

/**
 * Writes `chunks` to stdout as fast as the reader takes them.
 *
 * @throws ReaderGone; JanusError E_IO of origin "output" for anything else that fails; the signal's reason, also while the reader stalls.
 */
export async function writeToStdout(chunks: Chunks, signal: AbortSignal): Promise<void> {
  // Node's own stream writes a chunk to a file with one call, and loses what a full disk did not take.
  const put = isStream() ? putIntoStream : putIntoFile;
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.byteLength; at += PIECE) {
        await orAborted(put(chunk.subarray(at, at + PIECE)), signal);
      }
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (errorCode(error) === "EPIPE") throw new ReaderGone("the reader of stdout has gone");
    const reason = error instanceof Error ? error.message : String(error);
    throw new JanusError("E_IO", `write to stdout: ${reason}; send it elsewhere`, { cause: error, origin: "output" });
  }
}

function isStream(): boolean {
  const stats = fstatSync(STDOUT);
  return stats.isFIFO() || stats.isSocket();
}

function putIntoStream(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

async function putIntoFile(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await writeTo(STDOUT, bytes, done, bytes.byteLength - done)).bytesWritten;
  }
}
