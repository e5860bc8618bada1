import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommanderError } from "commander";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compareCommand } from "#dist/cli/commands/compare.js";
import { compareFiles } from "#dist/cli/compare.js";
import { type Bounds, FLOAT32_BOUNDS } from "#dist/cli/difference.js";
import { encodeSafetensorsHeader } from "#dist/weights/safetensors.js";
import { golden, ROOT } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { inScratch } from "../../support/scratch.js";

const test = suite("cli/compare");

/** name -> dtype, shape, data. */
type Contents = Record<string, readonly [dtype: string, shape: readonly number[], data: ArrayBufferView]>;

const f32 = (shape: number[], ...values: number[]) => ["F32", shape, Float32Array.from(values)] as const;
const i64 = (...values: bigint[]) => ["I64", [values.length], BigInt64Array.from(values)] as const;
const bool = (...values: number[]) => ["BOOL", [values.length], Uint8Array.from(values)] as const;

function write(path: string, contents: Contents): string {
  const entries = Object.entries(contents);
  const header = encodeSafetensorsHeader(entries.map(([name, [dtype, shape]]) => ({ name, dtype, shape })));
  const data = entries.map(([, [, , view]]) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  writeFileSync(path, Buffer.concat([header, ...data]));
  return path;
}

/** Compares two made files: the verdict, and the report by the first word of its lines. */
function compare(actual: Contents, expected: Contents, options: { only?: string[]; bounds?: Partial<Bounds> } = {}) {
  return inScratch(async (folder) => {
    const lines: string[] = [];
    const same = await compareFiles(write(join(folder, "a"), actual), write(join(folder, "b"), expected), {
      bounds: { ...FLOAT32_BOUNDS, ...options.bounds },
      only: options.only,
      print: (line) => lines.push(line),
    });
    return { same, lines, report: Object.fromEntries(lines.map((line) => [line.split(" ")[0], line])) };
  });
}

test("equal files: each tensor on a line, in the order of names, and a sum", async () => {
  const contents: Contents = { x: f32([2, 2], 1, 2, 3, 4), ids: i64(1n, -2n), mask: bool(1, 0) };
  const { same, lines } = await compare(contents, contents);
  assert.ok(same);
  assert.equal(
    lines.map((line) => line.replace(/ +/g, " ")),
    [
      "ids equal",
      "mask equal",
      "x max|d| 0.000e+0 at 0 rel 0.000e+0 1-cos 0.000e+0 ok",
      "3 compared, 0 different or missing",
    ],
  );
});

test("floats: within and outside the default bounds", async () => {
  const expected = { x: f32([1, 2], 1, 1) };
  assert.ok((await compare({ x: f32([1, 2], 1 + 5e-6, 1 + 5e-6) }, expected)).same);
  const { same, report } = await compare({ x: f32([1, 2], 1 + 2e-5, 1 + 2e-5) }, expected);
  assert.not.ok(same);
  assert.match(report.x!, /max\|d\| 2\.0\d+e-5 at 0 +rel 2\.0\d+e-5 +1-cos \d.* DIFFERENT$/);
});

test("floats: a NaN in what was computed is a difference, and one in both as well", async () => {
  const wide = { maxRelative: 1e9, maxAbs: 1e9, minCosine: -1 };
  const expected = { x: f32([2], 1, 2) };
  const broken = { x: f32([2], 1, Number.NaN) };
  assert.ok((await compare({ x: f32([2], 5, 2) }, expected, { bounds: wide })).same);
  assert.not.ok((await compare(broken, expected, { bounds: wide })).same);
  const { same, report } = await compare(broken, broken, { bounds: wide });
  assert.not.ok(same);
  assert.match(report.x!, /1 not finite/);
});

test("floats of different widths are compared by value", async () => {
  const half = ["F16", [2], Uint16Array.of(0x3c00, 0xc000)] as const;
  const brain = ["BF16", [2], Uint16Array.of(0x3f80, 0xc000)] as const;
  const double = ["F64", [2], Float64Array.of(1, -2)] as const;
  for (const x of [half, brain, double]) {
    assert.ok((await compare({ x }, { x: f32([2], 1, -2) })).same);
    assert.not.ok((await compare({ x }, { x: f32([2], 1, -2.1) })).same);
  }
});

test("integers and bools must be equal; the report counts elements and names the first", async () => {
  const { same, report } = await compare(
    { ids: i64(1n, 2n, 2n ** 62n), mask: bool(1, 0), same: i64(7n) },
    { ids: i64(1n, 3n, -(2n ** 62n)), mask: bool(1, 1), same: i64(7n) },
  );
  assert.not.ok(same);
  assert.match(report.ids!, /DIFFERENT in 2 of 3 elements, first at 1$/);
  assert.match(report.mask!, /DIFFERENT in 1 of 2 elements, first at 1$/);
  assert.match(report.same!, /equal$/);
});

test("missing tensors, other shapes and other types are differences; what only A has is not", async () => {
  const { same, report } = await compare(
    { shape: f32([2, 1], 1, 2), type: i64(1n), kind: bool(1), extra: f32([1], 1) },
    { shape: f32([1, 2], 1, 2), type: f32([1], 1), kind: ["U8", [1], Uint8Array.of(1)], gone: f32([1], 1) },
  );
  assert.not.ok(same);
  assert.match(report.shape!, /SHAPE \[2, 1\] != \[1, 2\]$/);
  assert.match(report.type!, /DTYPE I64 != F32$/);
  assert.match(report.kind!, /DTYPE BOOL != U8$/);
  assert.match(report.gone!, /MISSING in ".*a"$/);
  assert.match(report["4"]!, /4 compared, 4 different or missing/);
  assert.ok((await compare({ x: f32([1], 1), extra: f32([1], 1) }, { x: f32([1], 1) })).same);
});

test("--only takes the named tensors, and one that neither file has is missing", async () => {
  const actual = { x: f32([1], 1), y: f32([1], 1) };
  const expected = { x: f32([1], 1), y: f32([1], 2) };
  assert.ok((await compare(actual, expected, { only: ["x"] })).same);
  assert.not.ok((await compare(actual, expected, { only: ["x", "y"] })).same);
  const { same, report } = await compare(actual, expected, { only: ["x", "z"] });
  assert.not.ok(same);
  assert.match(report.z!, /MISSING in ".*b"$/);
});

test("image_features is vision.norm where a file has only the other name", async () => {
  const one = f32([2], 1, 2);
  const two = f32([2], 3, 4);
  for (const [a, b] of [
    ["image_features", "vision.norm"],
    ["vision.norm", "image_features"],
  ] as const) {
    assert.ok((await compare({ [a]: one }, { [b]: one })).same);
    assert.not.ok((await compare({ [a]: one }, { [b]: two })).same);
    assert.ok((await compare({ [a]: one }, { [b]: one }, { only: [a] })).same);
    assert.ok((await compare({ [a]: two, [b]: one }, { [b]: one })).same);
  }
});

test("zero tensors, zero elements and scalars: nothing to compare is not equality", async () => {
  const nothing = await compare({ x: f32([1], 1) }, {});
  assert.not.ok(nothing.same);
  assert.match(nothing.lines[0]!, /^0 compared/);
  assert.ok((await compare({ x: f32([0, 4]) }, { x: f32([0, 4]) })).same);
  assert.ok((await compare({ x: f32([], 1) }, { x: f32([], 1) })).same);
  assert.not.ok((await compare({ x: f32([], 1) }, { x: f32([], 2) })).same);
});

test("tensors longer than a piece: rows that cross its end, and the index of a late difference", async () => {
  const count = 2 ** 20 + 3000;
  const values = Float32Array.from({ length: count }, (_, i) => (i % 17) - 8);
  const late = values.slice();
  late[count - 5]! += 100;
  const shape = [count / 8, 8];
  assert.ok((await compare({ x: ["F32", shape, values] }, { x: ["F32", shape, values] })).same);
  const { same, report } = await compare({ x: ["F32", shape, late] }, { x: ["F32", shape, values] });
  assert.not.ok(same);
  assert.match(report.x!, new RegExp(`max\\|d\\| 1\\.000e\\+2 at ${count - 5} `));
  const bytes = new Uint8Array(count);
  const lateByte = bytes.with(count - 2, 1);
  const found = await compare({ m: ["BOOL", [count], lateByte] }, { m: ["BOOL", [count], bytes] });
  assert.match(found.report.m!, new RegExp(`1 of ${count} elements, first at ${count - 2}$`));
});

test("a name that could confuse a terminal is quoted", async () => {
  const name = "evil\u001b[2J\nname";
  const { lines } = await compare({ [name]: bool(1) }, { [name]: bool(1) });
  assert.is(lines.length, 2);
  assert.match(lines[0]!, /^"evil\\u001b\[2J\\nname" +equal$/);
});

test("unreadable files: absent and a folder are E_IO of the input, foreign bytes E_FORMAT", () =>
  inScratch(async (folder) => {
    const good = write(join(folder, "good"), { x: f32([1], 1) });
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "text"), "this is not a safetensors file at all");
    const options = { bounds: FLOAT32_BOUNDS, print: () => {} };
    for (const [a, b] of [
      [join(folder, "absent"), good],
      [good, join(folder, "absent")],
      [join(folder, "sub"), good],
      [join(folder, "no/absent"), good],
    ] as const) {
      const error = await refused(compareFiles(a, b, options), "E_IO", /^reading /);
      assert.is(error.origin, "input");
    }
    await refused(compareFiles(good, join(folder, "text"), options), "E_FORMAT", /text/);
    const aborted = compareFiles(good, good, { ...options, signal: AbortSignal.abort("stopped") });
    assert.is(await aborted.catch((error) => error), "stopped");
  }));

