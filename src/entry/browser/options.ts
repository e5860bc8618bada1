import type { LoadOptions } from "../options.js";

/** What loading takes in a browser alone. */
export interface BrowserOptions {
  /**
   * The directory that worker.js, shared.js (both of dist/entry/browser) and the wasm files (of dist/wasm) lie in, where they were copied apart from the package: a URL,
   * also relative to the page. Browsers start workers of the page's own origin alone.
   */
  readonly assetsBase?: string | URL | undefined;
  /** The model hub that ids are looked up at; `https://huggingface.co`. */
  readonly hubUrl?: string | URL | undefined;
  /** False: weights from a server are not kept for the next visit. */
  readonly store?: boolean | undefined;
}

export interface BrowserLoadOptions extends LoadOptions, BrowserOptions {}
