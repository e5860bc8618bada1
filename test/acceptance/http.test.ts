/** Checkpoints that lie elsewhere, through the public doors: what comes over HTTP, out of Blobs or out of memory is what a directory holds, or an error with a name. */
import { existsSync, openAsBlob, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inspectModel } from "#dist/entry/inspect.js";
import { nodeHost } from "#dist/entry/node/host.js";
import type { ModelInput, ProgressEvent } from "#dist/entry/node/index.js";
import { httpSource, Janus } from "#dist/entry/node/index.js";
import { pack } from "#dist/entry/node/pack.js";
import { janus, temporaryFolder } from "../support/cli.js";
import { type Fault, PAGE } from "../support/hub-faults.js";
import { emptyHome } from "../support/hub-home.js";
import { type HubRepo, HubServer } from "../support/hub-server.js";
import { golden, ROOT } from "../support/paths.js";
import { refused } from "../support/refusal.js";
import { TINY, tinyFiles } from "../support/tiny-checkpoints.js";
import { rejection, within } from "../support/waiting.js";

const test = suite("http");

const DEMO = `${ROOT}models/demo`;
const PICTURE = `${DEMO}/examples/06.png`;
const QUESTION = "What is on the right?";
const folder = temporaryFolder();
const packed = join(folder, "packed");

const directories: Record<string, string> = {
  ...Object.fromEntries(TINY.map((name) => [name, golden(`checkpoints/${name}`)])),
  demo: DEMO,
  packed,
};
const repos: Record<string, HubRepo> = {};
let server: HubServer;

test.before(async () => {
  await pack(DEMO, packed, { dtype: "int8", shardSize: 500_000, threads: 1 });
  for (const [name, directory] of Object.entries(directories)) repos[`owner/${name}`] = { files: { directory } };
  server = await HubServer.start(repos);
});
test.before.each(() => {
  emptyHome();
  server.behave();
  server.requests.length = 0;
});
test.after(() => server.close());

