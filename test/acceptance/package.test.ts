/** The package as a stranger gets it: packed by npm, put into an empty project, and used from there. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { janus, temporaryFolder } from "../support/cli.js";
import { ROOT } from "../support/paths.js";

const test = suite("package");

const project = temporaryFolder();
const installed = join(project, "node_modules/janus-wasm");
const packed = new Map<string, number>();

function run(file: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: "utf8" });
  assert.is(status, 0, `${file} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

test.before(() => {
  // --ignore-scripts: the build is there, and other suites are running on it.
  const report = run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", project], ROOT);
  const [{ filename, files }] = JSON.parse(report);
  for (const { path, size } of files) packed.set(path, size);
  mkdirSync(installed, { recursive: true });
  run("tar", ["-xzf", filename, "-C", installed, "--strip-components=1"], project);
  // What npm would install beside it.
  const { dependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  for (const name of Object.keys(dependencies)) {
    const link = join(project, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(`${ROOT}node_modules/${name}`, link);
  }
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
});

test("it holds what runs, its types, the demo model and the licences, and nothing else", () => {
  for (const path of [
    "LICENSE",
    "NOTICE",
    "package.json",
    "dist/cli/main.js",
    "dist/entry/node/index.js",
    "dist/entry/node/index.d.ts",
    ...["index.js", "edge-light.js", "shared.js", "index.d.ts", "edge-light.d.ts"].map(
      (name) => `dist/entry/edge/${name}`,
    ),
    ...["index", "page", "shared", "worker", "static", "stream", "torch", "session", "transformers"].map(
      (name) => `dist/entry/browser/${name}.js`,
    ),
    "dist/entry/browser/static.d.ts",
    "dist/entry/transformers/index.js",
    "dist/entry/transformers/index.d.ts",
    "dist/entry/node/compute-worker.js",
    "dist/entry/node/tokenizer-worker.js",
    "dist/entry/node/decoder-process.js",
    ...["simd", "simd-threads", "relaxed", "relaxed-threads"].map((name) => `dist/wasm/${name}.wasm`),
    ...["config.json", "model.safetensors", "tokenizer.json", "README.md"].map((name) => `models/demo/${name}`),
    "models/demo/examples/00.png",
    ...["transformers-js", "onnxruntime"].map((name) => `models/recipes/${name}.md`),
  ]) {
    assert.ok(packed.has(path), `${path} is missing`);
  }
  for (const path of packed.keys()) {
    assert.match(path, /^(dist|models)\/|^(package\.json|README\.md|LICENSE|NOTICE)$/);
    assert.not.match(path, /\.(map|wat|tsbuildinfo)$|debug\.|\.tmp/, path);
  }
  const bytes = [...packed.values()].reduce((sum, size) => sum + size, 0);
  // A bundle for each kind of host: Node, browsers, edge workers.
  assert.ok(bytes < 6.4e6, `${bytes} bytes unpacked, of which the demo model is 3.4 MB`);
});

test("an edge worker's conditions come before a browser's, and lead to its entries", () => {
  for (const [conditions, entry] of [
    [["workerd", "worker", "browser"], "edge/index.js"],
    [["edge-light", "worker", "browser"], "edge/edge-light.js"],
  ] as const) {
    const flags = conditions.map((name) => `--conditions=${name}`);
    const script = "console.log(import.meta.resolve('janus-wasm'))";
    const found = run(process.execPath, [...flags, "--input-type=module", "-e", script], project);
    assert.ok(found.trim().endsWith(`/dist/entry/${entry}`), found);
  }
});

test("a process starts with one file, and a thread with one", () => {
  for (const [name, apart] of [
    ["index", ["../../errors.js", "./decoder.js", "./engine-flags.js", "./open-remote.js", "./output.js"]],
    ["compute-worker", []],
    ["tokenizer-worker", []],
  ] as const) {
    const text = readFileSync(join(installed, `dist/entry/node/${name}.js`), "utf8");
    const imports = [...text.matchAll(/(?:\bfrom |\bimport\()"(\.[^"]+)"/g)].map(([, path]) => path ?? "");
    assert.equal([...new Set(imports)].sort(), apart, name);
  }
});

test("an error of the bundle is of the class that the other modules know", async () => {
  const [{ Janus, JanusError }, errors] = await Promise.all([
    import("#dist/entry/node/index.js"),
    import("#dist/errors.js"),
  ]);
  assert.is(JanusError, errors.JanusError);
  const error = await Janus.load("/no/such/directory").catch((reason: unknown) => reason);
  assert.instance(error, errors.JanusError);
});

test("the command line runs from there, in any folder", async () => {
  const { bin, version } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const program = join(installed, bin.janus);
  assert.match(readFileSync(program, "utf8"), /^#!\/usr\/bin\/env node\n/);
  assert.is((await janus(["--version"], { program, cwd: "/" })).stdout, `${version}\n`);
  const model = join(installed, "models/demo");
  const args = ["--image", join(model, "examples/00.png"), "--output", "out.safetensors"];
  const embedded = await janus(["embed", "--model", model, "--question", "What is in the image?", ...args], {
    program,
    cwd: project,
  });
  assert.is(embedded.status, 0, embedded.stderr);
});

test("import { Janus } from the package", () => {
  const script = `
    import { Janus } from "janus-wasm";
    const janus = await Janus.load("node_modules/janus-wasm/models/demo");
    const { inputsEmbeds } = await janus.embed({ prompt: "Hello" });
    await janus.dispose();
    console.log(inputsEmbeds.dims.length);`;
  assert.is(run(process.execPath, ["--input-type=module", "-e", script], project), "3\n");
});

test("import { PrepareInputsEmbedsSession } from the package, with the package's class of errors", () => {
  const script = `
    import { JanusError } from "janus-wasm";
    import { PrepareInputsEmbedsSession } from "janus-wasm/transformers";
    try {
      new PrepareInputsEmbedsSession({}, {});
    } catch (error) {
      console.log(error instanceof JanusError, error.code);
    }`;
  assert.is(run(process.execPath, ["--input-type=module", "-e", script], project), "true E_USAGE\n");
});

test("its types serve a strict project that checks libraries, too", () => {
  writeFileSync(
    join(project, "use.ts"),
    `import { type EmbedRequest, Janus, JanusError, type Tensor, toSafetensors, toTorch } from "janus-wasm";
    import { Janus as Same } from "janus-wasm/static";
    import { PrepareInputsEmbedsSession } from "janus-wasm/transformers";
    class HostTensor { constructor(readonly type: string, readonly data: Float32Array, readonly dims: number[]) {} }
    const request: EmbedRequest = { question: "What is in the image?", images: ["a.png"] };
    try {
      const janus: Janus = await Janus.load("model", { dtype: "auto", threads: 2 });
      const out = await janus.embed(request);
      const { inputsEmbeds }: { inputsEmbeds: Tensor<"float32"> } = out;
      const [file] = toTorch(out, { dtype: "bf16" });
      const whole: Uint8Array = toSafetensors({ embeds: inputsEmbeds }).toBytes();
      console.log(new Blob([...(file ?? [])]).size, whole.length);
      const data: Float32Array = inputsEmbeds.data;
      console.log(data.length);
      const session = new PrepareInputsEmbedsSession(janus, { Tensor: HostTensor });
      const tensor = (dims: number[]) => ({ type: "bool", dims, data: new Uint8Array(0) });
      const masks = { images_seq_mask: tensor([1, 0]), images_emb_mask: tensor([1, 0, 0]) };
      const { inputs_embeds } = await session.run({ input_ids: tensor([1, 0]), pixel_values: tensor([0]), ...masks });
      console.log(inputs_embeds.dims);
      await janus.dispose();
      await (await Same.load("model")).dispose();
    } catch (error) {
      if (error instanceof JanusError) console.log(error.code);
    }
    // @ts-expect-error: what the types refuse is refused
    await Janus.load("model", { threads: "two" });`,
  );
  const strict = ["--noEmit", "--strict", "--target", "es2022", "--skipLibCheck", "false"];
  for (const resolution of [
    ["--module", "nodenext"],
    ["--module", "esnext", "--moduleResolution", "bundler"],
  ]) {
    run(process.execPath, [`${ROOT}node_modules/typescript/bin/tsc`, ...strict, ...resolution, "use.ts"], project);
  }
});

test.run();
