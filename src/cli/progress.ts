import { progressBar } from "../entry/node/terminal.js";
import type { ProgressEvent } from "../entry/options.js";

/** A bar on stderr while weights are loaded; nothing where stderr is not a terminal. */
export function loadingBar(): (event: ProgressEvent) => void {
  const bar = progressBar("loading");
  return (event) => {
    if (event.status === "progress") bar.update(event.loaded, event.total);
    else if (event.status === "ready") bar.end();
  };
}
