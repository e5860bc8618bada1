import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Janus } from "#dist/entry/node/index.js";
import { missingBytes, type PullPlan, pull } from "#dist/entry/node/pull.js";
import { withEnvironment, withHub } from "../../../support/hub-home.js";
import type { HubServer } from "../../../support/hub-server.js";
import { golden, ROOT } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";
import { rejection } from "../../../support/waiting.js";

const test = suite("entry/node/pull");

const DEMO = `${ROOT}models/demo`;
const REQUEST = { question: "What is on the right?", images: [`${DEMO}/examples/06.png`] };

async function embedOf(model: string): Promise<Float32Array> {
  const janus = await Janus.load(model);
  try {
    return (await janus.embed(REQUEST)).inputsEmbeds.data;
  } finally {
    await janus.dispose();
  }
}

const direct = await embedOf(DEMO);

const withDemo = (work: (server: HubServer, home: string) => Promise<void>): Promise<void> =>
  withHub({ "owner/demo": { files: { directory: DEMO } } }, work);

for (const [kind, modelOf] of [
  ["a hub id", () => "owner/demo"],
  ["a URL", (server: HubServer) => server.plain("owner/demo")],
] as const) {
  test(`what was pulled embeds offline, to the same bytes: ${kind}`, () =>
    withDemo(async (server, home) => {
      const model = modelOf(server);
      const plans: PullPlan[] = [];
      const progress: number[] = [];
      const result = await pull(model, {
        onPlan: (plan) => {
          plans.push(plan);
          assert.not(
            server.requests.some(({ path, sent }) => path.endsWith("safetensors") && sent > 20_000),
            "it is said first",
          );
        },
        onProgress: (done, total) => {
          progress.push(done);
          assert.is(total, missingBytes(plans[0]!.whole) + missingBytes(plans[0]!.ranges));
        },
      });
      assert.is(plans.length, 1);
      assert.equal(
        progress.toSorted((a, b) => a - b),
        progress,
      );
      assert.is(progress.at(-1), missingBytes(result.whole) + missingBytes(result.ranges));
      assert.is(result.fetched, server.sent(), "what it says is what was sent");
      const [weights] = result.ranges.files;
      assert.is(weights?.path, "model.safetensors");
      assert.ok(result.fetched < weights!.bytes * 1.02 + 60_000, "nothing but what is used, and small files");
      assert.ok(existsSync(result.ranges.folder) && existsSync(result.whole.folder));
      server.requests.length = 0;
      await withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home, HF_HUB_OFFLINE: "1" }, async () => {
        assert.equal(await embedOf(model), direct);
      });
      assert.equal(server.requests, []);
      const again = await pull(model);
      assert.is(again.fetched, 0);
      assert.is(missingBytes(again.whole) + missingBytes(again.ranges), 0);
      assert.is(server.sent(), 0);
    }));
}

test("every recorded format, sharded and pickled too", () => {
  const names = ["tiny-hf", "tiny-orig-bin", "tiny-orig-f16"];
  const repos = Object.fromEntries(
    names.map((name) => [`owner/${name}`, { files: { directory: golden(`checkpoints/${name}`) } }]),
  );
  return withHub(repos, async (server, home) => {
    for (const name of names) {
      await pull(`owner/${name}`);
      await withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home, HF_HUB_OFFLINE: "1" }, async () => {
        const [here, there] = await Promise.all(
          [golden(`checkpoints/${name}`), `owner/${name}`].map((model) => Janus.load(model)),
        );
        const inputIds = { type: "int64", dims: [1, 4], data: BigInt64Array.from([1n, 5n, 9n, 30n]) } as const;
        assert.equal((await there!.embedTokens(inputIds)).data, (await here!.embedTokens(inputIds)).data);
        await Promise.all([here!.dispose(), there!.dispose()]);
      });
    }
  });
});

