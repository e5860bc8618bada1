/** The files that a command line names: models, pictures, conversations, requests, recorded inputs, and outputs. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CliOptions, janus, refusedRun, temporaryFolder } from "../support/cli.js";
import { withEnvironment } from "../support/hub-home.js";
import { golden, ROOT } from "../support/paths.js";
import { bytesOf, readTensors } from "../support/tensors.js";

const test = suite("command line, files");

const DEMO = `${ROOT}models/demo`;
const QUESTION = "What is in the image?";
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content);
  return at(name);
};
const picture = at("picture.png");
cpSync(`${DEMO}/examples/00.png`, picture);

/** Every name below `folder` with its content: what a refusal must not change. */
function contents(): string {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return files.map((name) => `${name} ${statSync(at(name)).isFile() ? readFileSync(at(name)).length : ""}`).join("\n");
}

/** The files keep what is in them. Milliseconds it took. */
async function refused(status: number, line: RegExp, args: readonly string[], options?: CliOptions): Promise<number> {
  return (await refusedRun(status, line, args, contents, options)).milliseconds;
}

/** Runs `embed` on the demo, and reads what it wrote. */
async function embed(name: string, args: readonly string[], options?: CliOptions) {
  const output = at(name);
  const { status, stderr } = await janus(["embed", "--model", DEMO, ...args, "--output", output, "--json"], options);
  assert.is(status, 0, stderr);
  return readTensors(output);
}

const toNowhere = (...args: string[]): string[] => ["embed", "--model", DEMO, ...args, "--output", at("nowhere")];

test("L04: a model's path is taken as it is: spaces, unicode, newline, leading dash", async () => {
  const names = ["with space", "模型 é😀", "new\nline", "-leading", "--json", "owner/name", "https:/example.com"];
  for (const name of names) {
    mkdirSync(at(join(name, "..")), { recursive: true });
    symlinkSync(DEMO, at(name));
    for (const model of [name, at(name)]) {
      const { status, stderr, stdout } = await janus(["inspect", "--model", model], { cwd: folder });
      assert.is(status, 0, `${model}: ${stderr}`);
      assert.match(stdout, /original layout/);
    }
  }
  const { status, stdout } = await janus(["inspect", "--json", "--model", "https://example.com"], { cwd: folder });
  assert.is(status, 0, "an existing path wins");
  assert.is(JSON.parse(stdout).layout, "original");
  await refused(4, /E_IO: opening "\/owner\/name": no such directory/, ["inspect", "--model", "/owner/name"]);
  await refused(4, /E_IO: opening "\.\/owner\/none"/, ["inspect", "--model", "./owner/none"], { cwd: folder });
  await withEnvironment({ HF_HOME: at("home"), HF_HUB_OFFLINE: "1" }, () =>
    refused(4, /E_IO: opening "owner\/none": HF_HUB_OFFLINE is set/, ["inspect", "--model", "owner/none"], {
      cwd: folder,
    }),
  );
  await refused(4, /E_IO: .*got a file; name the directory/, ["inspect", "--model", `${DEMO}/model.safetensors`]);
  await refused(4, /E_IO: opening ""/, ["inspect", "--model", ""]);
});

test("question, prompt, conversation and a request of one line are the same prompt", async () => {
  const turns = [
    { role: "<|User|>", content: `<image_placeholder>\n${QUESTION}`, images: ["picture.png"] },
    { role: "<|Assistant|>", content: "" },
  ];
  write("conversation.json", `\ufeff${JSON.stringify(turns)}`);
  write("beside.json", JSON.stringify(turns.map(({ role, content }) => ({ role, content }))));
  write("request.jsonl", JSON.stringify({ question: QUESTION, images: ["picture.png"] }));
  const asked = await embed("asked", ["--question", QUESTION, "--image", picture]);
  const ids = [...(asked["input_ids"]?.data ?? [])];
  assert.is(ids.length, 90);
  for (const [name, args] of [
    ["conversation", ["--conversation", at("conversation.json")]],
    ["image-beside", ["--conversation", at("beside.json"), "--image", picture]],
    ["request", ["--requests", at("request.jsonl")]],
    ["relative", ["--requests", "request.jsonl"]],
  ] as const) {
    const embedded = await embed(name, args, { cwd: folder });
    for (const [tensor, value] of Object.entries(asked)) {
      assert.ok(bytesOf(embedded[tensor]).equals(bytesOf(value)), `${name}: ${tensor}`);
    }
  }
  const bare = await embed("no-system", ["--question", QUESTION, "--image", picture, "--system", ""]);
  assert.ok((bare["input_ids"]?.dims[1] ?? 0) < ids.length, "an empty --system is none");
  assert.is((await embed("empty", ["--prompt", ""]))["input_ids"]?.dims[0], 1);
});

