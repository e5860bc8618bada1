import { quote } from "../../errors.js";
import { isFileSystemError, outputError } from "./output-error.js";
import type { RemoteOptions } from "./remote-model.js";

/** What happens when a cache cannot be written to: it is said once, and the run goes on from memory; or it fails, where keeping is all there is to do. */
export function unwritableCache(
  folder: string,
  notes: string[],
  { mustKeep = false }: RemoteOptions,
): (error: unknown) => void {
  let said = false;
  return (error) => {
    if (mustKeep) throw outputError(folder, error);
    // "ENOSPC: no space left on device, write": without the call, and the path that may follow.
    const reason = isFileSystemError(error) ? error.message.replace(/,.*$/s, "") : String(error);
    if (!said)
      notes.push(
        `nothing can be kept in ${quote(folder, 200)} (${reason}): this run goes on without, and the next one fetches again`,
      );
    said = true;
  };
}
