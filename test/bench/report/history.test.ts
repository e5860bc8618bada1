import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compareWithHistory, type RatioRecord, recordsOf } from "../../../bench/report/history.js";
import type { KernelResult, ModelResult, Results } from "../../../bench/report/results.js";

const test = suite("history");

const SETTING = { engine: "node 24", version: "24.0.0", v8: "13", flags: [] as string[] };
const samples = (min: number) => ({ min, median: min, count: 5 });

function model(contender: ModelResult["contender"], threads: number, ms: number, eight?: number): ModelResult {
  return {
    ...SETTING,
    contender,
    contenderVersion: "1",
    ...(contender === "janus-wasm" && { variant: threads > 1 ? "relaxed-threads" : "relaxed", tile: "6x8" }),
    dtype: "fp32",
    threads,
    distance: 1e-6,
    one: samples(ms),
    ...(eight && { eight: samples(eight), eightCalls: samples(1.1 * eight) }),
    loadMs: 1,
    peakBytes: 1,
  };
}

function kernel(tile: string, ofPeak: number): KernelResult {
  const about = { variant: "relaxed", threads: 1, kernel: "gemm", shape: "proj", storage: "f32", tile } as const;
  return { ...SETTING, ...about, unit: "GFLOP/s", rate: 60 * ofPeak, median: 1, count: 9, ofPeak };
}

const RUN: Results = {
  date: "2026-01-02T03:04:05.000Z",
  quick: false,
  complete: true,
  machine: { cpu: "c", microarchitecture: "Zen 4", features: [], cores: 2, memoryBytes: 1, platform: "linux x64" },
  package: { version: "1.0.0", commit: "abc", modified: false },
  kernels: [kernel("6x8", 0.9), kernel("4x8", 0.7)],
  model: [
    model("janus-wasm", 1, 400),
    model("onnxruntime-web", 1, 1200),
    model("janus-wasm", 2, 200, 1500),
    model("onnxruntime-web", 2, 500),
    model("onnxruntime-node", 2, 210),
  ],
  load: [
    {
      ...SETTING,
      dtype: "bf16",
      threads: 2,
      read: samples(300),
      reread: samples(50),
      load: samples(400),
      peakBytes: 1,
      weightBytes: 1,
    },
  ],
  coldStart: [],
  phases: [],
};

test("a run's ratios: the fastest tile, peers at the same threads, one thread to two, eight pictures, loading", () => {
  const records = recordsOf(RUN);
  assert.equal(
    records.map(({ variant, threads, ratios }) => ({ variant, threads, ratios })),
    [
      { variant: "relaxed", threads: 1, ratios: { "gemm proj f32 of the peak": 0.9, "fp32 to onnxruntime-web": 3 } },
      {
        variant: "relaxed-threads",
        threads: 2,
        ratios: {
          "fp32 to onnxruntime-web": 2.5,
          "fp32 to onnxruntime-node": 1.05,
          "fp32 to one thread": 2,
          "fp32 eight in a call to eight calls": 1.1,
        },
      },
      { variant: "", threads: 2, ratios: { "bf16 reading to loading": 0.75 } },
    ],
  );
});

const record = (ratios: Record<string, number>, change: Partial<RatioRecord> = {}): RatioRecord => ({
  date: "",
  commit: "",
  machine: "Zen 4",
  engine: "node 24",
  flags: [],
  variant: "relaxed",
  threads: 1,
  ratios,
  ...change,
});

test("worse by more than the tolerance, and no less", () => {
  const history = [record({ a: 1, b: 1, c: 1 })];
  const { comparisons } = compareWithHistory([record({ a: 0.96, b: 0.94, c: 1.2 })], history, 0.05);
  assert.equal(
    comparisons.map(({ name, worse }) => [name, worse]),
    [
      ["a", false],
      ["b", true],
      ["c", false],
    ],
  );
});

test("a ratio that is not measured any more is worse; a new one is not", () => {
  const { comparisons } = compareWithHistory([record({ fresh: 1 })], [record({ gone: 1 })], 0.05);
  assert.equal(
    comparisons.map(({ name, now, worse }) => [name, now, worse]),
    [["gone", undefined, true]],
  );
});

test("the last record of the same machine, engine, flags, variant and threads, and no other", () => {
  const history = [
    record({ a: 9 }),
    record({ a: 1 }),
    record({ a: 9 }, { machine: "Zen 5" }),
    record({ a: 9 }, { engine: "node 20" }),
    record({ a: 9 }, { flags: ["--flag"] }),
    record({ a: 9 }, { variant: "simd" }),
    record({ a: 9 }, { threads: 2 }),
  ];
  const { comparisons, unknown } = compareWithHistory([record({ a: 1 })], history, 0.05);
  assert.is(comparisons.length, 1);
  assert.is(comparisons[0]?.before, 1);
  assert.equal(unknown, []);
  const other = compareWithHistory([record({ a: 1 }, { machine: "Zen 6" })], history, 0.05);
  assert.equal(other.comparisons, []);
  assert.is(other.unknown.length, 1);
});

test.run();
