/** ARCHITECTURE.md's rule of the folders, read off the sources: imports point down, and only an entry knows its host. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT } from "../support/paths.js";

const test = suite("layers");

/** Files that import nothing and may be imported by all. */
const GROUND = ["errors", "tensor"];

/** What each folder of src may import, besides itself and the ground. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ["entry", "weights"],
  entry: ["model", "image", "text", "weights", "ops", "threads", "wasm"],
  model: ["ops", "wasm", "weights"],
  image: ["ops", "wasm"],
  ops: ["threads", "wasm"],
  threads: ["wasm"],
  text: ["weights"],
  weights: [],
  wasm: [],
};

/** Packages, and the only files that may name them; `node:` modules are for entries. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  "@assemblyscript/loader": /^wasm\/instantiate\.ts$/,
  "@huggingface/tokenizers": /^text\/encoder\.ts$/,
  commander: /^cli\//,
  sharp: /^entry\/node\/decoder-process\.ts$/,
};

const ASSEMBLY_MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  index: ["kernels", "simd", "sync"],
  kernels: ["tiles", "simd"],
  tiles: ["tiles", "simd"],
  simd: ["simd"],
  sync: ["sync"],
};

interface Source {
  path: string;
  text: string;
  imports: string[];
}

function sources(folder: string): Source[] {
  return readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))
    .map((path) => {
      const text = readFileSync(`${ROOT}${folder}/${path}`, "utf8");
      const found = text.matchAll(/\bfrom "([^"\s]+)";?$|^import "([^"\s]+)";?$|\bimport\("([^"\s]+)"\)/gm);
      const imports = [...found].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? "");
      return { path, text, imports };
    });
}

const room = (path: string): string => path.replace(/\.(ts|js)$/, "").split("/")[0] ?? "";

test("src: imports point down", () => {
  const files = sources("src");
  assert.ok(files.length > 40, "the tree was read");
  for (const { path, imports } of files) {
    const from = room(path);
    for (const name of imports) {
      if (!name.startsWith(".")) continue;
      const to = room(normalize(join(dirname(path), name)));
      if (to === from || GROUND.includes(to)) continue;
      assert.ok(MAY_IMPORT[from]?.includes(to), `src/${path} must not import ${name}: ${from} knows nothing of ${to}`);
    }
  }
});

test("src: the ground imports nothing but itself", () => {
  for (const { path, imports } of sources("src").filter(({ path }) => !path.includes("/"))) {
    assert.ok(GROUND.includes(room(path)), `src/${path} lies on the ground`);
    for (const name of imports)
      assert.ok(GROUND.includes(room(normalize(name))), `src/${path} must not import ${name}`);
  }
});

test("src: packages and host modules are named where they belong", () => {
  for (const { path, imports } of sources("src")) {
    for (const name of imports) {
      if (name.startsWith(".")) continue;
      if (name.startsWith("node:")) {
        assert.match(path, /^entry\/node\//, `src/${path} must not import ${name}`);
        continue;
      }
      const where = PACKAGES[name];
      assert.ok(where, `src/${path} imports ${name}, which is not on the list`);
      assert.match(path, where, `src/${path} must not import ${name}`);
    }
  }
});

test("src: only an entry touches its host", () => {
  for (const { path, text } of sources("src")) {
    if (path.startsWith("entry/")) continue;
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    for (const word of [/\bprocess\./, /\bnavigator\b/, /\bimport\.meta\b/, /\bBuffer\b/]) {
      assert.not.match(code, word, `src/${path} touches its host`);
    }
  }
});

test("assembly: index, kernels, tiles, simd", () => {
  const files = sources("assembly");
  assert.ok(files.length > 15, "the tree was read");
  for (const { path, imports } of files) {
    const from = room(path);
    for (const name of imports) {
      const to = room(normalize(join(dirname(path), name)));
      assert.ok(ASSEMBLY_MAY_IMPORT[from]?.includes(to), `assembly/${path} must not import ${name}`);
    }
  }
});

test("assembly: features are asked for in simd and sync alone", () => {
  for (const { path, text } of sources("assembly")) {
    if (/^(simd|sync)\//.test(path)) continue;
    assert.not.match(text, /ASC_FEATURE_/, `assembly/${path}`);
  }
});

test("no room is a drawer", () => {
  for (const folder of ["src", "assembly", "test", "bench"]) {
    for (const { path } of sources(folder)) assert.not.match(path, /util|helper|misc|common/i, `${folder}/${path}`);
  }
});

test("ARCHITECTURE.md names the rooms that exist", () => {
  const page = readFileSync(`${ROOT}ARCHITECTURE.md`, "utf8");
  for (const folder of ["src", "assembly"]) {
    const rooms = new Set(sources(folder).map(({ path }) => room(path)));
    for (const name of rooms) {
      if (GROUND.includes(name) || name === "index") continue;
      assert.ok(page.includes(`${folder}/${name}/`), `ARCHITECTURE.md does not mention ${folder}/${name}/`);
    }
  }
  for (const [, path] of page.matchAll(/`((?:src|assembly|test|bench|models|examples)\/[\w./-]*)`/g)) {
    assert.ok(readdirSync(ROOT + dirname(path ?? "")).length > 0, `ARCHITECTURE.md names ${path}`);
  }
});

test.run();
