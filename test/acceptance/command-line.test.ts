/** The command line as a stranger meets it: flags, help, what `--json` prints, one line for every error, and every exit status. */
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CliOptions, type CliResult, janus, refusedRun, temporaryFolder } from "../support/cli.js";
import { editedCheckpoint } from "../support/edited-checkpoint.js";
import { RELAXED_EXPECTED } from "../support/engine.js";
import { golden, ROOT } from "../support/paths.js";

const test = suite("command line");

const DEMO = `${ROOT}models/demo`;
const PICTURE = `${DEMO}/examples/00.png`;
const folder = temporaryFolder();
let outputs = 0;

/** A name that nothing has yet. */
const output = (): string => join(folder, `output-${outputs++}.safetensors`);
/** `janus embed` of a question about the demo's first example, and more flags. */
const embed = (...more: string[]): string[] => [
  "embed",
  "--model",
  DEMO,
  "--question",
  "What is in the image?",
  ...more,
];

/** The folder keeps its files. */
function refused(status: number, line: RegExp, args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return refusedRun(status, line, args, () => readdirSync(folder), options);
}

/** The one JSON object of a run that must succeed silently. */
async function json(args: readonly string[], options?: CliOptions) {
  const { status, stdout, stderr } = await janus(args, options);
  assert.is(status, 0, stderr);
  assert.is(stderr, "");
  assert.match(stdout, /^\{[^\n]*\}\n$/);
  return JSON.parse(stdout);
}

const STAGES = ["load", "decode", "preprocess", "text", "encode", "project", "fuse", "write", "total"];
const RUNTIME = [
  "variant",
  "threads",
  "dtype",
  "tile",
  "fma",
  "dot8",
  "engine",
  "engineFlags",
  "weightBytes",
  "residency",
  "memoryBytes",
  "notes",
];

/** Of several pictures each is made ready while the one before is encoded. */
function checkReport(
  report: { timings: Record<string, number>; peakMemoryBytes: number; runtime: object },
  pictures = 1,
): void {
  assert.equal(Object.keys(report), ["dims", "runtime", "timings", "peakMemoryBytes"]);
  assert.equal(Object.keys(report.runtime), RUNTIME);
  assert.equal(Object.keys(report.timings), STAGES);
  const { total = 0, ...parts } = report.timings;
  for (const [stage, ms] of Object.entries(parts)) assert.ok(ms >= 0 && ms <= total, `${stage}: ${ms} ms of ${total}`);
  const { decode: _, preprocess: __, ...others } = parts;
  const alone = Object.values(pictures === 1 ? parts : others).reduce((sum, ms) => sum + ms, 0);
  assert.ok(alone <= total + 1, "nothing but making pictures ready overlaps");
  assert.ok(report.peakMemoryBytes > 30e6 && report.peakMemoryBytes < 1e9);
}

test("--version, and help for the program and every command: flags, examples, exit status", async () => {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  for (const flag of ["--version", "-V"]) assert.is((await janus([flag])).stdout, `${version}\n`);
  const alone = await janus([]);
  assert.is(alone.status, 0);
  assert.is(alone.stderr, "");
  assert.match(alone.stdout, /Usage: janus[\s\S]*Examples:[\s\S]*Exit status:/);
  assert.is((await janus(["--help"])).stdout, alone.stdout);
  assert.is((await janus(["help"])).stdout, alone.stdout);
  const flags: Readonly<Record<string, string>> = {
    embed:
      "--model --question --prompt --conversation --requests --inputs --image --output --output-format --output-dtype --system --stages --dtype --threads --variant --residency --memory-budget --json --force --verbose",
    encode:
      "--model --image --output --output-format --output-dtype --dtype --threads --variant --residency --memory-budget --json --force --verbose",
    pack: "",
    inspect: "--model --json --verbose",
    synthesize: "--output --preset --dtype --force --verbose",
    compare: "--max-rel --max-abs --min-cosine --only --verbose",
    doctor: "--json --verbose",
  };
  for (const [command, names] of Object.entries(flags)) {
    assert.match(alone.stdout, new RegExp(`^  ${command} .*\\S$`, "m"));
    const help = await janus([command, "--help"]);
    assert.is(help.status, 0);
    assert.is(help.stderr, "");
    assert.is((await janus(["help", command])).stdout, help.stdout);
    // Every flag with at least a word about it, on its line or the next.
    for (const name of names.split(" ").filter((found) => found)) {
      assert.match(help.stdout, new RegExp(`${name}\\b.*\\s{2,}\\S`), `${command} ${name}`);
    }
    if (command !== "pack") assert.match(help.stdout, /Exit status:/, command);
    if (command !== "pack" && command !== "doctor") assert.match(help.stdout, /Examples:/, command);
  }
});

