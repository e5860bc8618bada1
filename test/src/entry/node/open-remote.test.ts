import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRemote } from "#dist/entry/node/open-remote.js";
import type { RemoteOptions } from "#dist/entry/node/remote-model.js";
import type { ProgressEvent } from "#dist/entry/options.js";
import { parseHubId } from "#dist/weights/hub-id.js";
import { closedPort, withEnvironment, withHub } from "../../../support/hub-home.js";
import type { HubRepo } from "../../../support/hub-server.js";
import { refused } from "../../../support/refusal.js";
import { rejection } from "../../../support/waiting.js";

const test = suite("entry/node/open-remote");

const WEIGHTS = Uint8Array.from({ length: 50_000 }, (_, i) => (i * 31 + (i >> 8)) % 256);
const FILES = { "config.json": '{"a":1}', "sub/tokenizer.json": "[]", "model.safetensors": WEIGHTS };
const COMMITS = ["0", "1"].map((digit) => digit.repeat(40));

const repos = (): Record<string, HubRepo> => ({
  "owner/name": { files: FILES, commit: COMMITS[0]!, revisions: ["main", "v1"] },
  "owner/secret": { files: FILES, token: "hf_secret" },
});
const open = (text: string, options: RemoteOptions = {}) => openRemote({ hub: parseHubId(text)! }, options);
const text = async (bytes: Promise<Uint8Array>): Promise<string> => new TextDecoder().decode(await bytes);

/** Reads of a source what a model would: small files whole, some bytes of weights. */
async function readSome(name: string, options: RemoteOptions = {}): Promise<readonly string[]> {
  const source = await open(name, options);
  try {
    assert.is(await text(source.read("config.json", 0, 7)), '{"a":1}');
    assert.is(await text(source.read("sub/tokenizer.json", 0, 2)), "[]");
    assert.is(await source.size("none.json"), undefined);
    assert.is(await source.size("model.safetensors"), WEIGHTS.length);
    assert.equal(await source.read("model.safetensors", 1000, 2000), WEIGHTS.slice(1000, 3000));
    return source.notes ?? [];
  } finally {
    await source.close();
  }
}

test("whole files go into Hugging Face's cache, ranges beside it, and a second run asks for the commit alone", () =>
  withHub(repos(), async (server, home) => {
    assert.equal(await readSome("owner/name"), []);
    assert.is(server.sent(), 7 + 2 + 2000);
    const cache = join(home, "hub/models--owner--name");
    assert.is(readFileSync(join(cache, "refs/main"), "utf8"), COMMITS[0]);
    const snapshot = join(cache, "snapshots", COMMITS[0]!);
    assert.equal(readdirSync(snapshot, { recursive: true }).sort(), ["config.json", "sub", "sub/tokenizer.json"]);
    assert.match(realpathSync(join(snapshot, "config.json")), /\/blobs\/[0-9a-f]{40}$/);
    assert.equal(readdirSync(join(cache, "blobs")).length, 2, "complete files, and nothing of the weights");
    assert.ok(existsSync(join(cache, ".no_exist", COMMITS[0]!, "none.json")));
    assert.equal(readdirSync(home).sort(), ["hub", "janus-wasm"]);
    server.requests.length = 0;
    assert.equal(await readSome("owner/name"), []);
    assert.is(server.sent(), 0);
    assert.equal(
      server.requests.map(({ method, path }) => `${method} ${path}`),
      ["HEAD /owner/name/resolve/main/config.json"],
    );
    server.requests.length = 0;
    assert.equal(await readSome(`owner/name@${COMMITS[0]}`), []);
    assert.equal(server.requests, [], "a commit needs no server at all");
  }));

test("what is in the cache already is used, weights too", () =>
  withHub(repos(), async (server, home) => {
    const snapshot = join(home, "hub/models--owner--name/snapshots", COMMITS[0]!);
    mkdirSync(join(snapshot, "../../blobs"), { recursive: true });
    mkdirSync(join(snapshot, "sub"), { recursive: true });
    for (const [path, content] of Object.entries(FILES)) {
      const blob = join(snapshot, "../../blobs", path.replaceAll("/", "-"));
      writeFileSync(blob, content);
      symlinkSync(blob, join(snapshot, path));
    }
    await readSome("owner/name");
    assert.is(server.sent(), 0);
  }));

