/** The server that sources are tested against does what it is said to do. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lfsPointer, PAGE } from "./hub-faults.js";
import { HubServer } from "./hub-server.js";
import { rejection } from "./waiting.js";

const test = suite("support/hub-server");

const CONTENT = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251);
const FILES = { "config.json": '{"a":1}', "sub/a b.safetensors": CONTENT };
const REPOS = { "owner/name": { files: FILES }, "owner/secret": { files: FILES, token: "hf_secret" } };

const ask = (url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> =>
  fetch(url, { method, headers, redirect: "manual" });
const body = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

test("the hub's protocol: revisions, commits, files, large ones elsewhere, ranges", () =>
  HubServer.with(REPOS, async (server) => {
    const commit = server.commit("owner/name");
    const info = await (await ask(`${server.url}/api/models/owner/name/revision/main`)).json();
    assert.is(info.sha, commit);
    assert.equal(info.siblings, [{ rfilename: "config.json" }, { rfilename: "sub/a b.safetensors" }]);
    const small = await ask(`${server.resolve("owner/name")}config.json`, {}, "HEAD");
    assert.is(small.headers.get("x-repo-commit"), commit);
    assert.match(small.headers.get("etag")!, /^"[0-9a-f]{40}"$/);
    assert.is(small.headers.get("content-length"), "7");
    const large = await ask(`${server.resolve("owner/name", commit)}sub/a%20b.safetensors`, {}, "HEAD");
    assert.is(large.status, 302);
    assert.match(large.headers.get("x-linked-etag")!, /^"[0-9a-f]{64}"$/);
    assert.is(large.headers.get("x-linked-size"), "100000");
    const place = large.headers.get("location")!;
    assert.ok(place.startsWith(server.cdnUrl));
    const range = await ask(place, { range: "bytes=10-19" });
    assert.is(range.status, 206);
    assert.is(range.headers.get("content-range"), "bytes 10-19/100000");
    assert.equal(await body(range), CONTENT.subarray(10, 20));
    assert.is((await ask(place, { range: "bytes=100000-" })).status, 416);
    assert.is((await ask(place, { range: "bytes=0-1", "if-range": '"other"' })).status, 200);
    assert.is((await ask(place, { range: "bytes=0-1", authorization: "Bearer x" })).status, 400);
    assert.is(
      (await ask(`${server.resolve("owner/name", "v9")}config.json`)).headers.get("x-error-code"),
      "RevisionNotFound",
    );
    assert.is((await ask(`${server.resolve("owner/name")}none`)).headers.get("x-error-code"), "EntryNotFound");
    assert.is((await ask(`${server.resolve("owner/none")}config.json`)).headers.get("x-error-code"), "RepoNotFound");
    assert.is(server.sent(/a b/), 10 + 100_000);
  }));

test("a private repository wants its token", () =>
  HubServer.with(REPOS, async (server) => {
    const url = `${server.resolve("owner/secret")}config.json`;
    assert.is((await ask(url)).status, 401);
    assert.is((await ask(url, { authorization: "Bearer hf_other" })).status, 403);
    assert.is((await ask(url, { authorization: "Bearer hf_secret" })).status, 200);
    assert.equal(
      server.requests.map(({ headers }) => headers.authorization),
      [undefined, "Bearer hf_other", "Bearer hf_secret"],
    );
  }));

test("it misbehaves as it is told, as often as it is told", () =>
  HubServer.with(REPOS, async (server) => {
    const url = `${server.plain("owner/name")}sub/a%20b.safetensors`;
    const once = (fault: Parameters<typeof server.misbehave>[0]["fault"]) => server.misbehave({ times: 1, fault });
    const range = { range: "bytes=0-49999" };
    once({ kind: "status", status: 503, headers: { "retry-after": "7" } });
    assert.is((await ask(url)).headers.get("retry-after"), "7");
    assert.is((await ask(url, range)).status, 206, "and then no more");
    server.behave();
    once({ kind: "whole" });
    assert.is((await ask(url, range)).status, 200);
    server.behave();
    once({ kind: "page" });
    assert.is(await (await ask(url, range)).text(), PAGE);
    server.behave();
    once({ kind: "content", bytes: lfsPointer("0".repeat(64), 5) });
    assert.match(await (await ask(url)).text(), /^version https:\/\/git-lfs/);
    server.behave();
    for (const [after, kind] of [
      [1000, "cut"],
      [0, "cut"],
    ] as const) {
      once({ kind, after });
      assert.instance(await rejection(ask(url, range).then(body)), Error);
      server.behave();
    }
    once({ kind: "content-range", value: "bytes 1-2/3" });
    assert.is((await ask(url, range)).headers.get("content-range"), "bytes 1-2/3");
    server.behave();
    for (const extra of [-10, 10]) {
      once({ kind: "length", extra });
      assert.is((await body(await ask(url, range))).length, 50_000 + extra);
      server.behave();
    }
    once({ kind: "gzip" });
    assert.is((await ask(url, range)).headers.get("content-encoding"), "gzip");
    server.behave();
    once({ kind: "etag", etag: undefined });
    assert.is((await ask(url)).headers.get("etag"), null);
    server.behave();
    once({ kind: "redirect", to: "itself" });
    assert.is((await ask(url)).headers.get("location"), new URL(url).pathname);
    server.behave();
    for (const beforeHeaders of [true, false]) {
      once({ kind: "stall", after: 1000, beforeHeaders });
      const signal = AbortSignal.timeout(100);
      assert.match(String(await rejection(fetch(url, { signal }).then(body))), /Timeout/);
      server.behave();
    }
  }));

test.run();
