/**
 * The package in a page, as its users get it there: packed by npm, put into an empty project, bundled by Vite (dev server and build) without configuration and by esbuild with the
 * line of the README that copies the files, and used in Debian's Chromium. And what publint and Are The Types Wrong say of the packed file.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Janus } from "#dist/entry/node/index.js";
import { chromiumInstalled, withChromium } from "../support/chromium.js";
import { temporaryFolder } from "../support/cli.js";
import { ROOT } from "../support/paths.js";

const test = suite("bundlers");

const TOOLS = `${ROOT}test/browser/node_modules/`;
const VITE = `${TOOLS}vite/bin/vite.js`;
const project = temporaryFolder();
const installed = join(project, "node_modules/janus-wasm");
const REQUEST = {
  question: "What is in the image?",
  images: [{ width: 2, height: 1, data: [250, 20, 20, 20, 20, 250] }],
};

/** What a page's own code would be; the answer goes to the document. */
const program = (options: string): string => `import { Janus } from "janus-wasm";
const model = await Janus.load(new URL("/model/", location.href), { variant: "simd", ...${options} });
const { question, images: [{ width, height, data }] } = ${JSON.stringify(REQUEST)};
const { inputsEmbeds } = await model.embed({ question, images: [{ width, height, data: Uint8Array.from(data) }] });
document.title = JSON.stringify({ threads: model.runtime.threads, embeds: Array.from(inputsEmbeds.data) });
await model.dispose();
`;

function run(file: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: "utf8" });
  assert.is(status, 0, `${file} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** What the page says, in the title, or the first error there. */
async function answerOf(url: string): Promise<{ readonly threads: number; readonly embeds: readonly number[] }> {
  return withChromium(async (context) => {
    const page = await context.newPage();
    const failed = new Promise<never>((_, reject) => page.on("pageerror", reject));
    await page.goto(url);
    const title = (): Promise<string> =>
      page.evaluate(async () => {
        for (let tick = 0; tick < 600 && !document.title.startsWith("{"); tick++)
          await new Promise((resolve) => setTimeout(resolve, 50));
        return document.title;
      }, undefined);
    // Vite's dev server loads a page again when it has found what the page imports.
    const settled = title().catch(title);
    return JSON.parse(await Promise.race([settled, failed]));
  });
}

let expected: readonly number[] = [];
let tarball = "";

test.before(async () => {
  const [{ filename }] = JSON.parse(
    run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", project], ROOT),
  );
  tarball = join(project, filename);
  mkdirSync(installed, { recursive: true });
  run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"], project);
  // What npm would install beside it.
  const { dependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  for (const name of Object.keys(dependencies)) {
    const link = join(project, "node_modules", name);
    mkdirSync(join(link, ".."), { recursive: true });
    symlinkSync(`${ROOT}node_modules/${name}`, link);
  }
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  writeFileSync(join(project, "index.html"), '<!doctype html><script type="module" src="/main.js"></script>');
  writeFileSync(join(project, "main.js"), program("{}"));
  cpSync(`${ROOT}models/demo`, join(project, "public/model"), { recursive: true });
  const model = await Janus.load(`${ROOT}models/demo`, { variant: "simd", threads: 1 });
  const images = REQUEST.images.map((picture) => ({ ...picture, data: Uint8Array.from(picture.data) }));
  expected = Array.from((await model.embed({ ...REQUEST, images })).inputsEmbeds.data);
  await model.dispose();
});

test("publint has nothing to say", async () => {
  const { publint } = await import(`${TOOLS}publint/src/index-node.js`);
  const { messages } = await publint({ pack: { tarball: readFileSync(tarball).buffer }, strict: true });
  assert.equal(messages, []);
});

test("the types are right for every way of resolving modules", () => {
  const attw = `${TOOLS}@arethetypeswrong/cli/dist/index.js`;
  run(
    process.execPath,
    [attw, tarball, "--profile", "esm-only", "--no-emoji", "--exclude-entrypoints", "./wasm/*"],
    project,
  );
});

test("Vite's build, without configuration", async () => {
  run(process.execPath, [VITE, "build"], project);
  await servedByVite(["preview"]);
});

test("Vite's dev server, without configuration", () => servedByVite([]));

/** Starts Vite with these arguments, opens its page, and compares what it computes. */
async function servedByVite(args: readonly string[]): Promise<void> {
  const vite = spawn(process.execPath, [VITE, ...args, "--port", "0", "--host", "127.0.0.1"], {
    cwd: project,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    assert.equal((await answerOf(await addressOf(vite))).embeds, expected);
  } finally {
    vite.kill();
  }
}

/** Where it says that it listens. */
function addressOf({ stdout }: ChildProcess): Promise<string> {
  let said = "";
  return new Promise((resolve, reject) => {
    stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const [, url] = /(http:\/\/127\.0\.0\.1:\d+\/)/.exec(stripColours(said)) ?? [];
      if (url !== undefined) resolve(url);
    });
    stdout?.on("end", () => reject(new Error(`Vite ended: ${said}`)));
  });
}

function stripColours(text: string): string {
  return text.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g"), "");
}

test("esbuild, and the files copied as the README says", async () => {
  const out = join(project, "out");
  mkdirSync(out);
  writeFileSync(join(project, "bundled.js"), program('{ assetsBase: new URL(".", import.meta.url) }'));
  run(`${ROOT}node_modules/.bin/esbuild`, ["bundled.js", "--bundle", "--format=esm", "--outdir=out"], project);
  const line = /^cp node_modules\/janus-wasm.*$/m.exec(readFileSync(`${ROOT}README.md`, "utf8"))?.[0];
  assert.ok(line, "the README has the line");
  run("bash", ["-c", line], project);
  writeFileSync(join(out, "index.html"), '<!doctype html><script type="module" src="/bundled.js"></script>');
  cpSync(join(project, "public/model"), join(out, "model"), { recursive: true });
  assert.ok(readdirSync(out).includes("worker.js"));
  await servedByVite(["preview", "--outDir", "out"]);
});

if (chromiumInstalled()) test.run();
