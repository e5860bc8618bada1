// Keeps the page's own files and the demo model, so that the page works without a network after the first visit. The network goes first: what is kept is an answer only
// where there is no other.

const worker = /** @type {any} */ (globalThis);
const CACHE = "janus-wasm-demo";
const ROOT = new URL("../../", worker.location.href);

const PAGE = [
  "benchmark.mjs",
  "dom.mjs",
  "facts.mjs",
  "figure.mjs",
  "icon.svg",
  "model-files.mjs",
  "model-panel.mjs",
  "offline.mjs",
  "page.mjs",
  "pictures.mjs",
  "principal-components.mjs",
  "similarity.mjs",
  "strip.mjs",
  "style.css",
  "thinking-worker.mjs",
  "thinking.mjs",
  "vocabulary.mjs",
];
const MODEL = [
  "config.json",
  "model.safetensors",
  "preprocessor_config.json",
  "processor_config.json",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer_config.json",
];
const FILES = [
  "examples/browser/",
  ...PAGE.map((name) => `examples/browser/${name}`),
  "examples/answer/language-model.mjs",
  "examples/answer/weights.mjs",
  ...["index", "packed", "page", "shared", "stream", "torch", "worker"].map((name) => `dist/entry/browser/${name}.js`),
  ...["simd", "simd-threads", "relaxed", "relaxed-threads"].map((name) => `dist/wasm/${name}.wasm`),
  ...MODEL.map((name) => `models/demo/${name}`),
  "models/demo/examples/examples.json",
].map((path) => new URL(path, ROOT).href);

const BENCHMARK = ["kernels-worker.js", "package.json"].map((name) => `${ROOT.href}dist/demo/${name}`);

worker.addEventListener("install", (/** @type {any} */ event) => {
  event.waitUntil(keepAll().then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (/** @type {any} */ event) => {
  event.waitUntil(worker.clients.claim());
});

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { url, method } = event.request;
  if (url.startsWith(ROOT.href) && (method === "GET" || method === "HEAD")) event.respondWith(answer(event.request));
});

async function keepAll() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES);
  // The benchmark is there only where `npm run build:demo` has made it.
  await Promise.allSettled(BENCHMARK.map((url) => cache.add(url)));
  const examples = `${ROOT.href}models/demo/examples/`;
  /** @type {{ images: string[] }[]} */
  const list = await (await cache.match(`${examples}examples.json`))?.json();
  await cache.addAll(list.flatMap(({ images }) => images.map((name) => `${examples}${name}`)));
}

/** @param {Request} request */
async function answer(request) {
  try {
    const response = await fetch(request);
    const whole = request.method === "GET" && response.status === 200;
    if (whole && FILES.includes(request.url)) await (await caches.open(CACHE)).put(request.url, response.clone());
    return response;
  } catch (error) {
    const page = pageOf(request);
    // The server's root sends there, too.
    if (page !== undefined && new URL(request.url).pathname === ROOT.pathname) return Response.redirect(page);
    const kept = await (await caches.open(CACHE)).match(page ?? request.url);
    if (!kept) throw error;
    if (request.method === "HEAD") return new Response(null, { headers: kept.headers });
    return partOf(kept, request.headers.get("Range"));
  }
}

/**
 * The page, where that is asked for under one of its addresses: links have queries.
 *
 * @param {Request} request
 */
function pageOf({ url, mode }) {
  if (mode !== "navigate") return undefined;
  const { origin, pathname } = new URL(url);
  const page = `${ROOT.href}examples/browser/`;
  return [ROOT.href, page, `${page}index.html`].includes(`${origin}${pathname}`) ? page : undefined;
}

/**
 * What a Range asks for of a file that is kept whole.
 *
 * @param {Response} kept
 * @param {string | null} range
 */
async function partOf(kept, range) {
  const found = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
  if (!found) return kept;
  const bytes = await kept.blob();
  const start = Number(found[1]);
  const end = Math.min(bytes.size, found[2] ? Number(found[2]) + 1 : bytes.size);
  const headers = new Headers(kept.headers);
  if (start >= end) {
    headers.set("Content-Range", `bytes */${bytes.size}`);
    headers.delete("Content-Length");
    return new Response(null, { status: 416, headers });
  }
  headers.set("Content-Range", `bytes ${start}-${end - 1}/${bytes.size}`);
  headers.set("Content-Length", String(end - start));
  return new Response(bytes.slice(start, end), { status: 206, headers });
}