test("main moves to another commit: both are kept, and each is itself", () => {
  const moving = {
    ...repos()["owner/name"]!,
    files: { ...FILES } as Record<string, string | Uint8Array>,
    commit: COMMITS[0]!,
  };
  return withHub({ "owner/name": moving }, async (server, home) => {
    await readSome("owner/name");
    moving.commit = COMMITS[1]!;
    moving.files["config.json"] = '{"a":2}';
    const source = await open("owner/name");
    assert.is(source.revision, COMMITS[1]);
    assert.is(await text(source.read("config.json", 0, 7)), '{"a":2}');
    const before = server.sent(/model\.safetensors/);
    assert.equal(await source.read("model.safetensors", 1000, 2000), WEIGHTS.slice(1000, 3000));
    assert.is(server.sent(/model\.safetensors/), before, "the weights are the same content, by their ETag");
    await source.close();
    const cache = join(home, "hub/models--owner--name");
    assert.is(readFileSync(join(cache, "refs/main"), "utf8"), COMMITS[1]);
    for (const [commit, content] of [
      [COMMITS[0], '{"a":1}'],
      [COMMITS[1], '{"a":2}'],
    ] as const)
      assert.is(readFileSync(join(cache, "snapshots", commit!, "config.json"), "utf8"), content);
    server.requests.length = 0;
    const old = await open(`owner/name@${COMMITS[0]}`);
    assert.is(await text(old.read("config.json", 0, 7)), '{"a":1}');
    await old.close();
    assert.equal(server.requests, []);
  });
});

test("the token goes to the hub, and to no other origin; nothing says it", () =>
  withHub(repos(), (server, home) =>
    withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home, HF_TOKEN: "hf_secret" }, async () => {
      await readSome("owner/secret");
      const source = await open("owner/secret");
      assert.equal(await source.list(), ["config.json", "model.safetensors", "sub/tokenizer.json"]);
      await source.close();
      const sent = (at: string): Set<string | undefined> =>
        new Set(server.requests.filter((one) => one.at === at).map(({ headers }) => headers.authorization));
      assert.equal([...sent("hub")], ["Bearer hf_secret"]);
      assert.equal([...sent("cdn")], [undefined]);
      for (const { headers } of server.requests) assert.match(headers["user-agent"]!, /^janus-wasm\//);
      for (const path of readdirSync(home, { recursive: true, encoding: "utf8" })) assert.not.match(path, /hf_secret/);
      const before = server.requests.length;
      const plain = await openRemote({ url: server.resolve("owner/secret") });
      await refused(plain.size("config.json"), "E_NETWORK", /status 401/);
      await plain.close();
      assert.is(server.requests[before]!.headers.authorization, undefined, "a plain URL is not the hub's");
    }),
  ));

test("a redirect to another origin takes no token along, also when it is for everything", () =>
  withHub(repos(), (server, home) =>
    withHub({ "owner/secret": { files: FILES } }, (other) =>
      withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home, HF_TOKEN: "hf_secret" }, async () => {
        server.misbehave({
          path: "config.json",
          fault: { kind: "redirect", to: `${other.resolve("owner/secret")}config.json` },
        });
        await open("owner/secret").then((source) => source.close());
        assert.ok(other.requests.length > 0);
        assert.equal(
          other.requests.filter(({ headers }) => headers.authorization !== undefined),
          [],
        );
      }),
    ),
  ));

test("refusals: no token, the wrong one, no such repository, revision or file; the token unsaid", () =>
  withHub({ ...repos(), "owner/empty": { files: { "README.md": "x" } } }, (server, home) =>
    withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home, HF_TOKEN: "hf_wrong" }, async () => {
      for (const [id, pattern] of [
        ["owner/secret", /status 403.*; its terms are to be accepted/],
        ["owner/none", /status 401.*; there is no such repository/],
        ["owner/name@v9", /status 404.*; there is no such branch/],
      ] as const) {
        const error = await refused(open(id), "E_NETWORK", pattern);
        assert.not.match(`${error.message}${error.cause}${error.stack}`, /hf_wrong/);
      }
      await refused(open("owner/empty"), "E_IO", /expected config\.json there, found none/);
      assert.equal(existsSync(join(home, "hub")), false, "nothing was written");
    }),
  ));

test("a server that is no hub says no commit, or none that is one", () =>
  withHub(repos(), async (server) => {
    server.misbehave({ fault: { kind: "status", status: 200, headers: { "x-repo-commit": "../../x", etag: '"a"' } } });
    await refused(
      open("owner/name"),
      "E_NETWORK",
      /expected the commit \(X-Repo-Commit\), got "\.\.\/\.\.\/x"; does HF_ENDPOINT/,
    );
  }));