test("L01: unknown verbs and flags, surplus arguments", async () => {
  await refused(2, /unknown command 'nonsense'; see janus --help/, ["nonsense"]);
  await refused(2, /unknown command 'embe' \(Did you mean embed\?\)/, ["embe", "--model", DEMO]);
  await refused(2, /unknown command 'nonsense'/, ["help", "nonsense"]);
  await refused(2, /unknown option '--bogus'; see janus --help/, ["--bogus"]);
  await refused(
    2,
    /unknown option '--imag' \(Did you mean --image\?\); see janus embed --help/,
    embed("--imag", "-o", "x"),
  );
  await refused(2, /too many arguments/, embed("--output", output(), "surplus"));
  await refused(2, /unknown option '--threads'/, ["doctor", "--threads", "1"]);
  await refused(2, /unknown command 'a \[31mb'/, ["a\n\u001b[31mb"]);
});

test("L02: missing flags and missing values", async () => {
  await refused(2, /'-m, --model <model>' not specified/, ["embed", "--question", "x", "--output", output()]);
  await refused(2, /'-o, --output <file>' not specified/, embed());
  await refused(2, /'-o, --output <file>' argument missing/, embed("--output"));
  await refused(2, /'-i, --image <path>' not specified/, ["encode", "--model", DEMO, "--output", output()]);
  await refused(2, /missing required argument 'B.safetensors'/, ["compare", "a"]);
  await refused(2, /'-m, --model <model>' argument missing/, ["inspect", "--model"]);
});

test("what to embed: exactly one of five, and what goes with each", async () => {
  const base = ["embed", "--model", DEMO, "--output", output()];
  await refused(2, /expected exactly one of --question, .*, got none; see janus embed --help/, base);
  await refused(2, /got --question and --prompt/, [...base, "--question", "a", "--prompt", "b"]);
  await refused(2, /got --question and --inputs/, [...base, "--question", "", "--inputs", "b"]);
  await refused(2, /--system goes with/, [...base, "--prompt", "a", "--system", "b"]);
  await refused(2, /--inputs holds its own pixel_values/, [...base, "--inputs", "a", "--image", PICTURE]);
});

test("--residency and --memory-budget: the same bytes in less memory, and what is needed when it is too little", async () => {
  const file = output();
  const alone = (...flags: string[]) => embed("--output", file, "--force", "--json", "--threads", "1", ...flags);
  const streams = (...flags: string[]) => alone("--residency", "stream", ...flags);
  const resident = (await json(alone())).runtime;
  const expected = readFileSync(file);
  const least = (await json(streams())).runtime;
  assert.ok(readFileSync(file).equals(expected));
  assert.equal([resident.residency, least.residency], ["resident", "stream"]);
  assert.ok(least.memoryBytes < resident.memoryBytes);
  const more = (await json(streams("--memory-budget", "3MB"))).runtime;
  assert.ok(more.memoryBytes > least.memoryBytes && more.memoryBytes <= 3e6);
  await refused(5, /a budget of at least \d+ bytes is needed, got 1024; give it/, streams("--memory-budget", "1KiB"));
  await refused(2, /expected bytes, as 25000000, 25MB or 25MiB/, streams("--memory-budget", "much"));
  await refused(2, /Allowed choices are resident, stream/, alone("--residency", "often"));
});