test("--image several times: in order, one placeholder each", async () => {
  const other = `${DEMO}/examples/01.jpg`;
  const two = await embed("two", ["--question", QUESTION, "--image", picture, "-i", other]);
  assert.equal(two["images_emb_mask"]?.dims, [1, 2, 36]);
  const swapped = await embed("swapped", ["--question", QUESTION, "--image", other, "-i", picture]);
  assert.ok(bytesOf(two["input_ids"]).equals(bytesOf(swapped["input_ids"])));
  assert.not.ok(bytesOf(two["inputs_embeds"]).equals(bytesOf(swapped["inputs_embeds"])));
});

test("L07: --requests with CRLF, blank lines, duplicates and a byte order mark is one left-padded batch", async () => {
  const line = JSON.stringify({ question: QUESTION, images: ["picture.png"] });
  write("batch.jsonl", `\ufeff${line}\r\n\r\n   \r\n{"prompt":"A\u2028B"}\r\n${line}`);
  const { attention_mask: mask, inputs_embeds: embeds } = await embed("batch", ["--requests", at("batch.jsonl")]);
  assert.equal(mask?.dims, [3, 90]);
  const row = (n: number): bigint[] => [...((mask?.data ?? []) as BigInt64Array)].slice(n * 90, (n + 1) * 90);
  assert.ok(row(0).every((bit) => bit === 1n) && row(2).every((bit) => bit === 1n));
  const padding = row(1).lastIndexOf(0n) + 1;
  assert.ok(
    padding > 70 &&
      row(1)
        .slice(0, padding)
        .every((bit) => bit === 0n),
    "padded on the left",
  );
  const third = bytesOf(embeds).length / 3;
  assert.ok(
    bytesOf(embeds)
      .subarray(0, third)
      .equals(bytesOf(embeds).subarray(2 * third)),
    "duplicates are equal",
  );
});

test("L07: a million lines are refused before the model is looked at", async () => {
  write("million.jsonl", '{"prompt":"x"}\n'.repeat(1_000_000));
  const args = ["embed", "--model", "./none", "--requests", at("million.jsonl"), "--output", at("nowhere")];
  const milliseconds = await refused(3, /E_PROMPT: .* line 1025: expected at most 1024 requests/, args);
  assert.ok(milliseconds < 2000, `${milliseconds} ms`);
});

test("--requests and --conversation that are not what they should be", async () => {
  const line = JSON.stringify({ question: QUESTION, images: ["picture.png"] });
  for (const [content, message] of [
    [`${line}\n\n{"question":`, /line 3: expected JSON/],
    ["[]", /line 1: expected a JSON object, got a list/],
    ['{"question":"a","colour":"red"}', /no key "colour"; it may have question, images/],
    ['{"question":"a","prompt":"b"}', /exactly one of question, prompt, conversation/],
    ['{"question":1}', /question must be a string/],
    ["", /expected one JSON request a line, got an empty file/],
    [Uint8Array.of(0x7b, 0xff, 0x7d), /expected UTF-8/],
  ] as const) {
    const line = new RegExp(`E_PROMPT: .*${message.source}`);
    await refused(3, line, toNowhere("--requests", write("bad.jsonl", content)));
  }
  await refused(3, /E_PROMPT: .*leave --image out/, toNowhere("--requests", at("batch.jsonl"), "--image", picture));
  const both = toNowhere("--conversation", at("conversation.json"), "--image", picture);
  await refused(3, /E_PROMPT: .*images must be in one place/, both);
  await refused(3, /E_PROMPT: .*expected a JSON list/, toNowhere("--conversation", write("bad.json", "{}")));
  await refused(3, /E_PROMPT: .*expected JSON/, toNowhere("--conversation", write("bad.json", "[{]")));
  assert.is(spawnSync("mkfifo", [at("pipe")]).status, 0);
  mkdirSync(at("directory"));
  for (const name of ["pipe", "directory", "absent"]) {
    await refused(3, /E_IO: /, toNowhere("--requests", at(name)));
    await refused(3, /E_IO: /, toNowhere("--conversation", at(name)));
    await refused(3, /E_IO: /, toNowhere("--inputs", at(name)));
    await refused(3, /E_(IO|IMAGE): /, toNowhere("--question", QUESTION, "--image", at(name)));
  }
});

