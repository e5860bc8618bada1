import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeEngine } from "../engines.js";
import type { ModelResult } from "../report/results.js";
import { samples } from "../report/results.js";
import { ContenderProcess, type Done } from "./contender.js";
import { type FullSize, IMAGE_SIZE } from "./full-size.js";
import { verifyEmbeds } from "./verify.js";

export interface RaceOptions {
  /** Timed runs of each contender on one picture; the one that is verified comes before. */
  readonly samples: number;
  /** Timed runs on eight pictures in one call. */
  readonly eights: number;
  /** One contender's process at a time, which takes less memory: its runs are not interleaved with those of the others. */
  readonly alone: boolean;
}

interface Entry {
  readonly contender: ModelResult["contender"];
  readonly dtype: ModelResult["dtype"];
  readonly program: URL;
  readonly options: object;
}

const JANUS = new URL("./janus-process.js", import.meta.url);
const PEER = new URL("../peers/process.js", import.meta.url);
const EIGHT = 8;

/**
 * Times encode and project of one picture on one engine with one number of threads: this package in bf16 and f32, with the engine's flags and
 * without, and the peers, native onnxruntime on the newest engine only. All of them lie in memory together (10.4 GB at most) and take turns, so
 * that whatever the machine does meanwhile it does to all. Nothing is timed before its embeddings are verified.
 */
export async function raceModel(
  full: FullSize,
  engine: NodeEngine,
  threads: number,
  newest: boolean,
  options: RaceOptions,
): Promise<ModelResult[]> {
  const entries = entriesOf(full, engine, threads, newest);
  const groups = options.alone ? entries.map((entry) => [entry]) : [entries];
  const results: ModelResult[] = [];
  for (const group of groups) results.push(...(await raceGroup(group, full, engine, threads, options)));
  return results;
}

function entriesOf({ checkpoint, graph }: FullSize, engine: NodeEngine, threads: number, newest: boolean): Entry[] {
  const flags = engine.flag ? (["none", "auto"] as const) : (["none"] as const);
  const ours = flags.flatMap((engineFlags) =>
    (["auto", "fp32"] as const).map(
      (dtype): Entry => ({
        contender: "janus-wasm",
        dtype: dtype === "auto" ? "bf16" : "fp32",
        program: JANUS,
        options: { model: checkpoint, dtype, threads, engineFlags },
      }),
    ),
  );
  if (graph === undefined) return ours;
  const names = newest ? (["onnxruntime-web", "onnxruntime-node"] as const) : (["onnxruntime-web"] as const);
  const peers = names.map(
    (contender): Entry => ({
      contender,
      dtype: "fp32",
      program: PEER,
      options: { package: contender, graph, threads, imageSize: IMAGE_SIZE },
    }),
  );
  return [...ours, ...peers];
}

interface Runner {
  readonly entry: Entry;
  readonly process: ContenderProcess;
  loadMs: number;
  distance: number;
  readonly one: number[];
  readonly eight: number[];
  last: Done;
}

async function raceGroup(
  entries: readonly Entry[],
  full: FullSize,
  engine: NodeEngine,
  threads: number,
  options: RaceOptions,
): Promise<ModelResult[]> {
  const runners: Runner[] = [];
  const output = join(tmpdir(), `janus-bench-${process.pid}.f32`);
  try {
    for (const entry of entries) {
      const name = [entry.contender, entry.dtype, engine.name, `${threads} threads`].join(", ");
      const process = new ContenderProcess(name, entry.program, engine.binary);
      const last = await process.load(entry.options).catch(async (error: unknown) => {
        await process.end();
        throw error;
      });
      const runner: Runner = { entry, process, loadMs: last.ms, distance: 0, one: [], eight: [], last };
      runners.push(runner);
      await process.run({ pixels: full.one, images: 1, output });
      runner.distance = await verifyEmbeds(name, output, 1);
    }
    for (let round = 0; round < options.samples; round++) {
      for (const runner of runners) {
        runner.last = await runner.process.run({ pixels: full.one, images: 1 });
        runner.one.push(runner.last.ms);
      }
    }
    // The peak of one picture: eight need room for eight results.
    const results = runners.map((runner) => ({ runner, peakBytes: runner.last.peakBytes }));
    for (let round = 0; round < options.eights; round++) {
      for (const { entry, process, eight } of runners) {
        if (entry.contender !== "janus-wasm") continue;
        const last = round === 0;
        const { ms } = await process.run({ pixels: full.eight, images: EIGHT, ...(last && { output }) });
        if (last) await verifyEmbeds(process.name, output, EIGHT);
        eight.push(ms);
      }
    }
    return results.map(({ runner, peakBytes }) => resultOf(runner, engine, threads, peakBytes));
  } finally {
    await Promise.all(runners.map(({ process }) => process.end()));
    rmSync(output, { force: true });
  }
}

function resultOf(runner: Runner, engine: NodeEngine, threads: number, peakBytes: number): ModelResult {
  const { entry, one, eight, distance, loadMs, last } = runner;
  const { variant, tile, engineFlags, version } = last.about as {
    variant?: string;
    tile?: string;
    engineFlags?: string[];
    version?: string;
  };
  return {
    contender: entry.contender,
    contenderVersion: version ?? "",
    engine: engine.name,
    version: engine.version,
    v8: engine.v8,
    flags: engineFlags ?? [],
    ...(variant !== undefined && { variant }),
    ...(tile !== undefined && { tile }),
    dtype: entry.dtype,
    threads,
    distance,
    one: samples(one),
    ...(eight.length > 0 && { eight: samples(eight) }),
    loadMs,
    peakBytes,
  };
}