test("L03: --threads", async () => {
  for (const threads of ["0", "-1", "1e6", "abc", "65", "1.5", "", " 4", "+4", "0x4", "NaN"]) {
    await refused(2, /expected auto or a whole number from 1 to 64/, embed("--output", output(), "--threads", threads));
  }
  for (const threads of [1, 3, 64]) {
    const report = await json(embed("--output", output(), "--threads", String(threads), "--json"));
    assert.is(report.runtime.threads, threads, "honoured also above the core count");
  }
});

test("--variant: taken or refused, never replaced", async () => {
  for (const [threads, suffix] of [
    ["1", ""],
    ["2", "-threads"],
  ] as const) {
    const run = (variant: string) => embed("--output", output(), "--threads", threads, "--variant", variant, "--json");
    assert.is((await json(run("simd"))).runtime.variant, `simd${suffix}`);
    if (RELAXED_EXPECTED) assert.is((await json(run("relaxed"))).runtime.variant, `relaxed${suffix}`);
    else await refused(2, /E_UNSUPPORTED: .*relaxed/, run("relaxed"));
  }
  await refused(2, /Allowed choices are simd, relaxed/, embed("--output", output(), "--variant", "simd-threads"));
});

test("--dtype: the checkpoint's own, fp32, int8", async () => {
  const run = (dtype: string) => embed("--output", output(), "--dtype", dtype, "--json");
  assert.is((await json(run("auto"))).runtime.dtype, "bf16");
  assert.is((await json(run("fp32"))).runtime.dtype, "fp32");
  assert.is((await json(run("int8"))).runtime.dtype, "int8");
  await refused(2, /Allowed choices are auto, fp32, int8/, run("bf16"));
});

test("embed --json, and the file: names, types and shapes", async () => {
  const path = output();
  const report = await json(embed("--image", PICTURE, "--output", path, "--stages", "--json"));
  checkReport(report);
  const { timings } = report;
  for (const stage of STAGES) assert.ok(timings[stage] > 0, `${stage} took time`);
  const [T, blocks] = [90, 4];
  assert.equal(report.dims, {
    inputs_embeds: [1, T, 128],
    attention_mask: [1, T],
    input_ids: [1, T],
    images_seq_mask: [1, T],
    images_emb_mask: [1, 1, 36],
    pixel_values: [1, 1, 3, 96, 96],
    "vision.patch_embed": [1, 36, 128],
    ...Object.fromEntries(Array.from({ length: blocks }, (_, n) => [`vision.block.${n}`, [1, 36, 128]])),
    image_features: [1, 36, 128],
    image_embeds: [1, 36, 128],
    text_embeds: [1, T, 128],
  });
  const bytes = readFileSync(path);
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE(0))));
  const types: Readonly<Record<string, string>> = {
    attention_mask: "I64",
    input_ids: "I64",
    images_seq_mask: "BOOL",
    images_emb_mask: "BOOL",
  };
  for (const [name, dims] of Object.entries(report.dims)) {
    assert.equal([header[name].dtype, header[name].shape], [types[name] ?? "F32", dims], name);
  }
});

test("encode --json has the same form; without --json there is a summary on stderr alone", async () => {
  const report = await json(["encode", "-m", DEMO, "-i", PICTURE, "-i", PICTURE, "-o", output(), "--json"]);
  checkReport(report, 2);
  assert.equal(report.dims, { image_features: [2, 36, 128], image_embeds: [2, 36, 128] });
  assert.ok(report.timings.decode > 0 && report.timings.preprocess > 0);
  const path = output();
  const plain = await janus(["encode", "-m", DEMO, "-i", PICTURE, "-o", path]);
  assert.is(plain.status, 0);
  assert.is(plain.stdout, "");
  assert.ok(plain.stderr.startsWith(`wrote ${path}\n`));
  assert.not.ok(plain.stderr.includes("\r"), "no progress bar off a terminal");
});

