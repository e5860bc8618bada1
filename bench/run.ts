/**
 * `npm run bench`: this package's kernels and its full-size model, each verified before it is timed, the model in turn with the peers of
 * `bench/peers`. `--help` lists what can be left out. Figures compare within one run only; ratios last.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { findEngines, type NodeEngine } from "./engines.js";
import { timeKernels } from "./kernels/kernels.js";
import { describeMachine, describePackage } from "./machine.js";
import { timeColdStart } from "./model/cold-start.js";
import { CACHE, prepareFullSize } from "./model/full-size.js";
import { timeLoad } from "./model/load.js";
import { timePhases } from "./model/phases.js";
import { raceModel } from "./model/race.js";
import { peersInstalled } from "./peers/installed.js";
import { appendHistory, compareWithHistory, HISTORY, readHistory, recordsOf } from "./report/history.js";
import { comparisonLines, kernelLines, loadLines, modelLines, phaseLines, startLines } from "./report/lines.js";
import { writeReport } from "./report/readme.js";
import { LOCAL_RESULTS, newestResults, RESULTS, type Results, writeResults } from "./report/results.js";

const PARTS = ["kernels", "model", "load", "start", "phases"] as const;
type Part = (typeof PARTS)[number];

interface Options {
  readonly quick?: boolean;
  readonly only?: Part[];
  readonly engine?: string[];
  readonly threads?: number[];
  readonly samples: number;
  readonly cache: string;
  readonly compare?: boolean;
  readonly record?: boolean;
  readonly report?: boolean;
  readonly tolerance: number;
}

const program = new Command("npm run bench --")
  .description("verifies and times kernels and the full-size model, and writes bench/results/local/<date>-<cpu>.json")
  .option("--quick", "correctness of what is timed, one sample of each: within two minutes")
  .option("--only <parts>", `some of ${PARTS.join(",")}`, list(part))
  .option("--engine <names>", "some of the engines found, as 24,20", list(String))
  .option("--threads <numbers>", "instead of 1,2", list(count))
  .option("--samples <number>", "timed runs of each contender", count, 5)
  .option("--cache <folder>", "where the full-size checkpoint and graph are kept", CACHE)
  .option("--compare", "nothing is run: holds the newest results against the last record; exit 1 when a ratio is worse")
  .option("--tolerance <percent>", "how much worse is worse", percentage, 5)
  .option(
    "--record",
    "nothing is run: adds the newest complete results to bench/results and their ratios to its history",
  )
  .option("--report", "nothing is run: writes the README's tables and plot from the newest results in bench/results")
  .action(async (options: Options) => {
    const asked = [options.compare && compare, options.record && record, options.report && report].filter((it) => !!it);
    for (const work of asked) work(options);
    if (asked.length === 0) await bench(options);
  });
await program.parseAsync();

async function bench(options: Options): Promise<void> {
  const { quick = false, only, cache } = options;
  const machine = describeMachine();
  const engines = findEngines().filter(({ name }) => options.engine?.includes(name.replace("node ", "")) ?? true);
  const threadCounts = options.threads ?? (quick ? [2] : [1, 2]);
  const wants = (part: Part): boolean => only?.includes(part) ?? true;
  console.log([machine.cpu, machine.microarchitecture, `${machine.cores} cores`, ...machine.features].join(", "));
  if (quick) console.log("--quick: what is timed is verified, one sample is taken: the figures say little");
  const results: { -readonly [Key in keyof Results]: Results[Key] } = {
    date: new Date().toISOString(),
    quick,
    complete: false,
    machine,
    package: describePackage(),
    kernels: [],
    model: [],
    load: [],
    coldStart: [],
    phases: [],
  };
  // After every part: half an hour of figures is not lost with the last of them.
  const save = (): string => writeResults(LOCAL_RESULTS, results);

  if (wants("kernels")) {
    const input = quick
      ? { minTime: 0.001, minSamples: 3, maxTime: 0.01, everyTile: false }
      : { minTime: 0.005, minSamples: 20, maxTime: 0.5, everyTile: true };
    for (const engine of engines) {
      for (const flags of quick && engine !== engines[0] ? [[]] : flagSets(engine)) {
        const timed = await timeKernels(engine, flags, input);
        results.kernels = [...results.kernels, ...timed];
        save();
        print(kernelLines(timed));
      }
    }
  }

  if (wants("start")) {
    for (const engine of engines) {
      const timed = await timeColdStart(engine, quick ? 2 : 20);
      results.coldStart = [...results.coldStart, timed];
      save();
      print(startLines([timed]));
    }
  }

  if (wants("model") || wants("load") || wants("phases")) {
    const peers = wants("model") && withPeers();
    const full = await prepareFullSize(cache, peers, peers && !quick);
    for (const engine of engines) {
      for (const threads of threadCounts) {
        const newest = engine === engines[0];
        if (wants("model") && (newest || !quick)) {
          const timed = await raceModel(full, engine, threads, {
            samples: quick ? 0 : options.samples,
            eights: newest && !quick && threads === Math.max(...threadCounts) ? 3 : 0,
            quick,
            peers: newest ? ["onnxruntime-web", "onnxruntime-node"] : ["onnxruntime-web"],
          });
          results.model = [...results.model, ...timed];
          save();
          print(modelLines(timed));
        }
        if (wants("load")) {
          for (const dtype of quick ? (["int8"] as const) : (["auto", "fp32", "int8"] as const)) {
            const checkpoint = dtype === "int8" ? full.packed : full.checkpoint;
            const timed = await timeLoad(checkpoint, engine, dtype, threads, quick ? 1 : 5);
            results.load = [...results.load, timed];
            save();
            print(loadLines([timed]));
          }
        }
        if (wants("phases") && (newest || !quick)) {
          for (const dtype of quick ? (["auto"] as const) : (["auto", "int8"] as const)) {
            for (const engineFlags of engine.flag && !quick ? (["none", "auto"] as const) : (["none"] as const)) {
              const timed = await timePhases(full, engine, dtype, engineFlags, threads, quick ? 0 : 3);
              results.phases = [...results.phases, timed];
              save();
              print(phaseLines([timed]));
            }
          }
        }
      }
    }
  }
  const whole = !quick && !only && !options.engine && !options.threads && options.samples >= 5;
  // What is recorded is compared with peers.
  results.complete = whole && results.model.some(({ contender }) => contender !== "janus-wasm");
  console.log(`written to ${save()}`);
}

function compare({ tolerance }: Options): void {
  const results = newestResults(LOCAL_RESULTS, ({ quick }) => !quick);
  if (!results) throw new Error("nothing to compare: expected `npm run bench`, not --quick, before this");
  const compared = compareWithHistory(recordsOf(results), readHistory(), tolerance / 100);
  print(comparisonLines(compared));
  const worse = compared.comparisons.filter((comparison) => comparison.worse).length;
  console.log(`${compared.comparisons.length} ratios compared, ${worse} worse by more than ${tolerance} %`);
  if (worse > 0) process.exitCode = 1;
}

function record(): void {
  const results = newestResults(LOCAL_RESULTS, ({ complete }) => complete);
  if (!results) throw new Error("nothing to record: expected a complete `npm run bench`, with peers, before this");
  appendHistory(recordsOf(results));
  console.log(`${writeResults(RESULTS, results)} and ${HISTORY} written`);
}

function report(): void {
  const results = newestResults(RESULTS);
  if (!results) throw new Error("bench/results holds no results: expected `npm run bench -- --record` before this");
  writeReport(results);
}

function flagSets({ flag }: NodeEngine): string[][] {
  return flag === undefined ? [[]] : [[], [flag]];
}

/** Whether the peers take part: on a developer's machine only where they were installed, in CI always. */
function withPeers(): boolean {
  if (peersInstalled()) return true;
  if (process.env["CI"] !== "true") {
    console.log("no peers: `npm ci --prefix bench/peers --ignore-scripts` installs them");
    return false;
  }
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const { status } = spawnSync("npm", ["ci", "--prefix", "bench/peers", "--ignore-scripts"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("the peers could not be installed");
  return true;
}

function print(lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}

function list<T>(item: (text: string) => T): (text: string) => T[] {
  return (text) => text.split(",").map(item);
}

function part(text: string): Part {
  const found = PARTS.find((name) => name === text);
  if (!found) throw new InvalidArgumentError(`expected some of ${PARTS.join(",")}`);
  return found;
}

function percentage(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number < 100)) throw new InvalidArgumentError("expected a number between 0 and 100");
  return number;
}

function count(text: string): number {
  const number = Number(text);
  if (!(Number.isInteger(number) && number >= 1))
    throw new InvalidArgumentError("expected a whole number of at least 1");
  return number;
}
