// Puts what a process or a worker needs to start into one file each, in place of the entry that tsc has written: Node takes about half a
// millisecond for every module, and the library has 76. Packages stay imports, with their own files and licences; but for browsers, which find no package by its name.
import { writeFile } from "node:fs/promises";
import { basename, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

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

const BROWSER = "entry/browser";

/** What most pages never need: where the library imports it, the bundle for browsers has `later.ts`, which imports the part's file when it is called. */
const PARTS = new Set(
  [
    "weights/packed-checkpoint",
    "weights/torch-checkpoint",
    "entry/stream-plan",
    "entry/streamed-weights",
    "entry/engine-flags",
  ].map((path) => resolve(ROOT, `src/${path}.js`)),
);

const later = {
  name: "later",
  setup({ onResolve }) {
    const folder = resolve(ROOT, `src/${BROWSER}`);
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) =>
      // The parts' own files have the real ones in them.
      resolveDir !== folder && PARTS.has(resolve(resolveDir, path)) ? { path: resolve(folder, "later.ts") } : undefined,
    );
  },
};

// A page loads its entry, which is page.js and what that shares with its workers; a worker its program and the same shared file; a part what only the part needs. Every part
// exports all of the entry, for esbuild: it cuts files by which entries need what, so page.js is one file where all need all of it.
const { outputFiles, metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ["index", "worker", "session", "packed", "torch", "stream"].map((name) => `src/${BROWSER}/${name}.ts`),
  outdir: `dist/${BROWSER}`,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  write: false,
  metafile: true,
  logLevel: "warning",
  plugins: [later],
});
const filesOf = (name) => metafile.outputs[`dist/${BROWSER}/${name}.js`].imports.map(({ path }) => basename(path));
const [shared] = filesOf("worker");
const [page, ...others] = filesOf("index").filter((file) => file !== shared);
if (others.length > 0)
  throw new Error(
    `the page's files: expected page.js and shared.js, got ${others} too; have every part export the entry`,
  );
const renamed = (text) => text.replaceAll(shared, "shared.js").replaceAll(page, "page.js");
for (const { path, text } of outputFiles) {
  // Of what esbuild has minified terser takes another 4 %; what is off makes it longer by brotli.
  const { code } = await minify(renamed(text), {
    module: true,
    ecma: 2022,
    format: { ascii_only: true },
    compress: { passes: 3, comparisons: false, lhs_constants: false, negate_iife: false },
  });
  await writeFile(renamed(path), code);
}

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
