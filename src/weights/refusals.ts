import { JanusError } from "../errors.js";

/** E_FORMAT of a checkpoint file: the operation and the file, then the reason, which says what was expected, found, and to do. */
export function malformed(path: string, reason: string): JanusError {
  return new JanusError("E_FORMAT", `reading ${path}: ${reason}`, { origin: "model" });
}

/** E_UNSUPPORTED of a checkpoint file: well formed, but nothing this package can run. */
export function unsupported(path: string, reason: string): JanusError {
  return new JanusError("E_UNSUPPORTED", `reading ${path}: ${reason}`, { origin: "model" });
}

/** E_IO of a checkpoint. */
export function unreadable(path: string, reason: string): JanusError {
  return new JanusError("E_IO", `reading ${path}: ${reason}`, { origin: "model" });
}

/** A list for a message, cut where it stops helping. */
export function listed(items: readonly string[], limit = 10): string {
  const shown = items.slice(0, limit).join(", ");
  return items.length > limit ? `${shown} and ${items.length - limit} more` : shown;
}