test("--inputs: the processor's tensors, and files that hold something else", async () => {
  const tiny = golden("checkpoints/tiny-orig-safetensors");
  const run = (inputs: string): string[] => ["embed", "--model", tiny, "--inputs", inputs, "--output", at("inputs")];
  const recorded = golden("cases/batch-of-three/expected.safetensors");
  const { status, stderr } = await janus(run(recorded));
  assert.is(status, 0, stderr);
  const [made, expected] = [await readTensors(at("inputs")), await readTensors(recorded)];
  for (const name of ["input_ids", "attention_mask", "images_seq_mask", "images_emb_mask"]) {
    assert.ok(bytesOf(made[name]).equals(bytesOf(expected[name])), name);
  }
  assert.is((await janus(["compare", at("inputs"), recorded, "--only", "inputs_embeds"])).status, 0);
  const other = (inputs: string): string[] => [...run(inputs).slice(0, -1), at("nowhere")];
  write("cut.safetensors", readFileSync(recorded));
  truncateSync(at("cut.safetensors"), 100);
  await refused(4, /E_FORMAT: /, other(at("cut.safetensors")));
  await refused(4, /E_FORMAT: /, other(picture));
  await refused(3, /E_PROMPT: .*pixel_values is missing|input_ids is missing/, other(at("asked")));
});

test("L05: a folder that is missing, that is a file, that cannot be written to, and a disk that ends", async () => {
  const run = (output: string, model = "./none"): string[] => {
    return ["embed", "--model", model, "--question", QUESTION, "--stages", "--output", output];
  };
  // The model does not exist either: the output is looked at first.
  await refused(4, /E_IO: write .*does not exist \(ENOENT\); create it first/, run(at("missing/out")));
  await refused(4, /E_IO: write .*\(ENOTDIR\)/, run(join(picture, "out")));
  await refused(4, /E_IO: write .*/, run("/proc/out", DEMO));
  await refused(4, /E_IO: write .*ENAMETOOLONG/, run(at("x".repeat(300))));
  // A file may have 4 KB here, which the output has not.
  await refused(4, /E_IO: write .*EFBIG/, run(at("full"), DEMO), { shell: 'ulimit -f 8; exec "$@"' });
});

test("L06: an output that exists, is no file, or is an input", async () => {
  const run = (output: string, ...more: string[]): string[] => {
    return ["embed", "--model", "./none", "--question", QUESTION, "--output", output, ...more];
  };
  await refused(2, /E_USAGE: write .*it exists; .*--force/, run(at("asked")));
  for (const name of ["directory", "directory/", "pipe"])
    await refused(2, /E_USAGE: .*name a file/, run(at(name), "--force"));
  for (const name of ["/dev/null", ""]) await refused(2, /E_USAGE: .*name a file/, run(name, "--force"));
  await refused(2, /E_USAGE: .*is the input/, run(picture, "--image", `${folder}/directory/../picture.png`, "--force"));
  for (const [flag, name] of [
    ["--requests", "batch.jsonl"],
    ["--requests", "picture.png"],
    ["--conversation", "conversation.json"],
    ["--conversation", "picture.png"],
    ["--inputs", "inputs"],
  ] as const) {
    const input = name !== "picture.png" ? name : flag === "--requests" ? "batch.jsonl" : "conversation.json";
    const args = ["embed", "--model", "./none", flag, at(input), "--output", at(name), "--force"];
    await refused(2, /E_USAGE: .*is the input/, args);
  }
  const encoding = ["encode", "--model", "./none", "--image", picture, "--output", picture, "--force"];
  await refused(2, /E_USAGE: .*is the input/, encoding);
  cpSync(DEMO, at("model"), { recursive: true });
  const model = ["embed", "--model", at("model"), "--question", QUESTION, "--force", "--output"];
  await refused(2, /E_USAGE: .*in the model's directory/, [...model, at("model/model.safetensors")]);

  const before = readFileSync(at("asked"));
  await refused(
    3,
    /E_IO: /,
    toNowhere("--question", QUESTION, "--image", at("absent")).with(-1, at("asked")).concat("--force"),
  );
  assert.ok(readFileSync(at("asked")).equals(before), "a failure leaves the earlier output");
  await embed("asked", ["--question", QUESTION, "--force"]);
  assert.not.ok(readFileSync(at("asked")).equals(before), "--force replaces it");
  assert.not.match(readdirSync(folder).join(" "), /\.tmp\./);
});

test.run();
