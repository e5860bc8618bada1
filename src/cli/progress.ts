import { progressBar } from "../entry/node/terminal.js";
import type { ProgressEvent } from "../entry/options.js";

/** A bar on stderr while `work` goes on; it says how much is done, of how much. */
export async function withBar<T>(
  what: string,
  work: (update: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const bar = progressBar(what);
  try {
    return await work(bar.update);
  } finally {
    bar.end();
  }
}

/** A bar on stderr while weights are loaded; nothing where stderr is not a terminal. */
export function loadingBar(): (event: ProgressEvent) => void {
  const bar = progressBar("loading");
  return (event) => {
    if (event.status === "progress") bar.update(event.loaded, event.total);
    else if (event.status === "ready") bar.end();
  };
}