test("L14: HF_HUB_OFFLINE asks no server, and names what is missing", () =>
  withHub(repos(), async (server, home) => {
    const offline = { HF_ENDPOINT: server.url, HF_HOME: home, HF_HUB_OFFLINE: "1" };
    await withEnvironment(offline, async () => {
      await refused(open("owner/name"), "E_IO", /HF_HUB_OFFLINE is set, and .*models--owner--name" has no refs\/main/);
    });
    await readSome("owner/name");
    server.requests.length = 0;
    await withEnvironment(offline, async () => {
      await readSome("owner/name");
      const source = await open("owner/name");
      await refused(
        source.read("model.safetensors", 2000, 3000),
        "E_IO",
        /2000 bytes at 3000 are not in/,
        /HF_HUB_OFFLINE/,
      );
      await refused(source.read("other.json", 0, 1), "E_IO", /found none/);
      await source.close();
      await refused(open("owner/name@v1"), "E_IO", /has no refs\/v1/);
    });
    assert.equal(server.requests, []);
  }));

test("a hub that is not reached: what is here is taken, and said", () =>
  withHub(repos(), async (server, home) => {
    const away = `http://127.0.0.1:${await closedPort()}`;
    await withEnvironment({ HF_ENDPOINT: away, HF_HOME: home }, async () => {
      await refused(open("owner/name"), "E_NETWORK", /ECONNREFUSED/);
    });
    await readSome("owner/name");
    // Ranges are kept by endpoint: what one server says of a file is not another one's.
    cpSync(join(home, "janus-wasm"), join(home, "copy"), { recursive: true });
    await withEnvironment({ HF_ENDPOINT: away, HF_HOME: home }, async () => {
      const source = await open("owner/name");
      assert.is(await text(source.read("config.json", 0, 7)), '{"a":1}');
      assert.match(
        source.notes?.[0] ?? "",
        /ECONNREFUSED.*only what is here is taken, of the commit that main was: 0{40}/,
      );
      await source.close();
    });
    server.misbehave({ fault: { kind: "status", status: 401 } });
    await refused(open("owner/name"), "E_NETWORK", /status 401/);
  }));

test("F09, F10: a cache that cannot be written to is said, and the run goes on", () =>
  withHub(repos(), async (server, home) => {
    writeFileSync(join(home, "file"), "");
    const unwritable = { HF_HUB_CACHE: join(home, "file/hub"), JANUS_WASM_CACHE: join(home, "file/own") };
    await withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home, ...unwritable }, async () => {
      const notes = await readSome("owner/name");
      assert.is(notes.length, 2, notes.join("\n"));
      for (const note of notes)
        assert.match(
          note,
          /^nothing can be kept in ".*file\/(hub|own).*" \(ENOTDIR: not a directory\): this run goes on/,
        );
      await refused(
        open("owner/name", { mustKeep: true }).then((source) => source.read("config.json", 0, 7)),
        "E_IO",
        /ENOTDIR/,
      );
    });
    assert.equal(readdirSync(home), ["file"]);
  }));

test("progress is told of whole files, by transformers.js' names", () =>
  withHub(repos(), async () => {
    const events: ProgressEvent[] = [];
    await readSome("owner/name", { onProgress: (event) => events.push(event) });
    const of = (file: string): string[] =>
      events.flatMap((event) => ("file" in event && event.file === file ? [event.status] : []));
    assert.equal(
      of("config.json").filter((status, i, all) => status !== all[i - 1]),
      ["initiate", "download", "progress", "done"],
    );
    assert.equal(of("sub/tokenizer.json").at(-1), "done");
    const last = events.filter((event) => event.status === "progress").at(-1);
    assert.equal(last, { status: "progress", file: "sub/tokenizer.json", progress: 100, loaded: 2, total: 2 });
    const again: ProgressEvent[] = [];
    await readSome("owner/name", { onProgress: (event) => again.push(event) });
    assert.equal(again, []);
  }));

test("several readers of one file fetch it once, and an abort is its own caller's", () =>
  withHub(repos(), async (server) => {
    const source = await open("owner/name");
    server.misbehave({ method: "GET", path: "tokenizer.json", fault: { kind: "slow", bytes: 1, everyMs: 100 } });
    const controller = new AbortController();
    const stopped = rejection(source.read("sub/tokenizer.json", 0, 2, controller.signal));
    const other = text(source.read("sub/tokenizer.json", 0, 2));
    setTimeout(() => controller.abort("stopped"), 20);
    assert.is(await stopped, "stopped");
    assert.is(await other, "[]");
    assert.is(server.sent(/tokenizer\.json/), 2);
    await source.close();
  }));

test("F12: a whole file that is not what its digest says is E_INTEGRITY, and never in the cache", () =>
  withHub(repos(), async (server, home) => {
    const source = await open("owner/name");
    server.misbehave({
      method: "GET",
      path: "config.json",
      fault: { kind: "content", bytes: '{"b":1}', sameEtag: true },
    });
    const error = (await rejection(source.read("config.json", 0, 7))) as { code: string };
    assert.is(error.code, "E_INTEGRITY");
    await source.close();
    assert.equal(readdirSync(join(home, "hub/models--owner--name/blobs")), []);
    server.behave();
    await readSome("owner/name");
  }));

test.run();