test("inspect --json and doctor --json: the promised keys", async () => {
  const found = await json(["inspect", "--model", DEMO, "--json"]);
  assert.equal(Object.keys(found), ["layout", "dtype", "dims", "tensors", "bytes"]);
  assert.is(found.layout, "original");
  assert.is(found.dtype, "bf16");
  assert.equal(Object.keys(found.tensors), ["used", "skipped"]);
  assert.equal(Object.keys(found.bytes), ["weights", "activations", "parts"]);
  for (const tensor of [...found.tensors.used, ...found.tensors.skipped]) {
    assert.equal(Object.keys(tensor), ["name", "dtype", "shape", "bytes"]);
  }
  const { weightBytes } = (await json(embed("--output", output(), "--json"))).runtime;
  assert.is(found.bytes.weights, weightBytes, "inspect says what embed then needs");

  const diagnosis = await json(["doctor", "--json"]);
  assert.equal(Object.keys(diagnosis), ["engine", "variants", "features", "threads", "tiles", "notes"]);
  assert.match(diagnosis.engine, new RegExp(`^node ${process.versions.node} `));
  const names = ["simd", "simd-threads", "relaxed", "relaxed-threads"];
  assert.equal(
    diagnosis.variants.map(({ name }: { name: string }) => name),
    names,
  );
  // On Node 20 relaxed SIMD runs where its flag was worth taking, which the processor decides.
  const relaxedRuns = RELAXED_EXPECTED || diagnosis.notes.some((note: string) => /runs with .*relaxed-simd/.test(note));
  for (const { name, ok, why } of diagnosis.variants) {
    assert.is(ok, relaxedRuns || !name.startsWith("relaxed"), name);
    assert.ok(why.length > 0);
  }
  for (const command of [["inspect", "--model", DEMO], ["doctor"]]) {
    const { status, stdout, stderr } = await janus(command);
    assert.is(status, 0);
    assert.is(stderr, "");
    assert.ok(stdout.split("\n").length > 5);
  }
});

test("a flag's value may look like a flag", async () => {
  const report = await json(["embed", "-m", DEMO, "--prompt", "--version", "-o", output(), "--json"]);
  assert.is(report.dims.input_ids[0], 1);
  await refused(4, /opening "--help"/, ["inspect", "--model", "--help"]);
});

test("a stack with --verbose only", async () => {
  const { status, stdout, stderr } = await janus(["inspect", "--model", "./none", "--verbose"]);
  assert.is(status, 4);
  assert.is(stdout, "");
  assert.match(stderr, /^janus: E_IO: [^\n]+\n(\s+at [^\n]+\n)+$/);
  await refused(4, /E_IO/, ["embed", "--model", "./none", "--question", "--verbose", "--output", output()]);
});

test("exit 1: files that differ, and an installation that is broken", async () => {
  const [path, stages] = [output(), output()];
  await json(embed("--output", path, "--json"));
  await json(embed("--output", stages, "--stages", "--json"));
  assert.is((await janus(["compare", stages, path])).status, 0);
  const missing = await janus(["compare", path, stages]);
  assert.is(missing.status, 1);
  assert.match(missing.stdout, /MISSING/);
  assert.is(missing.stderr, "");
  const broken = join(temporaryFolder(), "package");
  cpSync(`${ROOT}dist`, join(broken, "dist"), { recursive: true });
  cpSync(`${ROOT}package.json`, join(broken, "package.json"));
  symlinkSync(`${ROOT}node_modules`, join(broken, "node_modules"));
  rmSync(join(broken, "dist/wasm/simd-threads.wasm"));
  await refused(1, /E_INTERNAL: .*simd-threads\.wasm/, ["doctor"], { program: join(broken, "dist/cli/main.js") });
});

test("exit 3: the inputs", async () => {
  const text = join(folder, "text.png");
  writeFileSync(text, "not a picture");
  await refused(3, /E_IMAGE: .*text\.png/, embed("--image", text, "--output", output()));
  await refused(
    3,
    /E_IO: .*absent\.png.*no such file/,
    embed("--image", join(folder, "absent.png"), "--output", output()),
  );
  const prompt = ["embed", "--model", DEMO, "--prompt", "<image_placeholder>", "--output", output()];
  await refused(3, /E_PROMPT: .*1 placeholder but 0 images/, prompt);
  const tiny = golden("checkpoints/tiny-orig-safetensors");
  const recorded = golden("cases/one-image/expected.safetensors");
  await refused(3, /E_(PROMPT|SHAPE): /, ["embed", "--model", DEMO, "--inputs", recorded, "--output", output()]);
  const report = await json(["embed", "--model", tiny, "--inputs", recorded, "--output", output(), "--json"]);
  checkReport(report);
});

