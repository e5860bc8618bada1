// `npm run demo`: a small server for the page, on this machine alone. It sends what a page needs to have threads, a policy under which nothing but its
// own files runs, and ranges. Usage: node examples/browser/serve.mjs [--port 8080] [--no-isolation]
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const PAGE = "/examples/browser/";

/** Folders that are served; everything else of the repository is not there. */
const FOLDERS = ["/examples/browser/", "/examples/answer/", "/dist/", "/models/demo/"];

/** @type {Record<string, string>} */
const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Checkpoints may be named by any URL, so connections may go anywhere; programs come from here. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self' https: http:",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * @param {{ isolation?: boolean, folders?: Readonly<Record<string, string>>, root?: string }} [options] `folders`: more of them, path on the server to folder on the disk, each with
 * a slash at its end; `root`: the repository
 */
export function createDemoServer({ isolation = true, folders = {}, root = ROOT } = {}) {
  const places = [...FOLDERS.map((path) => [path, join(root, path)]), ...Object.entries(folders)];
  return createServer((request, response) => {
    answer(request, response).catch((error) => {
      // Someone who leaves in the middle is no error of the server.
      if (!response.headersSent) response.writeHead(500, { "Content-Type": "text/plain" });
      response.end();
      if (error?.code !== "ERR_STREAM_PREMATURE_CLOSE") console.error(error);
    });
  });

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   */
  async function answer(request, response) {
    response.setHeader("Content-Security-Policy", POLICY);
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Referrer-Policy", "no-referrer");
    response.setHeader("Cache-Control", "no-cache");
    response.setHeader("Service-Worker-Allowed", "/");
    if (isolation) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405);
    // URL resolves `..`, so what follows lies below its folder; what stays encoded is no file of ours.
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/") return void response.writeHead(302, { Location: PAGE }).end();
    const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const place = places.find(([prefix]) => path.startsWith(/** @type {string} */ (prefix)));
    if (!place || /%|\\/.test(path)) return refuse(response, 404);
    const file = join(/** @type {string} */ (place[1]), path.slice(/** @type {string} */ (place[0]).length));
    const about = await stat(file).catch(() => undefined);
    if (!about?.isFile()) return refuse(response, 404);
    const etag = `"${about.size.toString(36)}-${Math.round(about.mtimeMs).toString(36)}"`;
    response.setHeader("ETag", etag);
    response.setHeader("Accept-Ranges", "bytes");
    response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
    if (request.headers["if-none-match"] === etag && !request.headers.range) return void response.writeHead(304).end();
    const range = wantedRange(request.headers.range, about.size, request.headers["if-range"], etag);
    if (range === "none") {
      response.setHeader("Content-Range", `bytes */${about.size}`);
      return refuse(response, 416);
    }
    const { start, end } = range ?? { start: 0, end: about.size };
    if (range) response.setHeader("Content-Range", `bytes ${start}-${end - 1}/${about.size}`);
    response.setHeader("Content-Length", end - start);
    response.writeHead(range ? 206 : 200);
    if (request.method === "HEAD" || end === start) return void response.end();
    await pipeline(createReadStream(file, { start, end: end - 1 }), response);
  }
}

/**
 * The one range that is asked for; undefined for the whole file, "none" for one outside it. Several, and other units, are answered with the whole file, as the
 * protocol allows.
 *
 * @param {string | undefined} header
 * @param {number} size
 * @param {string | string[] | undefined} condition If-Range
 * @param {string} etag
 */
function wantedRange(header, size, condition, etag) {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!found || (condition !== undefined && condition !== etag)) return undefined;
  const [, from, to] = found;
  if (!from && !to) return undefined;
  const start = from ? Number(from) : Math.max(0, size - Number(to));
  const end = from && to ? Math.min(size, Number(to) + 1) : size;
  return start < end ? { start, end } : /** @type {const} */ ("none");
}

/**
 * @param {import("node:http").ServerResponse} response
 * @param {number} status
 */
function refuse(response, status) {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(`${status}\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8080" },
      "no-isolation": { type: "boolean", default: false },
    },
  });
  const server = createDemoServer({ isolation: !values["no-isolation"] });
  server.on("error", (error) => {
    console.error(`demo: port ${values.port}: ${error.message}; choose another with --port`);
    process.exitCode = 1;
  });
  server.listen(Number(values.port), "localhost", () => {
    const address = server.address();
    if (address && typeof address === "object") console.log(`http://localhost:${address.port}${PAGE}`);
  });
}