const bytesOf = (data: Float32Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** 30 x 20 pixels: no decoder is started for them. */
const PIXELS = { width: 30, height: 20, data: Uint8Array.from({ length: 30 * 20 * 3 }, (_, i) => (i * 7) % 256) };

/** The embeddings of a question and a picture. */
async function embedded(model: ModelInput, options: Parameters<typeof Janus.load>[1] = {}): Promise<Buffer> {
  const loaded = await Janus.load(model, { threads: 1, ...options });
  try {
    const out = await loaded.embed({ question: QUESTION, images: [PIXELS] });
    return bytesOf(out.inputsEmbeds.data);
  } finally {
    await loaded.dispose();
  }
}

const files = (name: string): string[] =>
  readdirSync(directories[name]!, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

for (const name of [...TINY, "demo", "packed"]) {
  test(`${name}: the same embeddings from a URL and a hub's files as from its directory`, async () => {
    const expected = await embedded(directories[name]!);
    for (const model of [server.plain(`owner/${name}`), server.resolve(`owner/${name}`)])
      assert.ok((await embedded(model)).equals(expected), model);
  });
}

for (const name of ["tiny-hf", "tiny-orig-bin-single", "packed"]) {
  test(`${name}: the same embeddings from Blobs, a list of Files, bytes and a URL without a slash`, async () => {
    const directory = directories[name]!;
    const expected = await embedded(directory);
    const blobs: [string, Blob][] = [];
    for (const file of files(name)) blobs.push([file, await openAsBlob(join(directory, file))]);
    const bytes = files(name).map((file) => [file, readFileSync(join(directory, file))] as const);
    for (const [from, model] of [
      ["a URL without a slash", new URL(server.plain(`owner/${name}`).replace(/\/$/, ""))],
      ["Blobs", new Map(blobs)],
      ["Files", blobs.map(([file, blob]) => new File([blob], file))],
      ["bytes", Object.fromEntries(bytes)],
    ] as const) {
      assert.ok((await embedded(model)).equals(expected), from);
    }
  });
}

/** Bytes of the weight files that are neither of tensors nor avoidable: the headers that say where those lie. */
function headerBytes(name: string): number {
  return files(name)
    .filter((file) => file.endsWith(".safetensors"))
    .map((file) => 8 + Number(readFileSync(join(directories[name]!, file)).readBigUInt64LE(0)))
    .reduce((sum, bytes) => sum + bytes, 0);
}

/*
 * Counted: the bodies of all answers for weight files, as the server handed them to the connection, less the headers of the files (which a full-size checkpoint's
 * tensors make 0.01 %), against the stored bytes of the tensors in use without the token table, of which encoding reads nothing.
 */
test("at most 1.02 times the bytes of the tensors in use are transferred, in few requests", async () => {
  for (const name of ["demo", "packed", "tiny-hf", "tiny-orig-safetensors"]) {
    const url = server.plain(`owner/${name}`);
    server.requests.length = 0;
    const { tensors } = await inspectModel(nodeHost(), url);
    const inspected = server.sent(/\.safetensors$/);
    assert.is(inspected, headerBytes(name), `${name}: inspecting reads headers alone`);
    const used = tensors.used.filter((tensor) => !/embed_tokens/.test(tensor.name));
    const bytes = used.reduce((sum, tensor) => sum + tensor.bytes, 0);
    emptyHome();
    server.requests.length = 0;
    const loaded = await Janus.load(url, { threads: 1 });
    await loaded.dispose();
    const sent = server.sent(/\.safetensors$/) - headerBytes(name);
    assert.ok(
      sent >= bytes && sent <= bytes * 1.02,
      `${name}: ${sent} bytes sent for ${bytes} of ${used.length} tensors`,
    );
    assert.ok(server.requests.length <= 60, `${name}: ${server.requests.length} requests`);
  }
});

test("of the token table the rows of the prompt are transferred", async () => {
  const url = server.plain("owner/demo");
  const loaded = await Janus.load(url, { threads: 1 });
  server.requests.length = 0;
  await loaded.embedTokens({ type: "int64", dims: [1, 3], data: BigInt64Array.of(5n, 6n, 300n) });
  const rowBytes = 128 * 2;
  // Rows 5 and 6 are one range, with row 300 too far away.
  assert.is(server.requests.length, 2);
  assert.ok(server.sent() <= 3 * rowBytes, `${server.sent()} bytes`);
  await loaded.dispose();
});

test("progress has the names of transformers.js, and says which URL, without what is secret in it", async () => {
  const events: ProgressEvent[] = [];
  const url = new URL(server.plain("owner/demo"));
  url.username = "user";
  url.password = "secret";
  url.search = "?sig=secret";
  await embedded(url, { onProgress: (event) => events.push(event) });
  const names = [...new Set(events.map(({ status }) => status))];
  assert.equal(names, ["initiate", "download", "progress", "done", "ready"]);
  for (const event of events) if ("file" in event) assert.is(event.file, server.plain("owner/demo"));
});

// A load that is disturbed ends in the same embeddings.
for (const [name, fault, times] of [
  ["every connection is cut after 200 kB", { kind: "cut", after: 200_000 }, Number.POSITIVE_INFINITY],
  ["ten connections are cut at once", { kind: "cut", after: 0 }, 3],
  ["the server is busy for a moment", { kind: "status", status: 503 }, 3],
  ["answers are shorter than asked for", { kind: "short-range", bytes: 300_000 }, Number.POSITIVE_INFINITY],
] as const satisfies readonly (readonly [string, Fault, number])[]) {
  test(`${name}: the model loads, and embeds the same`, async () => {
    const expected = await embedded(DEMO);
    const source = httpSource(server.plain("owner/demo"), { backoffMs: 1 });
    server.misbehave({ path: "model.safetensors", method: "GET", times, fault });
    assert.ok((await within(20_000, embedded(source), name)).equals(expected));
  });
}

// And one that cannot be loaded is not: whenever it happens, no model comes out of it.
for (const [name, fault, code, pattern] of [
  ["changes", { kind: "content", bytes: new Uint8Array(3_000_000) }, "E_INTEGRITY", /unchanged since it was opened/],
  ["gets another ETag", { kind: "etag", etag: '"2"' }, "E_INTEGRITY", /found another \("ETag ..2/],
  ["is no longer given by ranges", { kind: "whole" }, "E_NETWORK", /got 200 with the whole file/],
  ["becomes a login page", { kind: "page" }, "E_FORMAT", /HTML page/],
  ["is no longer there", { kind: "status", status: 404 }, "E_NETWORK", /status 404/],
  [
    "is asked for too often",
    { kind: "status", status: 429, headers: { "retry-after": "999" } },
    "E_NETWORK",
    /asks to wait 999 s/,
  ],
  ["is sent from another place", { kind: "content-range", value: "bytes 0-99/1000" }, "E_INTEGRITY", /1000 bytes/],
  ["never comes", { kind: "stall", after: 0, beforeHeaders: true }, "E_NETWORK", /silence/],
] as const satisfies readonly (readonly [string, Fault, string, RegExp])[]) {
  test(`a file that ${name} while it is loaded is ${code}`, async () => {
    for (const skip of [2, 3]) {
      server.behave();
      const source = httpSource(server.plain("owner/demo"), { backoffMs: 1, stallMs: 500, retries: 1 });
      server.misbehave({ path: "model.safetensors", method: "GET", skip, fault });
      await refused(within(10_000, Janus.load(source, { threads: 1 }), name), code, pattern);
    }
  });
}

test("a server that answers with its page for whatever it does not have: every layout loads", async () => {
  for (const name of ["tiny-orig-bin", "tiny-orig-bin-single", "tiny-hf", "tiny-orig-safetensors"]) {
    const directory = golden(`checkpoints/${name}`);
    await HubServer.with({ "owner/tiny": { files: { directory } } }, async (pages) => {
      for (const path of [
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "preprocessor_config.json",
        "processor_config.json",
        "special_tokens_map.json",
        "tokenizer_config.json",
      ])
        if (!existsSync(join(directory, path))) pages.misbehave({ path: `/${path}`, fault: { kind: "page" } });
      const model = await Janus.load(pages.plain("owner/tiny"), { threads: 1 });
      const { imageSize } = model.config;
      const picture = { width: imageSize, height: imageSize, data: new Uint8Array(3 * imageSize ** 2) };
      assert.ok((await model.encode(await model.preprocess(picture))).dims.length === 3, name);
      await model.dispose();
      pages.misbehave({ path: "/config.json", fault: { kind: "page" } });
      await refused(Janus.load(pages.plain("owner/tiny"), { threads: 1 }), "E_FORMAT", /config\.json.*HTML page/);
    });
  }
});

test("an abort while the weights are on their way rejects with its reason", async () => {
  server.misbehave({ path: "model.safetensors", method: "GET", skip: 2, fault: { kind: "stall", after: 1000 } });
  const abort = new AbortController();
  const loading = rejection(Janus.load(server.plain("owner/demo"), { threads: 1, signal: abort.signal }));
  setTimeout(() => abort.abort("stopped"), 300);
  assert.is(await within(3000, loading, "an abort"), "stopped");
});

test("a packed checkpoint is compared with its checksums over HTTP, too", async () => {
  const url = server.plain("owner/packed");
  await (await Janus.load(url, { threads: 1, verify: true })).dispose();
  const [shard] = files("packed").filter((file) => file.endsWith(".safetensors"));
  const damaged = new Uint8Array(readFileSync(join(packed, shard!)));
  damaged[damaged.length - 1]! ^= 1;
  server.misbehave({ path: shard!, fault: { kind: "content", bytes: damaged } });
  await refused(Janus.load(url, { threads: 1, verify: true }), "E_INTEGRITY", /expected SHA-256 .* of tensor/);
});

test("the command line takes a URL: encode, embed, inspect and pack, with the same bytes", async () => {
  const url = server.resolve("owner/demo");
  const secret = `${url.replace("//", "//user:secret@")}?sig=secret`;
  for (const [verb, args] of [
    ["encode", ["--image", PICTURE]],
    ["embed", ["--question", QUESTION, "--image", PICTURE]],
  ] as const) {
    const outputs: Buffer[] = [];
    for (const [i, model] of [DEMO, secret].entries()) {
      const output = join(folder, `${verb}-${i}.safetensors`);
      const run = await janus([verb, "--model", model, ...args, "--threads", "1", "--output", output]);
      assert.is(run.status, 0, run.stderr);
      assert.not.match(run.stderr, /secret/);
      outputs.push(readFileSync(output));
    }
    assert.ok(outputs[0]?.equals(outputs[1]!), verb);
  }
  const shown = await janus(["inspect", "--model", secret]);
  assert.is(shown.status, 0, shown.stderr);
  assert.ok(shown.stdout.startsWith(`${url}: original layout, safetensors, bf16`), shown.stdout);
  assert.not.match(shown.stdout, /secret/);
  const output = join(folder, "packed-over-http");
  const made = await janus(["pack", "--model", url, "--output", output, "--dtype", "int8", "--shard-size", "500000"]);
  assert.is(made.status, 0, made.stderr);
  for (const file of files("packed"))
    assert.ok(readFileSync(join(output, file)).equals(readFileSync(join(packed, file))), file);
});

test("the command line's exit status: 6 for the network, 4 for what is not a checkpoint, 2 for what is no URL", async () => {
  const output = join(folder, "none.safetensors");
  const run = (model: string) => janus(["encode", "--model", model, "--image", PICTURE, "--output", output]);
  const url = server.plain("owner/demo");
  const gone = await HubServer.start({});
  const nobody = gone.url;
  await gone.close();
  server.misbehave({ path: "demo/model.safetensors", fault: { kind: "status", status: 403 } });
  for (const [model, status, message] of [
    [url, 6, /^janus: E_NETWORK: reading "model\.safetensors" from "http.*": expected the file, got status 403/],
    [nobody, 6, /^janus: E_NETWORK: .*got ECONNREFUSED/],
    [
      `${server.url}/nothing/here`,
      4,
      /^janus: E_CONFIG|^janus: E_IO: reading "http.*": expected one of model.safetensors/,
    ],
    ["http://", 2, /^janus: E_USAGE: opening a URL/],
  ] as const) {
    const { status: got, stderr, stdout } = await within(20_000, run(model), model);
    assert.is(got, status, stderr);
    assert.match(stderr, message);
    assert.is(stderr.trim().split("\n").length, 1, stderr);
    assert.is(stdout, "");
  }
  server.behave();
  server.misbehave({ path: "none", fault: { kind: "page" } });
  server.misbehave({ fault: { kind: "content", bytes: PAGE } });
  const page = await run(url);
  assert.is(page.status, 4, page.stderr);
  assert.not(existsSync(output));
});

test("what a tiny checkpoint in memory lacks is told as of a directory", async () => {
  const { "config.json": _, ...rest } = tinyFiles("tiny-hf");
  await refused(Janus.load(rest), "E_CONFIG", /expected it in "memory", found none/);
  const { "model-00001-of-00002.safetensors": __, ...half } = tinyFiles("tiny-hf");
  await refused(Janus.load(half), "E_IO", /found 1 missing/);
});

test.run();
