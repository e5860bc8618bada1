import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { OFFLINE_STEP } from "#dist/entry/node/hub-settings.js";
import { RangeStore } from "#dist/entry/node/range-store.js";
import { StoredSource } from "#dist/entry/stored-source.js";
import { httpSource } from "#dist/weights/http-source.js";
import { HubServer } from "../../support/hub-server.js";
import { refused } from "../../support/refusal.js";
import { inScratch } from "../../support/scratch.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/stored-source");

const CONTENT = Uint8Array.from({ length: 50_000 }, (_, i) => (i * 31 + (i >> 8)) % 256);
const PATH = "model.safetensors";
const REPO = "owner/name";

interface Opened {
  readonly source: StoredSource;
  readonly store: RangeStore;
  readonly refusals: unknown[];
}

function open(server: HubServer, root: string, options: { commit?: string; offline?: boolean } = {}): Opened {
  const { commit, offline = false } = options;
  const base = commit === undefined ? server.plain(REPO) : server.resolve(REPO, commit);
  const remote = offline ? undefined : httpSource(base, { backoffMs: 1 });
  const store = new RangeStore(root, server.plain(REPO));
  const refusals: unknown[] = [];
  const onUnwritable = (error: unknown): number => refusals.push(error);
  return {
    source: new StoredSource({ label: "stored", remote, store, commit, onUnwritable, missing: OFFLINE_STEP }),
    store,
    refusals,
  };
}

/** A server whose one file may be exchanged. */
function withFile(
  work: (server: HubServer, root: string, files: Record<string, Uint8Array>) => Promise<void>,
): Promise<void> {
  return inScratch((root) => {
    const files: Record<string, Uint8Array> = { [PATH]: CONTENT };
    return HubServer.with({ [REPO]: { files } }, (server) => work(server, root, files));
  });
}

/** The files of ranges below a store's folder. */
function ranges(store: RangeStore): string[] {
  return readdirSync(store.path, { recursive: true, encoding: "utf8" })
    .filter((name) => /\/\d+-\d+-/.test(name))
    .map((name) => join(store.path, name))
    .sort();
}

for (const kind of ["a plain URL", "a commit"] as const) {
  test(`what was fetched once is not fetched again, by this process or another: ${kind}`, () =>
    withFile(async (server, root) => {
      const options = kind === "a commit" ? { commit: server.commit(REPO) } : {};
      const first = open(server, root, options);
      assert.equal(await first.source.read(PATH, 1000, 500), CONTENT.slice(1000, 1500));
      assert.equal(await first.source.read(PATH, 1100, 200), CONTENT.slice(1100, 1300));
      assert.is(server.sent(), 500);
      const { source } = open(server, root, options);
      assert.equal(await source.read(PATH, 1000, 500), CONTENT.slice(1000, 1500));
      assert.is(server.sent(), 500);
      assert.equal(await source.read(PATH, 900, 1000), CONTENT.slice(900, 1900), "what is missing, and no more");
      assert.is(server.sent(), 1000);
      assert.is(await source.size(PATH), CONTENT.length);
      assert.is(await source.size("none"), undefined);
    }));
}

test("of a commit what is known of a file is not asked again; of a URL once in every run", () =>
  withFile(async (server, root) => {
    const commit = server.commit(REPO);
    for (const [options, asked] of [
      [{ commit }, [1, 0]],
      [{}, [1, 1]],
    ] as const) {
      for (const count of asked) {
        server.requests.length = 0;
        const { source } = open(server, root, options);
        await Promise.all([source.size(PATH), source.size(PATH), source.size(PATH)]);
        assert.is(server.requests.filter(({ method }) => method === "HEAD").length, count);
      }
    }
  }));

test("another content under the same URL is fetched, and what was kept of the old one is not used", () =>
  withFile(async (server, root, files) => {
    await open(server, root).source.read(PATH, 0, 1000);
    const other = CONTENT.map((byte) => byte ^ 255);
    files[PATH] = other;
    assert.equal(await open(server, root).source.read(PATH, 0, 1000), other.slice(0, 1000));
    files[PATH] = CONTENT;
    const before = server.sent();
    assert.equal(await open(server, root).source.read(PATH, 0, 1000), CONTENT.slice(0, 1000), "the old one, again");
    assert.is(server.sent(), before);
  }));

test("F13: a file that changes while it is read is E_INTEGRITY, and the next run is right", () =>
  withFile(async (server, root, files) => {
    const { source } = open(server, root);
    await source.read(PATH, 0, 1000);
    const other = CONTENT.map((byte) => byte ^ 255);
    files[PATH] = other;
    await refused(source.read(PATH, 1000, 1000), "E_INTEGRITY");
    assert.equal(await open(server, root).source.read(PATH, 0, 2000), other.slice(0, 2000));
  }));

test("a server that has another content under the same commit is E_INTEGRITY before its bytes are put beside the old ones", () =>
  withFile(async (server, root, files) => {
    const options = { commit: server.commit(REPO) };
    await open(server, root, options).source.read(PATH, 0, 1000);
    const other = CONTENT.map((byte) => byte ^ 255);
    files[PATH] = other;
    const { source } = open(server, root, options);
    assert.equal(await source.read(PATH, 0, 1000), CONTENT.slice(0, 1000), "what is kept is that of the commit");
    await refused(source.read(PATH, 500, 1000), "E_INTEGRITY", /it has changed on the server, load it again/);
    assert.equal(await open(server, root, options).source.read(PATH, 500, 1000), other.slice(500, 1500));
  }));

