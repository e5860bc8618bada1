import { dirname } from "node:path";
import { JanusError, quote } from "../../errors.js";

/** A path in a message: long enough that its last part is usually seen. */
export function quotePath(path: string): string {
  return quote(path, 200);
}

/** What the file system refused while an output was written, as one sentence with a next step: E_IO of an output. */
export function outputError(path: string, cause: unknown): JanusError {
  const code = errorCode(cause);
  return new JanusError("E_IO", `write ${quotePath(path)}: ${reason(path, code, cause)}`, { cause, origin: "output" });
}

/** An output that is already there: a mistake in the command, not of the disk. */
export function existingOutput(path: string): JanusError {
  return new JanusError(
    "E_USAGE",
    `write ${quotePath(path)}: it exists; name another output, or overwrite with --force`,
  );
}

export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function reason(path: string, code: string, cause: unknown): string {
  switch (code) {
    case "ENOENT":
      return `its folder ${quotePath(dirname(path))} does not exist (ENOENT); create it first`;
    case "ENOTDIR":
      return `part of ${quotePath(dirname(path))} is not a folder (ENOTDIR); name another output`;
    case "EACCES":
    case "EPERM":
      return `no permission to write in ${quotePath(dirname(path))} (${code}); choose another folder`;
    case "EROFS":
      return `the file system of ${quotePath(dirname(path))} is read-only (EROFS); choose another folder`;
    case "ENOSPC":
    case "EDQUOT":
      return `the disk or quota is full (${code}); free space or choose another folder`;
    case "ENAMETOOLONG":
      return "the name is too long for the file system (ENAMETOOLONG); choose a shorter one";
    default:
      return `${quote(cause instanceof Error ? cause.message : cause, 200)}; choose another output`;
  }
}

/** Whether the file system refused something; what other code throws has no system call. */
export function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && "syscall" in error && "errno" in error;
}
