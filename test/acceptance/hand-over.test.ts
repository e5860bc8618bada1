/** Results as a stranger's language model gets them: files by their extension, one for each row, or a pipe. */
import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Janus, toNpy, toSafetensors, toTorch } from "#dist/entry/node/index.js";
import { widenBF16 } from "#dist/weights/widen.js";
import { type CliOptions, type CliResult, JANUS, janus, refusedRun, temporaryFolder } from "../support/cli.js";
import { golden, ROOT } from "../support/paths.js";
import { plainTorch } from "../support/plain-torch.js";
import { plainSafetensors } from "../support/safetensors-bytes.js";

const test = suite("hand-over");

const DEMO = `${ROOT}models/demo`;
const PICTURES = [`${DEMO}/examples/00.png`, `${DEMO}/examples/01.jpg`];
/** Two rows of different lengths. */
const REQUESTS = [{ prompt: "One, two, three, four" }, { prompt: "One" }];
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
writeFileSync(at("batch.jsonl"), REQUESTS.map((request) => JSON.stringify(request)).join("\n"));
writeFileSync(at("uneven.jsonl"), `{"prompt":"One"}\n${JSON.stringify({ prompt: "One, two ".repeat(20) })}`);
writeFileSync(at("one.jsonl"), JSON.stringify(REQUESTS[0]));

const embed = (...more: string[]): string[] => ["embed", "--model", DEMO, ...more];
const batch = (...more: string[]): string[] => embed("--requests", at("batch.jsonl"), ...more);
const read = (name: string): Buffer => readFileSync(at(name));
const names = (): string[] => readdirSync(folder).sort();

/** A run that must succeed; what it says on stdout. */
async function done(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  const result = await janus(args, options);
  assert.is(result.status, 0, result.stderr);
  return result;
}

/** The folder keeps its files. */
async function refused(status: number, line: RegExp, args: readonly string[], options?: CliOptions): Promise<void> {
  await refusedRun(status, line, args, names, options);
}

/** What the API makes of the same batch. */
async function expected() {
  const janus = await Janus.load(DEMO);
  try {
    return await janus.embed(REQUESTS);
  } finally {
    await janus.dispose();
  }
}
const result = await expected();
const bytes = (files: Iterable<{ toBytes(): Uint8Array }>): Buffer[] =>
  Array.from(files, (file) => Buffer.from(file.toBytes()));

test("the batch has rows of two lengths", () => {
  const { dims, data } = result.attentionMask;
  assert.is(dims[0], 2);
  assert.ok(
    data.subarray(0, dims[1]).every((bit) => bit === 1n),
    "no padding in the first",
  );
  assert.is(data[dims[1]!], 0n, "padding in the second");
});

test(".npy and .pt: a file for each row without its padding, as the API makes them", async () => {
  for (const [name, flags, files] of [
    ["a.npy", [], toNpy(result)],
    ["a.pt", [], toTorch(result)],
    ["b.pt", ["--output-dtype", "bf16"], toTorch(result, { dtype: "bf16" })],
  ] as const) {
    const { stdout } = await done(batch("--output", at(name), "--json", ...flags));
    const [stem, extension] = name.split(".");
    for (const [row, file] of bytes(files).entries()) assert.ok(read(`${stem}.${row}.${extension}`).equals(file), name);
    const lengths = [0, 1].map((row) => plainTorch(toTorch(result)[row]!.toBytes(), 4).get("")!.shape);
    assert.equal(JSON.parse(stdout).dims, { "inputs_embeds.0": lengths[0], "inputs_embeds.1": lengths[1] });
    assert.not.ok(names().includes(name));
  }
});

test("one row alone has the name itself, and its report says so", async () => {
  const one = (output: string) => embed("--requests", at("one.jsonl"), "--output", at(output));
  const { stderr } = await done(one("one.pt"));
  assert.match(stderr, /^wrote .*one\.pt\n {2}inputs_embeds \[\d+, 128\]\n/);
  assert.ok(read("one.pt").equals(bytes(toTorch(result))[0]!), "as the first row of the batch, which has no padding");
  await done(one("one.NPY"));
  assert.ok(read("one.NPY").equals(bytes(toNpy(result))[0]!));
});

