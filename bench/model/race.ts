import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeEngine } from "../engines.js";
import type { ModelResult, Setting } from "../report/results.js";
import { samples } from "../report/results.js";
import { ContenderProcess, type Done } from "./contender.js";
import { type FullSize, IMAGE_SIZE } from "./full-size.js";
import { verifyEmbeds } from "./verify.js";

export interface RaceOptions {
  /** Timed runs of each contender on one picture, after the one that is verified; 0 takes the time of that one. */
  readonly samples: number;
  /** Timed runs on eight pictures in one call, and in turn on the same in eight calls, of this package in bf16. */
  readonly eights: number;
  /** Each storage and each state of the flags once instead of all four pairs, and one process at a time: less memory, nothing interleaved. */
  readonly quick: boolean;
  /** onnxruntime-web, which every engine runs, and onnxruntime-node, which is the same under all. */
  readonly peers: readonly ("onnxruntime-web" | "onnxruntime-node")[];
}

export interface Entry {
  readonly contender: ModelResult["contender"];
  readonly dtype: ModelResult["dtype"];
  readonly program: URL;
  readonly options: object;
  /** What it runs on, where that is not the engine of its process. */
  readonly setting?: Setting;
}

export const JANUS = new URL("./janus-process.js", import.meta.url);
const PEER = new URL("../peers/process.js", import.meta.url);
const EIGHT = 8;

/**
 * Times encode and project of one picture on one engine with one number of threads: this package in bf16, f32 and int8, with the engine's flags and
 * without, and the peers in f32 and int8. All of them lie in memory together (13 GB at most) and take turns, so that whatever the machine does meanwhile it
 * does to all. Nothing is timed before its embeddings are verified.
 */
export async function raceModel(
  full: FullSize,
  engine: NodeEngine,
  threads: number,
  options: RaceOptions,
): Promise<ModelResult[]> {
  const entries = [...ownEntries(full, engine, threads, options.quick), ...peerEntries(full, threads, options.peers)];
  const groups = options.quick ? entries.map((entry) => [entry]) : [entries];
  const results: ModelResult[] = [];
  for (const group of groups) results.push(...(await raceGroup(group, full, engine, threads, options)));
  return results;
}

function ownEntries({ checkpoint }: FullSize, engine: NodeEngine, threads: number, quick: boolean): Entry[] {
  const flags = engine.flag ? (["none", "auto"] as const) : (["none"] as const);
  return flags.flatMap((engineFlags) => {
    const dtypes = quick
      ? engineFlags === "none"
        ? (["auto", "int8"] as const)
        : (["fp32"] as const)
      : (["auto", "fp32", "int8"] as const);
    return dtypes.map(
      (dtype): Entry => ({
        contender: "janus-wasm",
        dtype: dtype === "auto" ? "bf16" : dtype,
        program: JANUS,
        options: { model: checkpoint, dtype, threads, engineFlags },
      }),
    );
  });
}

function peerEntries({ graph, graphInt8 }: FullSize, threads: number, peers: RaceOptions["peers"]): Entry[] {
  const graphs = [
    ["fp32", graph],
    ["int8", graphInt8],
  ] as const;
  return peers.flatMap((contender) =>
    graphs.flatMap(([dtype, graph]) =>
      graph === undefined
        ? []
        : [
            {
              contender,
              dtype,
              program: PEER,
              options: { package: contender, graph, dtype, threads, imageSize: IMAGE_SIZE },
            },
          ],
    ),
  );
}

interface Runner {
  readonly entry: Entry;
  readonly process: ContenderProcess;
  loadMs: number;
  distance: number;
  readonly one: number[];
  readonly eight: number[];
  readonly eightCalls: number[];
  last: Done;
}

/** Contenders that lie in memory together and take turns. */
export async function raceGroup(
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
      const runner: Runner = { entry, process, loadMs: last.ms, distance: 0, one: [], eight: [], eightCalls: [], last };
      runners.push(runner);
      runner.last = await process.run({ pixels: full.one, images: 1, output });
      runner.distance = await verifyEmbeds(name, output, 1, entry.dtype);
      if (options.samples === 0) runner.one.push(runner.last.ms);
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
      for (const { entry, process, eight, eightCalls } of runners) {
        if (entry.contender !== "janus-wasm" || entry.dtype !== "bf16") continue;
        const first = round === 0;
        const { ms } = await process.run({ pixels: full.eight, images: EIGHT, ...(first && { output }) });
        if (first) await verifyEmbeds(process.name, output, EIGHT, entry.dtype);
        eight.push(ms);
        let calls = 0;
        for (let n = 0; n < EIGHT; n++) calls += (await process.run({ pixels: full.one, images: 1 })).ms;
        eightCalls.push(calls);
      }
    }
    return results.map(({ runner, peakBytes }) => resultOf(runner, engine, threads, peakBytes));
  } finally {
    await Promise.all(runners.map(({ process }) => process.end()));
    rmSync(output, { force: true });
  }
}

function resultOf(runner: Runner, engine: NodeEngine, threads: number, peakBytes: number): ModelResult {
  const { entry, one, eight, eightCalls, distance, loadMs, last } = runner;
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
    ...entry.setting,
    ...(variant !== undefined && { variant }),
    ...(tile !== undefined && { tile }),
    dtype: entry.dtype,
    threads,
    distance,
    one: samples(one),
    ...(eight.length > 0 && { eight: samples(eight), eightCalls: samples(eightCalls) }),
    loadMs,
    peakBytes,
  };
}