test("L01-L03: usage", async () => {
  const run = (...args: string[]) => {
    const quiet = { writeErr: () => {}, writeOut: () => {} };
    return compareCommand().exitOverride().configureOutput(quiet).parseAsync(args, { from: "user" });
  };
  for (const args of [
    [],
    ["a"],
    ["a", "b", "c"],
    ["a", "b", "--unknown"],
    ["a", "b", "--only"],
    ["a", "b", "--max-rel"],
  ]) {
    assert.instance(await run(...args).catch((error) => error), CommanderError, args.join(" "));
  }
  for (const [flag, values] of [
    ["--max-rel", ["-1", "abc", "", " ", "NaN"]],
    ["--max-abs", ["-1e-9", "1,5"]],
    ["--min-cosine", ["2", "-1.5", "x"]],
  ] as const) {
    for (const value of values) {
      const error = await run("a", "b", `${flag}=${value}`).catch((caught) => caught);
      assert.instance(error, CommanderError);
      assert.match(error.message, /expected a number/);
    }
  }
});

test("the command: the report on stdout, nothing on stderr, exit status 0 or 1", () =>
  inScratch((folder) => {
    const a = write(join(folder, "a"), { x: f32([1], 1), y: f32([1], 1) });
    const b = write(join(folder, "b"), { x: f32([1], 1), y: f32([1], 1.5) });
    const script = `
      import { compareCommand } from ${JSON.stringify(`${ROOT}dist/cli/commands/compare.js`)};
      await compareCommand().parseAsync(process.argv.slice(1), { from: "user" });`;
    const run = (...args: string[]) => {
      const options = { encoding: "utf8" } as const;
      return spawnSync(process.execPath, ["--input-type=module", "-e", script, "--", ...args], options);
    };
    for (const [status, ...args] of [
      [0, a, a],
      [1, a, b],
      [0, a, b, "--only", "x"],
      [1, a, b, "--only", "x", "--only", "y"],
      [0, a, b, "--max-rel", "0.5", "--max-abs", "0.5"],
      [1, a, b, "--max-rel", "0.5", "--max-abs", "0.1"],
    ] as const) {
      const { status: got, stdout, stderr } = run(...args);
      assert.is(got, status, args.join(" "));
      assert.match(stdout, /compared, \d different or missing\n$/);
      assert.is(stderr, "");
    }
  }));

test("a file that another writer made equals itself", async () => {
  const path = golden("full-size/expected.safetensors");
  const lines: string[] = [];
  assert.ok(await compareFiles(path, path, { bounds: FLOAT32_BOUNDS, print: (line) => lines.push(line) }));
  assert.match(lines.at(-1)!, /^13 compared, 0 /);
});

test.run();