test("safetensors in bf16: every float, rounded to nearest; ids and masks as they are", async () => {
  await done(batch("--output", at("narrow.safetensors"), "--output-dtype", "bf16"));
  assert.ok(read("narrow.safetensors").equals(bytes([toSafetensors(result, { dtype: "bf16" })])[0]!));
  const { dtype, data } = plainSafetensors(read("narrow.safetensors")).get("inputs_embeds")!;
  assert.is(dtype, "BF16");
  const widened = widenBF16(new Uint16Array(new Uint8Array(data).buffer));
  for (const [i, value] of widened.entries()) {
    const exact = result.inputsEmbeds.data[i]!;
    assert.ok(Math.abs(value - exact) <= Math.abs(exact) * 2 ** -8, `${value} for ${exact}`);
  }
});

test("encode: image_embeds of a picture each; safetensors holds both tensors", async () => {
  const encode = (...more: string[]): string[] => [
    "encode",
    "--model",
    DEMO,
    ...PICTURES.flatMap((path) => ["--image", path]),
    ...more,
  ];
  await done(encode("--output", at("pictures")));
  const whole = plainSafetensors(read("pictures"));
  const embeds = Buffer.from(whole.get("image_embeds")!.data);
  const { stdout } = await done(encode("--output", at("pictures.npy"), "--json"));
  assert.equal(JSON.parse(stdout).dims, { "image_embeds.0": [36, 128], "image_embeds.1": [36, 128] });
  const rows = [0, 1].map((picture) => read(`pictures.${picture}.npy`).subarray(128));
  assert.ok(Buffer.concat(rows).equals(embeds));
  await done(encode("--output", "-", "--output-dtype", "bf16"), { shell: `"$@" > '${at("narrow")}'` });
  assert.equal(
    [...plainSafetensors(read("narrow"))].map(([name, { dtype }]) => `${name} ${dtype}`),
    ["image_features BF16", "image_embeds BF16"],
  );
});

test("-: the file on stdout, whether a pipe or a file of the shell, and nothing else there", async () => {
  const pt = ["--output", "-", "--output-format", "pt", "--output-dtype", "bf16"];
  for (const [args, file] of [
    [batch("--output", "-"), toSafetensors(result)],
    [embed("--requests", at("one.jsonl"), ...pt), toTorch(result, { dtype: "bf16" })[0]!],
    [embed("--requests", at("one.jsonl"), "--output=-", "--output-format", "npy"), toNpy(result)[0]!],
  ] as const) {
    for (const shell of ['"$@" | cat >', '"$@" >']) {
      const { stdout, stderr } = await done(args, { shell: `${shell} '${at("piped")}'` });
      assert.ok(read("piped").equals(Buffer.from(file.toBytes())), shell);
      assert.is(stdout, "");
      assert.match(stderr, /^wrote to stdout\n/);
    }
  }
  assert.not.ok(names().includes("-"));
});

test("-: a reader that goes ends it quietly; one that stalls can be interrupted; a full disk is an error", async () => {
  const stages = batch("--output", "-", "--stages");
  const gone = await janus(embed("--prompt", "x ".repeat(900), "--output", "-"), {
    shell: '{ "$@"; echo "status $?" >&2; } | head -c 10',
  });
  assert.is(gone.stdout.length, 10);
  assert.is(gone.stderr, "status 0\n");
  // The reader takes nothing: more than a pipe holds waits until Ctrl-C.
  const stalled = await janus(embed("--prompt", "x ".repeat(900), "--output", "-"), {
    onStart: (child) => {
      child.stdout?.pause().removeAllListeners("data");
      setTimeout(() => child.kill("SIGINT"), 1500);
      child.once("exit", () => child.stdout?.resume());
    },
  });
  assert.is(stalled.status, 130, stalled.stderr);
  assert.match(stalled.stderr, /interrupted by SIGINT\n$/);
  const full = await janus(stages, { shell: '"$@" > /dev/full' });
  assert.is(full.status, 4);
  assert.match(full.stderr, /^janus: E_IO: write to stdout: ENOSPC.*; send it elsewhere\n$/);
  // A file may have 1 KB here: what the system took of one write is not all of it.
  const cut = await janus(stages, { shell: `(ulimit -f 2; exec "$@" > '${at("cut")}') 2>&1 | cat >&2; exit 9` });
  assert.match(cut.stderr, /^janus: E_IO: write to stdout: EFBIG/);
});

