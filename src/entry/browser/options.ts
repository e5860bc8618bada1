import type { LoadOptions } from "../options.js";

/** What loading takes in a browser alone. */
export interface BrowserOptions {
  /**
   * The directory that worker.js and the wasm files lie in, where a bundler or a server has put them apart from the package: a URL, relative to the page. Workers are of the
   * page's own origin.
   */
  readonly assetsBase?: string | URL | undefined;
  /** The model hub that ids are looked up at; `https://huggingface.co`. */
  readonly hubUrl?: string | URL | undefined;
  /** False: weights from a server are not kept for the next visit. */
  readonly store?: boolean | undefined;
}

export interface BrowserLoadOptions extends LoadOptions, BrowserOptions {}
