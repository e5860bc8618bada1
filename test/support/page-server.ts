import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, normalize } from "node:path";
import { ROOT } from "./paths.js";

/** What a page that takes no chances allows: nothing but its own scripts, workers and files, and WebAssembly. */
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};
/** Pages of the tests' own; everything else is a file of this project, below /assets/ one that a bundler would have put there. */
const PAGES: Readonly<Record<string, string>> = {
  "/": '<!doctype html><title>janus-wasm</title><script type="module" src="/page.js"></script>',
  "/page.js": 'import * as library from "/dist/entry/browser/index.js"; globalThis.janus = library;',
  "/service-worker.js": serviceWorker("index"),
  "/static/service-worker.js": serviceWorker("static"),
};

/** A service worker that embeds what it is told to with an entry of the library. */
function serviceWorker(entry: string): string {
  return `import * as library from "/dist/entry/browser/${entry}.js";
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", ({ data, ports: [port] }) => {
  (async () => {
    const model = await library.Janus.load(data.model, data.options);
    const { inputsEmbeds } = await model.embed(data.request);
    const { runtime } = model;
    await model.dispose();
    return { embeds: inputsEmbeds.data, notes: [...runtime.notes], threads: runtime.threads };
  })().then((answer) => port.postMessage(answer), (error) => port.postMessage({ error: String(error) }));
});`;
}

/** A static server on loopback for this project's files, with ranges and ETags, and a page that has the library as `janus`. */
export class PageServer {
  /** Paths in the order in which they were asked for. */
  readonly requests: string[] = [];
  readonly #server: Server;

  private constructor(isolated: boolean) {
    const headers = { ...(isolated && ISOLATION), "content-security-policy": POLICY };
    this.#server = createServer((request, response) => this.#answer(request, response, headers));
  }

  /** `isolated`: with the headers that make a page cross-origin isolated. */
  static async start({ isolated }: { isolated: boolean }): Promise<PageServer> {
    const server = new PageServer(isolated);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse, headers: Readonly<Record<string, string>>): void {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", this.url).pathname));
    this.requests.push(path);
    const content = contentOf(path);
    if (content === undefined) {
      response.writeHead(404, headers).end();
      return;
    }
    const type = TYPES[path === "/" ? ".html" : extname(path)] ?? "application/octet-stream";
    const etag = `"${createHash("sha256").update(content).digest("hex")}"`;
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const all = { ...headers, "content-type": type, etag, "accept-ranges": "bytes" };
    if (first === undefined) {
      response.writeHead(200, { ...all, "content-length": content.length });
      response.end(request.method === "HEAD" ? undefined : content);
      return;
    }
    const part = content.subarray(Number(first), Number(last) + 1);
    const range = `bytes ${first}-${Number(first) + part.length - 1}/${content.length}`;
    response.writeHead(206, { ...all, "content-range": range, "content-length": part.length }).end(part);
  }
}

function contentOf(path: string): Buffer | undefined {
  const page = PAGES[path];
  if (page !== undefined) return Buffer.from(page);
  const file = `${ROOT}${path
    .slice(1)
    .replace(/^assets\/(?=.*js$)/, "dist/entry/browser/")
    .replace(/^assets\//, "dist/wasm/")}`;
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file) : undefined;
}
