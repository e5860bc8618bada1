/**
 * A contender in a page: a Chromium of its own with a new profile, driven from this process, which speaks as every contender's process does. Files come over HTTP from loopback, weights by ranges.
 * Timed in the page, so that no message to it is in a figure.
 */
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { dirname, relative } from "node:path";
import type * as Library from "#dist/entry/browser/index.js";
import { createDemoServer } from "../../examples/browser/serve.mjs";
import { type Page, withChromium } from "../../test/support/chromium.js";
import { ROOT } from "../../test/support/paths.js";
import type { Answer, Ask } from "../model/protocol.js";
import { PEERS } from "../peers/installed.js";

export interface PageOptions {
  readonly contender: "janus-wasm" | "onnxruntime-web";
  /** The folder that the rest lies in. */
  readonly cache: string;
  /** Below it: a checkpoint's folder, or a graph. */
  readonly model: string;
  readonly dtype: "auto" | "fp32" | "int8";
  readonly threads: number;
  readonly imageSize: number;
}

/** What a page holds between two asks. */
interface Loaded {
  readonly about: Readonly<Record<string, unknown>>;
  run(pixels: Float32Array): Promise<Float32Array>;
}
type Scope = { contender?: Loaded };

let options: PageOptions | undefined;
const gone = new Promise<void>((resolve) => process.once("disconnect", () => resolve()));

process.once("message", (first: Ask<PageOptions>) => {
  void serve(first).catch((error: unknown) => process.send?.(failed(error)));
});

async function serve(first: Ask<PageOptions>): Promise<void> {
  if (first.kind !== "load") throw new Error("asked to run before it was loaded");
  options = first.options;
  const server = createDemoServer({
    root: ROOT,
    folders: {
      "/bench/": `${ROOT}bench/browser/`,
      "/cache/": `${options.cache}/`,
      "/ort/": `${dirname(PEERS)}/node_modules/onnxruntime-web/dist/`,
    },
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await withChromium(async (context) => {
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${port}/bench/`);
      const answer = async (ask: Ask<PageOptions>): Promise<void> => {
        const message = await (ask.kind === "load" ? load(page, ask.options) : run(page, ask)).catch(failed);
        if (process.connected) process.send?.(message);
      };
      process.on("message", (ask: Ask<PageOptions>) => void answer(ask));
      await answer(first);
      await gone;
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function load(page: Page, options: PageOptions): Promise<Answer> {
  const work = options.contender === "janus-wasm" ? loadJanus : loadPeer;
  const { ms, about } = await page.evaluate(work, options);
  return { kind: "done", ms, about, peakBytes: rendererPeak() };
}

async function loadJanus({
  model,
  dtype,
  threads,
  imageSize,
}: PageOptions): Promise<{ ms: number; about: Loaded["about"] }> {
  const started = performance.now();
  const library = "/dist/entry/browser/index.js";
  const { Janus }: typeof Library = await import(library);
  const janus = await Janus.load(`/cache/${model}`, { dtype, threads, store: false });
  const { variant, tile } = janus.runtime;
  const about = { name: "janus-wasm", variant, tile };
  (globalThis as Scope).contender = {
    about,
    async run(data) {
      const dims = [1, 3, imageSize, imageSize];
      return (
        await janus.project(await janus.encode({ type: "float32", dims, data: data as Float32Array<ArrayBuffer> }))
      ).data;
    },
  };
  return { ms: performance.now() - started, about };
}

async function loadPeer({ model, threads, imageSize }: PageOptions): Promise<{ ms: number; about: Loaded["about"] }> {
  const started = performance.now();
  const library = "/ort/ort.wasm.min.mjs";
  const { env, InferenceSession, Tensor } = await import(library);
  env.wasm.numThreads = threads;
  env.wasm.wasmPaths = "/ort/";
  const session = await InferenceSession.create(`/cache/${model}`, { executionProviders: ["wasm"] });
  const about = { name: "onnxruntime-web", version: env.versions.web };
  (globalThis as Scope).contender = {
    about,
    async run(data) {
      const { image_embeds } = await session.run({
        pixel_values: new Tensor("float32", data, [1, 3, imageSize, imageSize]),
      });
      return image_embeds.data;
    },
  };
  return { ms: performance.now() - started, about };
}

async function run(page: Page, ask: Extract<Ask<PageOptions>, { kind: "run" }>): Promise<Answer> {
  if (ask.images !== 1) throw new Error(`a page takes one picture at a time, got ${ask.images}`);
  const pixels = `/cache/${relative(options?.cache ?? "", ask.pixels)}`;
  const { ms, about, embeds } = await page.evaluate(
    async ({ pixels, wanted }) => {
      const { contender } = globalThis as Scope;
      if (!contender) throw new Error("asked to run before it was loaded");
      const data = new Float32Array(await (await fetch(pixels)).arrayBuffer());
      const started = performance.now();
      const out = await contender.run(data);
      const ms = performance.now() - started;
      if (!wanted) return { ms, about: contender.about, embeds: "" };
      const reader = new FileReader();
      const embeds = await new Promise<string>((resolve) => {
        reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
        reader.readAsDataURL(new Blob([Float32Array.from(out)]));
      });
      return { ms, about: contender.about, embeds };
    },
    { pixels, wanted: ask.output !== undefined },
  );
  if (ask.output) await writeFile(ask.output, Buffer.from(embeds, "base64"));
  return { kind: "done", ms, about, peakBytes: rendererPeak() };
}

/** The most memory that the page's renderer has had resident: the largest of this process's descendants that are one. */
function rendererPeak(): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = /PPid:\s+(\d+)/.exec(proc(`${name}/status`))?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const isOurs = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === process.pid || isOurs(parents.get(pid)));
  return [...parents.keys()]
    .filter((pid) => isOurs(pid) && proc(`${pid}/cmdline`).includes("--type=renderer"))
    .reduce((most, pid) => Math.max(most, 1024 * Number(/VmHWM:\s+(\d+)/.exec(proc(`${pid}/status`))?.[1] ?? 0)), 0);
}

/** Empty for a process that has just ended. */
function proc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}

function failed(error: unknown): Answer {
  return { kind: "failed", why: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
