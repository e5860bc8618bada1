/**
 * `npm run bench:browser`: the full-size model in Debian's Chromium, headless, in turn with onnxruntime-web in the same browser and with Node without engine flags, each
 * contender verified before it is timed and in a browser of its own. Writes bench/results/local/<date>-<cpu>-browser.json.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { chromiumInstalled, withChromium } from "../../test/support/chromium.js";
import { findEngines } from "../engines.js";
import { describeMachine, describePackage } from "../machine.js";
import { CACHE, type FullSize, IMAGE_SIZE, prepareFullSize } from "../model/full-size.js";
import { type Entry, JANUS, raceGroup } from "../model/race.js";
import { peersInstalled } from "../peers/installed.js";
import { modelLines } from "../report/lines.js";
import { fileName, LOCAL_RESULTS, type ModelResult, type Results, type Setting, sameKind } from "../report/results.js";
import type { PageOptions } from "./page-process.js";

const PAGE = new URL("./page-process.js", import.meta.url);
const DTYPES = ["auto", "fp32", "int8"] as const;

const program = new Command("npm run bench:browser --")
  .option("--quick", "one verified run of each, one at a time: less memory, and figures that say little")
  .option("--threads <numbers>", "instead of 1,2", (text: string) => text.split(",").map(Number), [1, 2])
  .option("--samples <number>", "timed runs of each contender", Number, 5)
  .option("--cache <folder>", "where the full-size checkpoint and graphs are kept", CACHE)
  .parse();
interface Options {
  readonly quick?: boolean;
  readonly threads: readonly number[];
  readonly samples: number;
  readonly cache: string;
}
const { quick = false, threads: threadCounts, samples, cache } = program.opts<Options>();

if (!chromiumInstalled()) process.exit(1);
const peers = peersInstalled();
const [engine] = findEngines();
if (!engine) throw new Error("no Node was found");
const full = await prepareFullSize(cache, peers, peers);
const browser = await browserSetting();
const model: ModelResult[] = [];
for (const threads of threadCounts) {
  const entries = [...pageEntries(full, browser, threads), ...nodeEntries(full, threads)];
  const groups = quick ? entries.map((entry) => [entry]) : [entries];
  for (const group of groups) {
    const timed = await raceGroup(group, full, engine, threads, {
      samples: quick ? 0 : samples,
      eights: 0,
      quick,
      peers: [],
    });
    model.push(...timed);
    for (const line of modelLines(timed)) console.log(line);
  }
}
for (const line of ratios(model)) console.log(line);

const results: Results = {
  date: new Date().toISOString(),
  quick,
  complete: false,
  machine: describeMachine(),
  package: describePackage(),
  kernels: [],
  model,
  load: [],
  coldStart: [],
  phases: [],
};
mkdirSync(LOCAL_RESULTS, { recursive: true });
const path = join(LOCAL_RESULTS, fileName(results).replace(".json", "-browser.json"));
writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
console.log(`written to ${path}`);

function pageEntries({ graph, graphInt8 }: FullSize, setting: Setting, threads: number): Entry[] {
  const page = (dtype: ModelResult["dtype"], options: Omit<PageOptions, "cache" | "threads" | "imageSize">): Entry => ({
    contender: options.contender,
    dtype,
    program: PAGE,
    options: { ...options, cache, threads, imageSize: IMAGE_SIZE },
    setting,
  });
  return [
    ...DTYPES.map((dtype) =>
      page(dtype === "auto" ? "bf16" : dtype, { contender: "janus-wasm", model: "full", dtype }),
    ),
    ...(graph === undefined ? [] : [page("fp32", { contender: "onnxruntime-web", model: "full.onnx", dtype: "fp32" })]),
    ...(graphInt8 === undefined
      ? []
      : [page("int8", { contender: "onnxruntime-web", model: "full-int8.onnx", dtype: "int8" })]),
  ];
}

function nodeEntries({ checkpoint }: FullSize, threads: number): Entry[] {
  return DTYPES.map((dtype) => ({
    contender: "janus-wasm",
    dtype: dtype === "auto" ? "bf16" : dtype,
    program: JANUS,
    options: { model: checkpoint, dtype, threads, engineFlags: "none" },
  }));
}

async function browserSetting(): Promise<Setting> {
  const agent = await withChromium(async (context) => {
    const page = await context.newPage();
    return page.evaluate(() => navigator.userAgent, undefined);
  });
  const version = /Chrome\/([\d.]+)/.exec(agent)?.[1] ?? agent;
  // V8's version is Chromium's: 15.6 of 156.
  return { engine: `chromium ${version.split(".")[0]}`, version, v8: `of Chromium ${version}`, flags: [] };
}

/** Each of ours in the browser to Node, and to the peer in the same browser, at the same threads. */
function ratios(results: readonly ModelResult[]): string[] {
  const inBrowser = results.filter(({ engine }) => engine.startsWith("chromium"));
  return inBrowser
    .filter(({ contender }) => contender === "janus-wasm")
    .map((ours) => {
      const same = (other: ModelResult): boolean => other.threads === ours.threads;
      const node = results.find((it) => same(it) && it.engine.startsWith("node") && it.dtype === ours.dtype);
      const peer = inBrowser.find((it) => same(it) && it.contender === "onnxruntime-web" && sameKind(it, ours));
      const parts = [
        node && `${(ours.one.min / node.one.min).toFixed(3)}x the time of ${node.engine}`,
        peer && `${(peer.one.min / ours.one.min).toFixed(2)}x as fast as onnxruntime-web`,
      ];
      return `${ours.engine}, ${ours.dtype}, ${ours.threads} threads: ${parts.filter(Boolean).join(", ")}`;
    });
}
