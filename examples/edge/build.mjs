// The worker as one file and the modules beside it, as a deployment tool would make them, and a packed model in shards that static assets may be.
import { spawnSync } from "node:child_process";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const ROOT = here("../../");

await rm(here("build"), { recursive: true, force: true });
await mkdir(here("build"), { recursive: true });

/**
 * A .wasm is a module that the host compiles: it is put beside the worker, and stays an import.
 * @type {import("esbuild").Plugin}
 */
const modules = {
  name: "modules",
  setup({ onResolve, resolve: find }) {
    onResolve({ filter: /\.wasm$/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === "found") return undefined;
      const { path: file, errors } = await find(path, { ...from, pluginData: "found" });
      if (errors.length > 0) return { errors };
      await copyFile(file, here(`build/${basename(file)}`));
      return { path: `./${basename(file)}`, external: true };
    });
  },
};

await build({
  absWorkingDir: here("."),
  entryPoints: ["worker.mjs"],
  outfile: "build/worker.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["workerd"],
  // In a project of your own this is the package, and its `workerd` condition.
  alias: { "janus-wasm": resolve(ROOT, "dist/entry/edge/index.js") },
  plugins: [modules],
  logLevel: "warning",
});

const pack = ["pack", "--model", `${ROOT}models/demo`, "--output", here("build/model"), "--dtype", "int8"];
const { status } = spawnSync(
  process.execPath,
  [resolve(ROOT, "dist/cli/main.js"), ...pack, "--shard-size", "25MiB", "--threads", "1"],
  { stdio: "inherit" },
);
process.exitCode = status ?? 1;
