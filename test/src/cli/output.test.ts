import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { destination, destinationText, target, writeOutput } from "#dist/cli/output.js";
import type { Tensor } from "#dist/tensor.js";
import { refused } from "../../support/refusal.js";
import { plainSafetensors } from "../../support/safetensors-bytes.js";
import { inScratch } from "../../support/scratch.js";

const test = suite("cli/output");

type Flags = Parameters<typeof target>[1];
const flags = (output: string, more: Partial<Flags> = {}): Flags => ({
  model: "./none",
  dtype: "auto",
  threads: "auto",
  engineFlags: "none",
  outputDtype: "fp32",
  output,
  ...more,
});
const never = new AbortController().signal;
/** The files of an output of so many rows. */
const paths = async (given: Flags, rows: number): Promise<readonly string[]> =>
  (await destination(await target("embed", given, []), rows)).paths;

test("a file, or a file for each row; none is stdout", () =>
  inScratch(async (folder) => {
    const at = (name: string): string => join(folder, name);
    assert.equal(await paths(flags(at("a.safetensors")), 3), [at("a.safetensors")]);
    assert.equal(await paths(flags(at("a")), 0), [at("a")]);
    assert.equal(await paths(flags(at("a.pt")), 1), [at("a.pt")]);
    assert.equal(await paths(flags(at("a.npy")), 2), [at("a.0.npy"), at("a.1.npy")]);
    assert.equal(await paths(flags("-"), 3), []);
    assert.equal(await paths(flags("-", { outputFormat: "npy" }), 1), []);
    assert.is((await target("embed", flags("-"), [])).format, "safetensors");
    assert.equal(await paths(flags(join(folder, "-")), 1), [at("-")], "a file of that name has a folder before it");
  }));

test("flags that contradict each other", () =>
  inScratch(async (folder) => {
    const at = (name: string): string => join(folder, name);
    for (const [given, message] of [
      [flags("-", { json: true }), /^embed: --output - and --json both want stdout; .*see janus embed --help/],
      [flags(at("a.pt"), { outputFormat: "pt" }), /--output-format is for --output -/],
      [flags(at("a.pt"), { stages: true }), /--stages needs safetensors; pt holds/],
      [flags("-", { outputFormat: "npy", stages: true }), /--stages needs safetensors; npy holds/],
      [flags(at("a.npz")), /expected a name that ends with/],
      [flags(at("a.bin")), /expected a name that ends with/],
    ] as const) {
      await refused(target("embed", given, []), "E_USAGE", message);
    }
    for (const given of [flags(at("a.npy")), flags("-", { outputFormat: "npy" })]) {
      const error = await refused(target("embed", { ...given, outputDtype: "bf16" }, []), "E_UNSUPPORTED", /write npy/);
      assert.is(error.origin, "output");
    }
  }));

test("rows that do not fit, or are not there", async () => {
  for (const outputFormat of ["npy", "pt"] as const) {
    const message = new RegExp(`write to stdout: ${outputFormat} holds one row, got 2`);
    await refused(paths(flags("-", { outputFormat }), 2), "E_USAGE", message);
    await refused(paths(flags("-", { outputFormat }), 0), "E_PROMPT", /expected a row to write, got none/);
    await refused(paths(flags(`a.${outputFormat}`), 0), "E_PROMPT", /expected a row to write, got none/);
  }
});

test("a row's file that exists, that is an input, or whose folder is missing", () =>
  inScratch(async (folder) => {
    const at = (name: string): string => join(folder, name);
    writeFileSync(at("a.1.pt"), "earlier");
    await refused(paths(flags(at("a.pt")), 2), "E_USAGE", /a\.1\.pt": it exists/);
    assert.equal(await paths(flags(at("a.pt")), 1), [at("a.pt")]);
    assert.is((await paths(flags(at("a.pt"), { force: true }), 2)).length, 2);
    const judged = await target("embed", flags(at("a.pt"), { force: true }), [at("a.1.pt")]);
    await refused(destination(judged, 2), "E_USAGE", /a\.1\.pt": it is the input/);
    writeFileSync(at("a.png"), "a picture");
    await refused(target("embed", flags(at("a.png")), [at("a.png")]), "E_USAGE", /it is the input/);
    await refused(paths(flags(at("b/a.pt")), 2), "E_IO", /ENOENT/);
  }));

test("what is written, what it says of it, and where", () =>
  inScratch(async (folder) => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const embeds: Tensor<"float32"> = { type: "float32", dims: [2, 3, 1], data };
    const mask: Tensor<"int64"> = { type: "int64", dims: [2, 3], data: BigInt64Array.of(0n, 1n, 1n, 1n, 1n, 1n) };
    const output = { tensors: { embeds, mask }, rows: "embeds", mask: "mask" };
    const write = async (name: string, rows: number, what = output) => {
      const to = await destination(await target("embed", flags(join(folder, name)), []), rows);
      return [await writeOutput(to, what, never), destinationText(to)];
    };
    assert.equal(await write("a.safetensors", 2), [{ embeds: [2, 3, 1], mask: [2, 3] }, join(folder, "a.safetensors")]);
    assert.equal([...plainSafetensors(readFileSync(join(folder, "a.safetensors"))).keys()], ["mask", "embeds"]);
    const text = `${join(folder, "a.0.npy")} to ${join(folder, "a.1.npy")}`;
    assert.equal(await write("a.npy", 2), [{ "embeds.0": [2, 1], "embeds.1": [3, 1] }, text]);
    assert.is(readFileSync(join(folder, "a.0.npy")).readFloatLE(128), 2);
    const one = { tensors: { embeds: { ...embeds, dims: [1, 6, 1] } }, rows: "embeds" } as unknown as typeof output;
    assert.equal((await write("a.pt", 1, one))[0], { embeds: [6, 1] });
    assert.equal(readdirSync(folder), ["a.0.npy", "a.1.npy", "a.pt", "a.safetensors"]);
    const wrong = { ...output, tensors: { embeds, mask: { ...mask, dims: [3, 2] } } };
    await refused(write("b.pt", 2, wrong), "E_SHAPE", /attention_mask/);
    assert.not.ok(existsSync(join(folder, "b.0.pt")));
    const to = await target("embed", flags("-"), []);
    assert.is(destinationText(await destination(to, 2)), "to stdout");
  }));

test.run();