test("without a strong ETag nothing is kept, because nothing would tell that it is another file", () =>
  withFile(async (server, root) => {
    for (const etag of [undefined, 'W/"weak"']) {
      server.behave();
      server.misbehave({ fault: { kind: "etag", etag } });
      for (let run = 0; run < 2; run++) {
        const before = server.sent();
        assert.equal(await open(server, root).source.read(PATH, 0, 1000), CONTENT.slice(0, 1000));
        assert.is(server.sent(), before + 1000);
      }
    }
  }));

test("F12: a kept range that is damaged is fetched again, and nothing else", () =>
  withFile(async (server, root) => {
    const first = open(server, root);
    for (const at of [0, 5000, 9000]) await first.source.read(PATH, at, 1000);
    const [path] = ranges(first.store).filter((name) => name.includes("/5000-"));
    const bytes = readFileSync(path!);
    bytes[500]! ^= 1;
    writeFileSync(path!, bytes);
    const before = server.sent();
    const { source } = open(server, root);
    for (const at of [0, 5000, 9000]) assert.equal(await source.read(PATH, at, 1000), CONTENT.slice(at, at + 1000));
    assert.is(server.sent(), before + 1000);
    const { source: third } = open(server, root);
    assert.equal(await third.read(PATH, 5000, 1000), CONTENT.slice(5000, 6000));
    assert.is(server.sent(), before + 1000);
  }));

test("a record that is damaged is asked anew", () =>
  withFile(async (server, root) => {
    const options = { commit: server.commit(REPO) };
    const first = open(server, root, options);
    await first.source.read(PATH, 0, 1000);
    const folder = join(first.store.path, "files");
    const [record] = readdirSync(folder);
    const good = readFileSync(join(folder, record!), "utf8");
    for (const bad of [
      "",
      "{",
      "null",
      "[]",
      "{}",
      good.replace("50000", '"50000"'),
      good.replace("50000", "-1"),
      good.replace(PATH, "other"),
    ]) {
      writeFileSync(join(folder, record!), bad);
      assert.equal(await open(server, root, options).source.read(PATH, 0, 1000), CONTENT.slice(0, 1000), bad);
    }
    assert.is(server.sent(), 1000);
  }));

test("F09, F10: a store that cannot be written to is told once, and reading goes on", () =>
  withFile(async (server, root) => {
    writeFileSync(join(root, "file"), "");
    const { source, refusals } = open(server, join(root, "file/store"));
    for (const at of [0, 100, 0]) assert.equal(await source.read(PATH, at, 100), CONTENT.slice(at, at + 100));
    assert.is(refusals.length, 1);
    assert.is((refusals[0] as NodeJS.ErrnoException).code, "ENOTDIR");
    assert.is(server.sent(), 300);
  }));

test("offline there is what was kept; what is missing is named", () =>
  withFile(async (server, root) => {
    for (const commit of [undefined, server.commit(REPO)]) {
      const options = commit === undefined ? {} : { commit };
      await open(server, root, options).source.read(PATH, 1000, 1000);
      const asked = server.requests.length;
      const { source, store } = open(server, root, { ...options, offline: true });
      assert.is(await source.size(PATH), CONTENT.length);
      assert.is(await source.size("other"), undefined);
      assert.equal(await source.read(PATH, 1000, 1000), CONTENT.slice(1000, 2000));
      const error = await refused(
        source.read(PATH, 1500, 1000),
        "E_IO",
        /500 bytes at 2000 are not in/,
        /HF_HUB_OFFLINE/,
      );
      assert.ok(error.message.includes(store.path));
      assert.is(server.requests.length, asked);
    }
  }));

test("reads beyond a file, and of none, are refused before anything is allocated", () =>
  withFile(async (server, root) => {
    const { source } = open(server, root);
    await refused(source.read(PATH, 0, Number.MAX_SAFE_INTEGER), "E_IO", /found a file of 50000/);
    await refused(source.read(PATH, -1, 10), "E_IO");
    await refused(source.read("none", 0, 10), "E_IO", /found none/);
  }));

test("an abort rejects with its reason, and leaves the source usable", () =>
  withFile(async (server, root) => {
    const { source } = open(server, root);
    server.misbehave({ method: "GET", times: 1, fault: { kind: "stall", after: 100 } });
    const controller = new AbortController();
    const reading = rejection(source.read(PATH, 0, 1000, controller.signal));
    setTimeout(() => controller.abort("stopped"), 50);
    assert.is(await reading, "stopped");
    assert.equal(await source.read(PATH, 0, 1000), CONTENT.slice(0, 1000));
    assert.is(await rejection(source.size(PATH, AbortSignal.abort("before"))), "before");
  }));

test("F14: several at once end with a good store", () =>
  withFile(async (server, root) => {
    const sources = Array.from({ length: 4 }, () => open(server, root).source);
    const reads = sources.flatMap((source) => [source.read(PATH, 0, 20_000), source.read(PATH, 10_000, 20_000)]);
    const [a, b] = [CONTENT.slice(0, 20_000), CONTENT.slice(10_000, 30_000)];
    assert.equal(await Promise.all(reads), [a, b, a, b, a, b, a, b]);
    const before = server.sent();
    assert.equal(await open(server, root).source.read(PATH, 0, 30_000), CONTENT.slice(0, 30_000));
    assert.is(server.sent(), before);
  }));

test.run();