test("-: refused on a terminal, with --json, and for several rows of .npy or .pt", async () => {
  await refused(2, /E_USAGE: embed: --output - and --json both want stdout/, batch("--output", "-", "--json"));
  await refused(2, /E_USAGE: .*pt holds one row, got 2/, batch("--output", "-", "--output-format", "pt"));
  await refused(2, /Allowed choices are safetensors, npy, pt/, batch("--output", "-", "--output-format", "txt"));
  const line = [process.execPath, JANUS, ...embed("--prompt", "a", "--output", "-")].map((word) => `'${word}'`);
  const terminal = spawnSync("script", ["-qec", line.join(" "), "/dev/null"], { encoding: "utf8" });
  if (terminal.error) return;
  assert.match(terminal.stdout, /E_USAGE: write to stdout: it is a terminal; pipe it into a program, or name a file/);
  assert.is(terminal.status, 2);
});

test("another extension, and bf16 in .npy, are refused before the model is looked at", async () => {
  const run = (...more: string[]): string[] => ["embed", "--model", "./none", "--requests", at("batch.jsonl"), ...more];
  const extension = /E_USAGE: write .*expected a name that ends with \.safetensors, \.npy or \.pt, got "\.txt"/;
  await refused(2, extension, run("-o", at("a.txt")));
  await refused(4, /E_UNSUPPORTED: write npy: .*write \.pt/, run("-o", at("x.npy"), "--output-dtype", "bf16"));
  await refused(2, /Allowed choices are fp32, bf16/, run("-o", at("x.pt"), "--output-dtype", "fp16"));
});

test("no file of a batch is replaced without --force, and all are with it", async () => {
  writeFileSync(at("taken.1.pt"), "earlier");
  await refused(2, /E_USAGE: write .*taken\.1\.pt": it exists/, batch("--output", at("taken.pt")));
  assert.is(read("taken.1.pt").toString(), "earlier");
  assert.not.ok(names().includes("taken.0.pt"));
  await done(batch("--output", at("taken.pt"), "--force"));
  for (const [row, file] of bytes(toTorch(result)).entries()) assert.ok(read(`taken.${row}.pt`).equals(file));
  mkdirSync(at("folder.0.pt"));
  await refused(2, /E_USAGE: .*folder\.0\.pt": expected a file, got a folder/, batch("-o", at("folder.pt"), "--force"));
  await refused(4, /E_IO: write .*ENOENT/, batch("--output", at("missing/out.pt")));
  // A file may have 4 KB here, and the first row is less: neither is left.
  await refused(4, /E_IO: write .*EFBIG/, embed("--requests", at("uneven.jsonl"), "-o", at("cut.npy")), {
    shell: 'ulimit -f 8; exec "$@"',
  });
});

test("an input is not replaced by a row of it", async () => {
  linkSync(at("batch.jsonl"), at("input.1.pt"));
  await refused(2, /E_USAGE: write .*input\.1\.pt": it is the input/, batch("--output", at("input.pt"), "--force"));
});

test("--inputs of a file without rows: safetensors holds none, .pt has none to hold", async () => {
  const tiny = golden("checkpoints/tiny-orig-safetensors");
  const empty = (dims: number[], type: "int64" | "bool" | "float32", data: BigInt64Array | Uint8Array | Float32Array) =>
    ({ type, dims, data }) as never;
  const rows = (count: number) => ({
    input_ids: empty([count, 0], "int64", new BigInt64Array(0)),
    images_seq_mask: empty([count, 0], "bool", new Uint8Array(0)),
    images_emb_mask: empty([count, 0, 16], "bool", new Uint8Array(0)),
    pixel_values: empty([count, 0, 3, 64, 64], "float32", new Float32Array(0)),
  });
  writeFileSync(at("none.safetensors"), toSafetensors(rows(0)).toBytes());
  const run = (inputs: string, output: string): string[] => [
    "embed",
    "--model",
    tiny,
    "--inputs",
    at(inputs),
    "--output",
    at(output),
  ];
  await done(run("none.safetensors", "none"));
  assert.equal(plainSafetensors(read("none")).get("inputs_embeds")!.shape, [0, 0, 96]);
  await refused(3, /E_PROMPT: write pt: expected a row to write, got none/, run("none.safetensors", "none.pt"));
  writeFileSync(at("short.safetensors"), toSafetensors(rows(1)).toBytes());
  await done(run("short.safetensors", "short.pt"));
  assert.equal(plainTorch(read("short.pt"), 4).get("")!.shape, [0, 96]);
});

test.run();
