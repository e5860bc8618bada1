import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRemote } from "#dist/entry/node/open-remote.js";
import type { RemoteModel, RemoteOptions } from "#dist/entry/node/remote-model.js";
import { withHub } from "../../../support/hub-home.js";
import type { HubServer } from "../../../support/hub-server.js";

const test = suite("entry/node/hub-source");

const REPO = "owner/name";
const FILES: Record<string, string> = { "config.json": '{"a":1}', "tokenizer.json": '{"b":22}', "x.json": '{"c":333}' };

async function withSource<T>(work: (source: RemoteModel) => Promise<T>, options: RemoteOptions = {}): Promise<T> {
  const source = await openRemote({ hub: { repo: REPO, revision: "main" } }, options);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

async function textOf(source: RemoteModel, path: string): Promise<string | undefined> {
  const size = await source.size(path);
  return size === undefined ? undefined : new TextDecoder().decode(await source.read(path, 0, size));
}

async function readsAll(source: RemoteModel): Promise<void> {
  for (const [path, text] of Object.entries(FILES)) assert.is(await textOf(source, path), text, path);
}

const withFiles = (
  work: (server: HubServer, cache: string, files: Record<string, string>) => Promise<void>,
): Promise<void> => {
  const files = { ...FILES };
  return withHub({ [REPO]: { files } }, (server, home) =>
    work(server, join(home, "hub", "models--owner--name"), files),
  );
};

const names = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);

test("a small file is kept under the digest that the hub names it by", () =>
  withFiles(async (server, cache) => {
    await withSource(async (source) => {
      await readsAll(source);
      assert.equal(source.notes, []);
    });
    const blobs = Object.values(FILES).map((text) =>
      createHash("sha1").update(`blob ${text.length}\0${text}`).digest("hex"),
    );
    assert.equal(names(join(cache, "blobs")), blobs.sort());
    const sent = server.sent();
    await withSource(readsAll);
    assert.is(server.sent(), sent);
  }));

for (const [what, etag, kept] of [
  ["no ETag", undefined, /got no strong ETag; it is kept in memory alone/],
  ["a weak ETag", 'W/"abc"', /got no strong ETag; it is kept in memory alone/],
  [
    "the same ETag for every file",
    '"one-for-all"',
    /got ETag "one-for-all"; its parts are kept in the store of ranges/,
  ],
] as const) {
  test(`a hub that sends ${what}: every file is its own, and none goes into Hugging Face's cache`, () =>
    withFiles(async (server, cache) => {
      server.misbehave({ fault: { kind: "etag", etag } });
      for (let run = 0; run < 3; run++)
        await withSource(async (source) => {
          await readsAll(source);
          await readsAll(source);
          const notes = source.notes ?? [];
          assert.is(notes.length, Object.keys(FILES).length, "once for a file");
          for (const note of notes) assert.match(note, kept);
        });
      assert.equal(names(join(cache, "blobs")), []);
      assert.equal(names(join(cache, "snapshots")), []);
    }));
}

test("a blob that Python named by another ETag is read", () =>
  withFiles(async (server, cache) => {
    const snapshot = join(cache, "snapshots", server.commit(REPO));
    mkdirSync(snapshot, { recursive: true });
    writeFileSync(join(snapshot, "config.json"), "theirs");
    assert.is(await withSource((source) => textOf(source, "config.json")), "theirs");
  }));

test("an answer under an ETag that is no digest is forgotten when the server is mended", () =>
  withFiles(async (server, _, files) => {
    files["config.json"] = "version https://git-lfs.github.com/spec/v1\n";
    server.misbehave({ path: "config.json", fault: { kind: "etag", etag: '"p"' } });
    assert.is(await withSource((source) => textOf(source, "config.json")), files["config.json"]);
    files["config.json"] = FILES["config.json"]!;
    server.behave();
    await withSource(async (source) => {
      await readsAll(source);
      assert.equal(source.notes, [], "the digest that it has now is taken");
    });
  }));

test("an absence is remembered when the hub says so, and not when a server merely answers 404", () =>
  withFiles(async (server, cache) => {
    const absences = (): string[] => names(join(cache, ".no_exist", server.commit(REPO)));
    server.misbehave({ path: "x.json", fault: { kind: "status", status: 404 } });
    assert.is(await withSource((source) => textOf(source, "x.json")), undefined);
    assert.equal(absences(), []);
    server.behave();
    await withSource(readsAll);
    assert.is(await withSource((source) => source.size("none.json")), undefined);
    assert.equal(absences(), ["none.json"]);
    const asked = server.requests.length;
    assert.is(await withSource((source) => source.size("none.json")), undefined);
    assert.is(server.requests.length, asked + 1, "the commit of main");
  }));

test("that a needed file is absent is asked for again, and forgotten when it is there", () =>
  withFiles(async (server, cache, files) => {
    delete files["tokenizer.json"];
    assert.is(await withSource((source) => textOf(source, "tokenizer.json")), undefined);
    const absence = join(cache, ".no_exist", server.commit(REPO), "tokenizer.json");
    assert.ok(existsSync(absence));
    files["tokenizer.json"] = FILES["tokenizer.json"]!;
    assert.is(await withSource((source) => textOf(source, "tokenizer.json")), FILES["tokenizer.json"]);
    assert.not(existsSync(absence));
    assert.is(readFileSync(join(cache, "snapshots", server.commit(REPO), "tokenizer.json"), "utf8"), '{"b":22}');
  }));

test("where keeping is the task a file that is cut short is fetched again, and read as it should be", () =>
  withFiles(async (server, cache) => {
    await withSource(readsAll);
    const path = join(cache, "snapshots", server.commit(REPO), "x.json");
    writeFileSync(path, "{");
    await withSource(
      async (source) => {
        assert.not(await source.hasWhole("x.json"));
        await source.fetchWhole("x.json", {});
        assert.ok(await source.hasWhole("x.json"));
        assert.ok(source.fetched > 0);
        await readsAll(source);
      },
      { mustKeep: true },
    );
    assert.is(readFileSync(path, "utf8"), FILES["x.json"]);
  }));

test.run();
