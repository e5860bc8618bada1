// The benchmark of the demo page, in dist/demo: the cases of bench/kernels for a page's worker. What these take of Node is replaced: files by fetches, and the loops that
// find the engine's peak, which are compiled here instead of there.
import { spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OUTPUT = resolve(ROOT, "dist/demo");

/** @type {import("esbuild").Plugin} */
const inPage = {
  name: "in a page",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^#dist\// }, ({ path }) => ({ path: resolve(ROOT, path.replace("#dist", "dist")) }));
    onResolve({ filter: /\/binary\.js$/ }, () => ({ path: resolve(ROOT, "bench/browser/binary.ts") }));
    onResolve({ filter: /\/peak-binary\.js$/ }, () => ({ path: "peaks", namespace: "peaks" }));
    onLoad({ filter: /.*/, namespace: "peaks" }, async () => ({ contents: await peaks(), loader: "js" }));
  },
};

/** A module with every peak's binary in it: a few hundred bytes each. */
async function peaks() {
  const program = resolve(ROOT, "bench/kernels/peak-binary.ts");
  const { outputFiles } = await build({
    entryPoints: [program],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    packages: "external",
  });
  const compiled = resolve(OUTPUT, "peak-binary.mjs");
  await writeFile(compiled, outputFiles[0].contents);
  const { peakBinary } = await import(compiled);
  const wanted = [
    ...[12, 24].map((vectors) => ["multiply-add", vectors]),
    ...["dot 16", "dot 16 of sums", "dot 8"].flatMap((step) => [8, 12, 20, 24].map((vectors) => [step, vectors])),
  ];
  const table = {};
  for (const relaxed of [false, true]) {
    for (const [step, vectors] of wanted) {
      if (step === "dot 8" && !relaxed) continue;
      const bytes = await peakBinary(vectors, relaxed, step);
      table[`${vectors} ${relaxed} ${step}`] = Buffer.from(bytes).toString("base64");
    }
  }
  return `const table = ${JSON.stringify(table)};
export async function peakBinary(vectors, relaxed, step) {
  const text = table[\`\${vectors} \${relaxed} \${step}\`];
  if (text === undefined) throw new Error(\`peak: no loop of \${vectors} x \${step} was compiled\`);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}`;
}

await mkdir(OUTPUT, { recursive: true });
await build({
  absWorkingDir: ROOT,
  entryPoints: ["bench/browser/kernels-worker.ts"],
  outdir: OUTPUT,
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  logLevel: "warning",
  plugins: [inPage],
});
const { version } = JSON.parse(await readFile(resolve(ROOT, "package.json"), "utf8"));
const git = (...words) => spawnSync("git", words, { cwd: ROOT, encoding: "utf8" }).stdout?.trim() ?? "";
const about = {
  version,
  commit: git("rev-parse", "--short=12", "HEAD"),
  modified: git("status", "--porcelain", "--untracked-files=no") !== "",
};
await writeFile(resolve(OUTPUT, "package.json"), `${JSON.stringify(about)}\n`);