test("exit 4: the checkpoint", async () => {
  const copies = temporaryFolder();
  const made = (name: string, edit: Parameters<typeof editedCheckpoint>[1] = () => {}): string =>
    editedCheckpoint(join(copies, name), edit);
  const run = (model: string): string[] => ["embed", "--model", model, "--prompt", "x", "--output", output()];
  await refused(4, /E_IO: .*no such directory/, run("./none"));
  const unconfigured = made("unconfigured");
  rmSync(join(unconfigured, "config.json"));
  await refused(4, /E_CONFIG: reading config\.json: expected it in .*, found none/, run(unconfigured));
  const cut = made("cut");
  truncateSync(join(cut, "model.safetensors"), 5000);
  await refused(4, /E_FORMAT: /, run(cut));
  const bias = "vision_model.vision_tower.blocks.0.mlp.fc1.bias";
  const wrong = made("shape", ({ tensors }) => tensors.set(bias, { dtype: "F32", shape: [255] }));
  await refused(4, /E_(SHAPE|CONFIG): .*255/, run(wrong));
  const infinite = made("infinite");
  const weights = join(infinite, "model.safetensors");
  const bytes = readFileSync(weights);
  const length = 8 + Number(bytes.readBigUInt64LE(0));
  const { data_offsets } = JSON.parse(bytes.toString("utf8", 8, length))[bias];
  bytes.writeFloatLE(Number.POSITIVE_INFINITY, length + data_offsets[0]);
  writeFileSync(weights, bytes);
  await refused(4, /E_NUMERIC: .*blocks\.0\.mlp\.fc1\.bias/, run(infinite));
});

test("exit 5: a checkpoint beyond the memory of WebAssembly, refused before it is read", async () => {
  const dim = 32768; // One square matrix of it is 4 GiB in fp32.
  const model = editedCheckpoint(join(temporaryFolder(), "vast"), ({ config, tensors }) => {
    const before = config.language_config.hidden_size;
    config.language_config.hidden_size = dim;
    config.aligner_config.params.n_embed = dim;
    for (const [name, { dtype, shape }] of tensors) {
      const widened = shape.map((size) => (size === before ? dim : size));
      if (/^aligner|embed_tokens/.test(name)) tensors.set(name, { dtype, shape: widened });
    }
  });
  const run = ["embed", "--model", model, "--prompt", "x", "--output", output()];
  const { milliseconds } = await refused(5, /E_OOM: .*bytes needed/, run);
  assert.ok(milliseconds < 2000, `${milliseconds} ms`);
});

test("L09: closed streams, and a reader that goes away", async () => {
  const path = output();
  for (const shell of ['exec "$@" <&-', 'exec "$@" >&-', 'exec "$@" 2>&-', 'exec "$@" <&- >&- 2>&-']) {
    assert.is((await janus(embed("--output", path, "--json", "--force"), { shell })).status, 0, shell);
    assert.ok(existsSync(path));
    rmSync(path);
  }
  // Nobody has ever read a byte of what is printed: the work is done and says how it went.
  const gone: CliOptions = { onStart: ({ stdout }) => stdout?.destroy() };
  const embedded = await janus(embed("--output", path, "--json"), gone);
  assert.is(embedded.status, 0, embedded.stderr);
  assert.is(embedded.stderr, "");
  assert.ok(existsSync(path));
  const different = await janus(["compare", path, golden("cases/one-image/expected.safetensors")], gone);
  assert.is(different.status, 1);
  assert.is(different.stderr, "");
  const deaf = await janus(["inspect", "--model", "./none"], { onStart: ({ stderr }) => stderr?.destroy() });
  assert.is(deaf.status, 4);
  await refused(4, /E_IO: printing the result: ENOSPC/, ["doctor", "--json"], { shell: 'exec "$@" >/dev/full' });
});

test("bin: from any folder", async () => {
  const { status, stdout } = await janus(["doctor", "--json"], { cwd: "/" });
  assert.is(status, 0);
  assert.ok(JSON.parse(stdout).engine);
});

test.run();
