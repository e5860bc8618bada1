/** A text as a URL, relative to the page or to the worker's program; undefined for what is none. */
export function pageUrl(text: string): URL | undefined {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  return URL.canParse(text, base) ? new URL(text, base) : undefined;
}
