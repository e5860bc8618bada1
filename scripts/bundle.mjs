// Puts what a process or a worker needs to start into one file each, in place of the entry that tsc has written: Node takes about half a
// millisecond for every module, and the library has 76. Packages stay imports, with their own files and licences; but for browsers, which find no package by its name.
import { writeFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = "entry/node";

/** Modules that must exist once in a process, also beside the unbundled ones: a class that errors are told by, and flags that were set. */
const SINGLE = ["errors", `${FOLDER}/engine-flags`];

/** What most processes never need, and what takes `node:` modules with it: imported when it is called, unbundled. */
const LATER = [`${FOLDER}/decoder`, `${FOLDER}/output`, `${FOLDER}/open-remote`];

const APART = new Set([...SINGLE, ...LATER].map((path) => resolve(ROOT, `src/${path}.js`)));

const apart = {
  name: "apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path);
      if (!APART.has(file)) return undefined;
      const from = relative(resolve(ROOT, `src/${FOLDER}`), file);
      return { path: from.startsWith(".") ? from : `./${from}`, external: true };
    });
  },
};

/** @param {string[]} names @param {import("esbuild").Plugin[]} plugins */
function bundle(names, plugins) {
  return build({
    absWorkingDir: ROOT,
    entryPoints: names.map((name) => `src/${FOLDER}/${name}.ts`),
    outdir: `dist/${FOLDER}`,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.9",
    packages: "external",
    sourcemap: true,
    logLevel: "warning",
    plugins,
  });
}

await bundle(["index"], [apart]);
// Workers are threads of their own, and nothing else is loaded there.
await bundle(["compute-worker", "tokenizer-worker"], []);

// A page loads the entry and what it shares with its workers; a worker its program and the same shared file. What a service worker does in its own thread is in neither twice.
const BROWSER = "dist/entry/browser";
await build({
  absWorkingDir: ROOT,
  entryPoints: { index: "src/entry/browser/all.ts", worker: "src/entry/browser/worker.ts" },
  outdir: BROWSER,
  bundle: true,
  splitting: true,
  chunkNames: "shared",
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  // The package has no maps: servers of bundlers would look for one that is named.
  sourcemap: "external",
  logLevel: "warning",
});
await writeFile(
  resolve(ROOT, BROWSER, "transformers.js"),
  'export { PrepareInputsEmbedsSession } from "./index.js";\n',
);

// An edge worker has its packages in it, and imports the binaries, which are the host's to compile. Both entries share all but how they name those.
await build({
  absWorkingDir: ROOT,
  entryPoints: ["index", "edge-light"].map((name) => `src/entry/edge/${name}.ts`),
  outdir: "dist/entry/edge",
  bundle: true,
  splitting: true,
  chunkNames: "shared",
  format: "esm",
  platform: "neutral",
  mainFields: ["module", "main"],
  target: "es2022",
  external: ["*.wasm", "*.wasm?module"],
  minify: true,
  sourcemap: true,
  logLevel: "warning",
});