test("--all: every file in full, in Hugging Face's cache, with what was fetched of them before", () =>
  withDemo(async (server) => {
    await embedOf("owner/demo");
    const before = server.sent();
    const result = await pull("owner/demo", { all: true });
    const { folder, files } = result.whole;
    const snapshot = join(folder, "snapshots", result.revision!);
    const listed = readdirSync(DEMO, { recursive: true, encoding: "utf8" }).filter((path) => /\.\w+$/.test(path));
    assert.equal(files.map(({ path }) => path).sort(), listed.sort());
    for (const path of listed)
      assert.ok(readFileSync(join(snapshot, path)).equals(readFileSync(join(DEMO, path))), path);
    assert.equal(result.ranges.files, []);
    const all = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const listing = server.sent(/^\/api\//);
    assert.is(server.sent() - listing, all, "no byte twice");
    assert.is(result.fetched, server.sent() - listing - before);
    server.requests.length = 0;
    assert.equal(await embedOf("owner/demo"), direct);
    assert.is((await pull("owner/demo", { all: true })).fetched, 0);
  }));

test("--all of a URL, which lists nothing: the files of the checkpoint", () =>
  withDemo(async (server) => {
    const result = await pull(server.plain("owner/demo"), { all: true });
    assert.equal(
      result.whole.files.map(({ path }) => path).sort(),
      readdirSync(DEMO)
        .filter((path) => /\.(json|safetensors)$/.test(path))
        .sort(),
    );
    assert.is(result.fetched, server.sent());
    assert.is((await pull(server.plain("owner/demo"), { all: true })).fetched, 0);
  }));

test("a dry run plans, and fetches no more than it takes to know", () =>
  withDemo(async (server) => {
    const plan = await pull("owner/demo", { dryRun: true });
    assert.ok(missingBytes(plan.ranges) > 1e6);
    assert.ok(server.sent() < 20_000, `${server.sent()}`);
    assert.is(plan.fetched, server.sent());
  }));

test("revisions", () =>
  withDemo(async (server) => {
    const commit = server.commit("owner/demo");
    for (const [model, revision] of [
      ["owner/demo", "main"],
      ["owner/demo", commit],
      ["owner/demo@main", undefined],
    ] as const)
      assert.is((await pull(model, { revision, dryRun: true })).revision, commit);
    await refused(pull("owner/demo@main", { revision: "main" }), "E_USAGE", /expected a revision once/);
    await refused(pull(server.plain("owner/demo"), { revision: "main" }), "E_USAGE", /of a hub id, got a URL/);
    await refused(pull("owner/demo", { revision: "../x" }), "E_USAGE", /after the @/);
    for (const model of ["./owner/demo", "/tmp", "demo", ""])
      await refused(pull(model), "E_USAGE", /expected a hub id \(owner\/name\) or a URL/);
  }));

test("an interrupted pull has kept what it fetched", () =>
  withDemo(async (server) => {
    const controller = new AbortController();
    server.misbehave({
      path: "model.safetensors",
      at: "cdn",
      method: "GET",
      skip: 3,
      fault: { kind: "slow", bytes: 20_000, everyMs: 30 },
    });
    const pulling = rejection(
      pull("owner/demo", {
        signal: controller.signal,
        onProgress: (done) => done > 100_000 && controller.abort("stopped"),
      }),
    );
    assert.is(await pulling, "stopped");
    server.behave();
    server.requests.length = 0;
    const result = await pull("owner/demo");
    const planned = result.ranges.files.reduce((sum, { bytes }) => sum + bytes, 0);
    assert.ok(result.fetched < planned, `${result.fetched} of ${planned}`);
    assert.equal(await embedOf("owner/demo"), direct);
  }));

test("damage on disk is met and mended: ranges, and a blob of another length", () =>
  withDemo(async (server) => {
    const { ranges, whole, revision } = await pull("owner/demo");
    const names = readdirSync(ranges.folder, { recursive: true, encoding: "utf8" }).filter((name) =>
      /\/\d+-\d+-/.test(name),
    );
    const [largest] = names.sort((a, b) => Number(b.split("-")[1]) - Number(a.split("-")[1]));
    const path = join(ranges.folder, largest!);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 16;
    writeFileSync(path, bytes);
    const before = server.sent();
    assert.is((await pull("owner/demo")).fetched, bytes.length);
    assert.is(server.sent(), before + bytes.length);
    rmSync(join(whole.folder, "snapshots", revision!, "config.json"));
    assert.ok((await pull("owner/demo")).fetched === 0, "the blob is there, and linked again");
    assert.equal(await embedOf("owner/demo"), direct);
  }));

test("F09, F10: what cannot be kept is an error here, E_IO of an output", () =>
  withDemo(async (server, home) => {
    writeFileSync(join(home, "file"), "");
    for (const own of [{ HF_HUB_CACHE: join(home, "file/hub") }, { JANUS_WASM_CACHE: join(home, "file/own") }])
      await withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: join(home, "new"), ...own }, async () => {
        const error = await refused(pull("owner/demo"), "E_IO", /^write ".*ENOTDIR/);
        assert.is(error.origin, "output");
      });
  }));

test("of a hub without digests it says what is not kept where it should be", () =>
  withDemo(async (server) => {
    server.misbehave({ path: "tokenizer.json", fault: { kind: "etag", etag: '"abc-7"' } });
    const { notes } = await pull("owner/demo");
    assert.is(notes.length, 1);
    assert.match(notes[0]!, /"tokenizer\.json" does not go into Hugging Face's cache/);
  }));

test("what is no checkpoint is refused before anything large is fetched", () =>
  withHub(
    { "owner/none": { files: { "config.json": "{}", "model.safetensors": new Uint8Array(1e6) } } },
    async (server) => {
      await refused(pull("owner/none"), "E_FORMAT");
      assert.ok(server.sent() < 2000);
    },
  ));

test.run();
