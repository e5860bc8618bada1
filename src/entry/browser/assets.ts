import { JanusError, quote } from "../../errors.js";
import type { Variant } from "../../wasm/variants.js";

/** The files beside the entry's own: the worker's program and the binaries. */
export interface Assets {
  /** @throws what the browser says of a program of another origin. */
  startWorker(): Worker;
  /** @throws JanusError E_IO where the binary is not there. */
  binary(variant: Variant): Promise<Uint8Array<ArrayBuffer>>;
}

/** Written out one by one: bundlers look for `new URL` of a literal, and put the file beside what they write. */
const BINARIES: Readonly<Record<Variant, () => URL>> = {
  simd: () => new URL("../../wasm/simd.wasm", import.meta.url),
  "simd-threads": () => new URL("../../wasm/simd-threads.wasm", import.meta.url),
  relaxed: () => new URL("../../wasm/relaxed.wasm", import.meta.url),
  "relaxed-threads": () => new URL("../../wasm/relaxed-threads.wasm", import.meta.url),
};

/** Where the package has its files; or all of them in one directory, `base`, below which they have their names alone. E_USAGE for one that is no URL. */
export function locateAssets(base: string | URL | undefined): Assets {
  const here = base === undefined ? undefined : directory(base);
  return {
    startWorker: () =>
      here === undefined
        ? new Worker(new URL("./worker.js", import.meta.url), { type: "module" })
        : new Worker(new URL("worker.js", here), { type: "module" }),
    binary: (variant) => fetchBinary(here === undefined ? BINARIES[variant]() : new URL(`${variant}.wasm`, here)),
  };
}

function directory(base: string | URL): URL {
  if (!URL.canParse(base, globalThis.location?.href))
    throw new JanusError("E_USAGE", `loading: assetsBase must be a URL, got ${quote(String(base))}`, {
      origin: "usage",
    });
  const url = new URL(base, globalThis.location?.href);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

async function fetchBinary(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw missing(url, "no answer", cause);
  });
  if (!response.ok) throw missing(url, `status ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  // A server of a single page answers everything with that page.
  if (bytes[0] !== 0 || bytes[1] !== 0x61 || bytes[2] !== 0x73 || bytes[3] !== 0x6d) throw missing(url, "another file");
  return bytes;
}

function missing({ origin, pathname }: URL, got: string, cause?: unknown): JanusError {
  return new JanusError(
    "E_IO",
    `loading: expected a WebAssembly binary at ${quote(origin + pathname, 200)}, got ${got}; copy worker.js, shared.js and the wasm files of the package there, or name their directory as assetsBase`,
    { cause, origin: "model" },
  );
}
