/** Files below a base URL, from a server that behaves and from one that misbehaves in every way that is known: the right bytes or a named error. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readJsonFile } from "#dist/weights/config-files.js";
import { httpSource } from "#dist/weights/http-source.js";
import type { HttpOptions, RemoteSource } from "#dist/weights/remote-source.js";
import { parseSafetensors } from "#dist/weights/safetensors.js";
import { type Fault, lfsPointer } from "../../support/hub-faults.js";
import { HubServer } from "../../support/hub-server.js";
import { refused } from "../../support/refusal.js";
import { rejection, until, within } from "../../support/waiting.js";

const test = suite("weights/http-source");

const SIZE = 3_000_000;
const CONTENT = Uint8Array.from({ length: SIZE }, (_, i) => (i * 31 + (i >> 8) * 7) % 251);
const CHANGED = CONTENT.map((byte) => byte ^ 1);
const FILE = "model.safetensors";
const FILES = { [FILE]: CONTENT, "config.json": '{"a":1}', "empty.json": "", "sub dir/a%2f#b?.json": "odd" };
const REPOS = { "owner/name": { files: FILES }, "owner/secret": { files: FILES, token: "hf_secret" } };
const QUICK = { backoffMs: 1, stallMs: 500, retries: 2 };

type Work = (source: RemoteSource, server: HubServer) => Promise<unknown>;

/** Runs `work` with the static server's files, quick to give up; no case may take longer than ten seconds. */
function served(work: Work, options: HttpOptions = {}): Promise<void> {
  return HubServer.with(REPOS, async (server) => {
    const source = httpSource(server.plain("owner/name"), { ...QUICK, ...options });
    await within(10_000, work(source, server), "a case");
  });
}

/** The whole file in one call, and that it is right. */
async function readsRight(source: RemoteSource, path = FILE, expected: Uint8Array = CONTENT): Promise<void> {
  const target = new Uint8Array(new SharedArrayBuffer(expected.length));
  await source.readInto(path, 0, target);
  assert.ok(Buffer.from(target).equals(expected), `the bytes of ${path}`);
}

const gets = (server: HubServer): string[] =>
  server.requests.filter(({ method }) => method === "GET").map(({ range }) => range ?? "none");

test("sizes, ranges and whole files, into a new array or shared memory; only what is asked for is sent", () =>
  served(async (source, server) => {
    assert.is(await source.size(FILE), SIZE);
    assert.is(await source.size("config.json"), 7);
    assert.is(await source.size("none.json"), undefined);
    assert.equal(await source.read(FILE, 1000, 5), CONTENT.slice(1000, 1005));
    assert.is((await source.read(FILE, 0, 0)).length, 0);
    assert.equal(await source.read("config.json", 0, 7), new TextEncoder().encode('{"a":1}'));
    assert.is((await source.read("empty.json", 0, 0)).length, 0);
    assert.is(server.sent(), 5 + 7);
    await readsRight(source);
    assert.equal(gets(server).slice(0, 2), ["bytes=1000-1004", "bytes=0-6"]);
    assert.is(server.requests.filter(({ method, path }) => method === "HEAD" && path.endsWith(FILE)).length, 1);
  }));

test("a path is encoded by segments, and one that climbs or is absolute is not asked for", () =>
  served(async (source, server) => {
    assert.is(await source.size("sub dir/a%2f#b?.json"), 3);
    const asked = server.requests.length;
    for (const path of ["../x", "a/../../x", "/etc/passwd", "a//b", "./x", "a\\b", "a\0b", ""]) {
      await refused(source.size(path), "E_IO", /expected a relative path below the base URL/);
      await refused(source.read(path, 0, 1), "E_IO", /expected a relative path/);
    }
    assert.is(server.requests.length, asked);
  }));

test("a range beyond the file, and a file that is not there, are refused without a request for them", () =>
  served(async (source, server) => {
    for (const [offset, length] of [
      [SIZE, 1],
      [-1, 2],
      [0, SIZE + 1],
      [Number.NaN, 1],
    ] as const) {
      await refused(source.readInto(FILE, offset, new Uint8Array(length)), "E_IO", /found a file of 3000000/);
    }
    await refused(source.read("none.json", 0, 1), "E_IO", /expected a file in "http:.*", found none/);
    assert.equal(gets(server), []);
  }));

test("what the server says of a file: size, ETag, place; of a hub's also commit and SHA-256, and only its own origin sees a token", () =>
  HubServer.with(REPOS, async (server) => {
    const plain = await httpSource(server.plain("owner/name"), QUICK).describe(FILE);
    assert.is(plain?.size, SIZE);
    assert.match(plain?.etag ?? "", /^[0-9a-f]{64}$/);
    assert.is(plain?.url, `${server.plain("owner/name")}${FILE}`);
    assert.is(plain?.sha256, undefined);
    const headers = (url: URL): Record<string, string> =>
      url.origin === server.url ? { authorization: "Bearer hf_secret" } : {};
    const hub = httpSource(server.resolve("owner/secret"), { ...QUICK, headers });
    const large = await hub.describe(FILE);
    assert.is(large?.commit, server.commit("owner/secret"));
    assert.is(large?.sha256, plain?.etag);
    assert.is(large?.etag, plain?.etag);
    assert.ok(large?.url.startsWith(server.cdnUrl));
    const small = await hub.describe("config.json");
    assert.match(small?.etag ?? "", /^[0-9a-f]{40}$/);
    assert.is(small?.sha256, undefined);
    await readsRight(hub);
    for (const { at, headers } of server.requests.slice(1))
      assert.is(headers.authorization, at === "hub" ? "Bearer hf_secret" : undefined);
    assert.ok(server.requests.some(({ at }) => at === "cdn"));
  }));

test("neighbouring reads of one turn are one request, the bytes of small gaps included; others are their own", () =>
  served(async (source, server) => {
    const spans = [
      [5000, 100],
      [0, 1000],
      [1000, 500],
      [2000, 1000],
      [900, 200],
      [8000, 4],
    ] as const;
    await source.size(FILE);
    const bytes = await Promise.all(spans.map(([offset, length]) => source.read(FILE, offset, length)));
    for (const [i, [offset, length]] of spans.entries()) assert.equal(bytes[i], CONTENT.slice(offset, offset + length));
    assert.equal(gets(server), ["bytes=0-2999", "bytes=5000-5099", "bytes=8000-8003"]);
  }));

test("a large read is cut into pieces that are fetched in parallel, no more of them at a time than was said", async () => {
  const content = new Uint8Array(20 << 20).map((_, i) => i % 253);
  await HubServer.with({ "owner/name": { files: { big: content } } }, async (server) => {
    const source = httpSource(server.plain("owner/name"), { ...QUICK, stallMs: 30_000, concurrency: 3 });
    server.misbehave({ fault: { kind: "slow", bytes: 1 << 20, everyMs: 10 } });
    await readsRight(source, "big", content);
    assert.is(server.mostAtOnce, 3);
    assert.is(server.sent(), content.length);
    const ranges = gets(server).length;
    assert.ok(ranges >= 10 && ranges <= 20, `${ranges} requests`);
  });
});

// Faults that pass: the bytes are right, and nothing is asked for twice that came.
for (const [name, fault, times] of [
  ["cut connections at 10 %", { kind: "cut", after: SIZE / 10 }, 2],
  ["cut connections at 50 %", { kind: "cut", after: SIZE / 2 }, 2],
  ["cut connections at 99 %", { kind: "cut", after: SIZE * 0.99 }, 2],
  ["a connection that is cut before anything came", { kind: "cut", after: 0 }, 2],
  ["a connection that stalls midway", { kind: "stall", after: SIZE / 2 }, 1],
  ["a connection that stalls before its status", { kind: "stall", after: 0, beforeHeaders: true }, 1],
  ["a body that ends too early", { kind: "length", extra: -1000 }, 1],
  ["ranges shorter than asked for", { kind: "short-range", bytes: 1_000_000 }, 2],
  ["503 and then the file", { kind: "status", status: 503 }, 2],
  ["500 and then the file", { kind: "status", status: 500 }, 2],
  ["429 with Retry-After: 0", { kind: "status", status: 429, headers: { "retry-after": "0" } }, 2],
] as const satisfies readonly (readonly [string, Fault, number])[]) {
  test(`${name}: the file is fetched on from there`, () =>
    served(async (source, server) => {
      await source.size(FILE);
      server.misbehave({ path: FILE, method: "GET", times, fault });
      await readsRight(source);
      assert.ok(gets(server).length >= 2, "it was asked again");
      const again = fault.kind === "cut" && fault.after > 0 ? gets(server)[1] : undefined;
      if (again !== undefined) assert.not.match(again, /^bytes=0-/, "what came is not asked for again");
    }));
}

test("a server that cuts every answer short of the whole gives the whole in the end", () =>
  served(async (source, server) => {
    server.misbehave({ path: FILE, method: "GET", fault: { kind: "cut", after: 700_000 } });
    await readsRight(source);
  }));

test("a slow server that goes on sending is waited for", () =>
  served(
    async (source, server) => {
      server.misbehave({ path: FILE, method: "GET", fault: { kind: "slow", bytes: 4000, everyMs: 30 } });
      assert.equal(await source.read(FILE, 0, 40_000), CONTENT.slice(0, 40_000));
    },
    { stallMs: 150 },
  ));

test("a server that drips a byte now and then is not waited for", () =>
  served(
    async (source, server) => {
      server.misbehave({ path: FILE, method: "GET", fault: { kind: "slow", bytes: 1, everyMs: 20 } });
      await refused(source.read(FILE, 0, 4000), "E_NETWORK", /then silence/);
    },
    { stallMs: 100, retries: 1 },
  ));

// Faults that stay: a named error, whatever was read before.
for (const [name, fault, code, pattern] of [
  [
    "200 with the whole file instead of 206",
    { kind: "whole" },
    "E_NETWORK",
    /expected status 206 .* got 200 with the whole file/,
  ],
  ["an HTML page with 200", { kind: "page" }, "E_FORMAT", /expected a file, found an HTML page/],
  [
    "a changed file",
    { kind: "content", bytes: CHANGED },
    "E_INTEGRITY",
    /expected the file unchanged since it was opened \("ETag /,
  ],
  [
    "a shorter file with the same ETag",
    { kind: "content", bytes: CONTENT.slice(0, SIZE - 1), sameEtag: true },
    "E_INTEGRITY",
    /\(3000000 bytes\), found another \(2999999 bytes\)/,
  ],
  ["an ETag that is gone", { kind: "etag", etag: undefined }, "E_INTEGRITY", /found another \(no ETag\)/],
  ["an ETag that became weak", { kind: "etag", etag: 'W/"1"' }, "E_INTEGRITY", /found another \("ETag W/],
  ["401", { kind: "status", status: 401 }, "E_NETWORK", /got status 401; it wants a token or a password/],
  ["403", { kind: "status", status: 403 }, "E_NETWORK", /got status 403; it is not for this caller/],
  [
    "404 of a file that was there",
    { kind: "status", status: 404 },
    "E_NETWORK",
    /got status 404; there is no such file, or no longer/,
  ],
  ["416", { kind: "status", status: 416 }, "E_NETWORK", /expected bytes 0 to 999 of 3000000, got status 416/],
  [
    "416 of a file that is shorter now",
    { kind: "status", status: 416, headers: { "content-range": "bytes */10" } },
    "E_INTEGRITY",
    /\(10 bytes\)/,
  ],
  [
    "429 again and again",
    { kind: "status", status: 429 },
    "E_NETWORK",
    /got status 429, 3 times in a row; the server is asked too often/,
  ],
  [
    "429 with a Retry-After of an hour",
    { kind: "status", status: 429, headers: { "retry-after": "3600" } },
    "E_NETWORK",
    /it asks to wait 3600 s/,
  ],
  [
    "503 again and again",
    { kind: "status", status: 503 },
    "E_NETWORK",
    /got status 503, 3 times in a row; the server is in trouble/,
  ],
  ["a status that nobody knows", { kind: "status", status: 299 }, "E_NETWORK", /got status 299/],
  [
    "a stall",
    { kind: "stall", after: 10 },
    "E_NETWORK",
    /expected 990 bytes, got 0 and then silence|expected \d+ bytes, got \d+ and then silence, 3 times in a row/,
  ],
  ["a cut before any byte", { kind: "cut", after: 0 }, "E_NETWORK", /3 times in a row/],
  [
    "Content-Range of another place",
    { kind: "content-range", value: `bytes 1-1000/${SIZE}` },
    "E_NETWORK",
    /expected Content-Range bytes 0-999\/3000000, got "bytes 1-1000/,
  ],
  [
    "Content-Range of a longer file",
    { kind: "content-range", value: "bytes 0-999/3000001" },
    "E_INTEGRITY",
    /3000001 bytes/,
  ],
  [
    "Content-Range of more than was asked for",
    { kind: "content-range", value: `bytes 0-1000/${SIZE}` },
    "E_NETWORK",
    /expected Content-Range/,
  ],
  ["Content-Range that is none", { kind: "content-range", value: "lines 1-2" }, "E_NETWORK", /got "lines 1-2"/],
  ["no Content-Range", { kind: "content-range", value: undefined }, "E_NETWORK", /got none that can be read/],
  ["a body that is too long", { kind: "length", extra: 1 }, "E_NETWORK", /expected a body of 1000 bytes, got more/],
  [
    "a body that is always too short",
    { kind: "length", extra: -1000 },
    "E_NETWORK",
    /expected 1000 bytes, got 0 and the end, 3 times in a row/,
  ],
  ["Content-Encoding on a range", { kind: "gzip" }, "E_NETWORK", /Content-Encoding "gzip"/],
  ["a redirect in a circle", { kind: "redirect", to: "itself" }, "E_NETWORK", /at most 8 redirects/],
  ["a redirect to nowhere", { kind: "redirect", to: "http://[" }, "E_NETWORK", /Location that is a URL/],
  [
    "a redirect to a file",
    { kind: "redirect", to: "file:///etc/passwd" },
    "E_NETWORK",
    /expected a redirect to http:, got one to file:/,
  ],
] as const satisfies readonly (readonly [string, Fault, string, RegExp])[]) {
  test(`${name} is ${code}`, () =>
    served(async (source, server) => {
      assert.equal(await source.read(FILE, 2000, 4), CONTENT.slice(2000, 2004));
      server.misbehave({ path: FILE, method: "GET", fault });
      const error = await refused(
        source.read(FILE, 0, 1000),
        code,
        /^reading "model.safetensors" from "http:/,
        pattern,
      );
      assert.is(error.origin, "model");
      server.behave();
      assert.equal(await source.read(FILE, 0, 1000), CONTENT.slice(0, 1000), "and afterwards it goes on");
    }));
}

test("a file that changes between the ranges of one read is E_INTEGRITY, and nothing is written to the target afterwards", () =>
  served(async (source, server) => {
    server.misbehave({ path: FILE, method: "GET", skip: 1, fault: { kind: "content", bytes: CHANGED } });
    const target = new Uint8Array(SIZE);
    await refused(source.readInto(FILE, 1, target.subarray(1)), "E_INTEGRITY", /unchanged since it was opened/);
    const then = target.slice();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(target, then);
  }));

test("a changed file is noticed by its time, where the server has no ETags", () =>
  served(async (source, server) => {
    const at = (time: string, skip: number, times: number): void =>
      server.misbehave({ skip, times, fault: { kind: "etag", etag: undefined, modified: time } });
    at("Mon, 01 Jan 2024 00:00:00 GMT", 0, 2);
    at("Tue, 02 Jan 2024 00:00:00 GMT", 2, 9);
    assert.equal(await source.read(FILE, 0, 4), CONTENT.slice(0, 4));
    await refused(
      source.read(FILE, 4, 4),
      "E_INTEGRITY",
      /Last-Modified Mon, .*\), found another \("Last-Modified Tue/,
    );
  }));

test("weak ETags and none at all are borne as long as they stay as they are", () =>
  served(async (source, server) => {
    for (const etag of ['W/"weak"', undefined]) {
      server.behave();
      server.misbehave({ fault: { kind: "etag", etag } });
      const fresh = httpSource(server.plain("owner/name"), QUICK);
      await readsRight(fresh);
      assert.is((await fresh.describe(FILE))?.etag, undefined);
    }
    assert.is(await source.size(FILE), SIZE);
  }));

// What goes wrong when a file is first asked for.
for (const [name, fault, code, pattern] of [
  [
    "an HTML page in place of a file, or of one that is not there",
    { kind: "page" },
    "E_FORMAT",
    /found an HTML page; the server wants a login, or answers so when there is no such file/,
  ],
  [
    "401",
    { kind: "status", status: 401, headers: { "x-error-message": "Invalid username or password." } },
    "E_NETWORK",
    /got status 401 \("Invalid username or password."\); it wants a token/,
  ],
  ["403", { kind: "status", status: 403 }, "E_NETWORK", /got status 403/],
  [
    "404 of a revision",
    {
      kind: "status",
      status: 404,
      headers: { "x-error-code": "RevisionNotFound", "x-error-message": "Invalid rev id: v9" },
    },
    "E_NETWORK",
    /got status 404 \("Invalid rev id: v9"\)/,
  ],
  ["429", { kind: "status", status: 429 }, "E_NETWORK", /got status 429, 3 times in a row/],
  [
    "a stall",
    { kind: "stall", after: 0, beforeHeaders: true },
    "E_NETWORK",
    /expected an answer, got silence, 3 times in a row/,
  ],
  [
    "a cut connection",
    { kind: "cut", after: 0, beforeHeaders: true },
    "E_NETWORK",
    /expected an answer, got (ECONNRESET|UND_ERR_SOCKET), 3 times in a row/,
  ],
  ["a redirect in a circle", { kind: "redirect", to: "itself" }, "E_NETWORK", /redirects/],
] as const satisfies readonly (readonly [string, Fault, string, RegExp])[]) {
  test(`opening: ${name} is ${code}`, () =>
    served(async (source, server) => {
      server.misbehave({ path: FILE, fault });
      await refused(source.size(FILE), code, pattern);
      server.behave();
      assert.is(await source.size(FILE), SIZE, "nothing of it is remembered");
    }));
}

test("a server that refuses HEAD, or says no size to it, is asked for the first byte", () =>
  served(async (_, server) => {
    for (const fault of [
      { kind: "status", status: 405 },
      { kind: "status", status: 403 },
      { kind: "no-length" },
      { kind: "gzip" },
    ] as const) {
      server.behave();
      server.misbehave({ method: "HEAD", fault });
      const source = httpSource(server.plain("owner/name"), QUICK);
      assert.is(await source.size(FILE), SIZE, fault.kind);
      assert.is(await source.size("empty.json"), 0, fault.kind);
      if (!("status" in fault)) assert.is(await source.size("none.json"), undefined);
      await readsRight(source);
    }
  }));

test("a server that never says a size is E_NETWORK", () =>
  served(async (source, server) => {
    server.misbehave({ method: "HEAD", fault: { kind: "no-length" } });
    server.misbehave({ method: "GET", fault: { kind: "content-range", value: "bytes 0-0/*" } });
    await refused(source.size(FILE), "E_NETWORK", /expected its size in Content-Length or Content-Range/);
    server.behave();
    server.misbehave({ fault: { kind: "status", status: 200, headers: { "content-length": "9007199254740993" } } });
    await refused(source.size(FILE), "E_NETWORK", /expected its size/);
  }));

test("a server without ranges gives small files, because all of a file is a range of it", () =>
  served(async (source, server) => {
    server.misbehave({ fault: { kind: "whole" } });
    assert.equal(await source.read("config.json", 0, 7), new TextEncoder().encode('{"a":1}'));
    await readsRight(source);
    await refused(source.read(FILE, 0, 8), "E_NETWORK", /this server has no ranges, download the checkpoint/);
  }));

test("a git-LFS pointer, and a page that says it is binary, are told by those who read the file", () =>
  served(async (source, server) => {
    const pointer = lfsPointer("0".repeat(64), SIZE);
    for (const [bytes, told] of [
      [pointer, /git-LFS pointer/],
      ["<!doctype html><html><body>no</body></html>", /HTML or XML page/],
    ] as const) {
      server.behave();
      server.misbehave({ fault: { kind: "content", bytes } });
      const fresh = httpSource(server.plain("owner/name"), QUICK);
      await refused(parseSafetensors(fresh, FILE), "E_FORMAT", told);
      await refused(readJsonFile(fresh, "config.json", 1 << 20), "E_CONFIG", told);
    }
    assert.ok(source);
  }));

test("a signature that expires is renewed by asking where the file was asked for first", () =>
  HubServer.with(REPOS, async (server) => {
    const source = httpSource(server.resolve("owner/name"), QUICK);
    assert.equal(await source.read(FILE, 0, 4), CONTENT.slice(0, 4));
    server.misbehave({ at: "cdn", times: 1, fault: { kind: "status", status: 403 } });
    assert.equal(await source.read(FILE, 4, 4), CONTENT.slice(4, 8));
    server.behave();
    // The hub has another content by then.
    server.misbehave({ at: "cdn", times: 1, fault: { kind: "status", status: 403 } });
    server.misbehave({
      at: "hub",
      fault: { kind: "status", status: 302, headers: { location: `${server.cdnUrl}/x`, "x-linked-etag": '"other"' } },
    });
    await refused(source.read(FILE, 8, 4), "E_INTEGRITY", /found another \("ETag other"\)/);
    server.behave();
    server.misbehave({ at: "cdn", fault: { kind: "status", status: 403 } });
    await refused(source.read(FILE, 8, 4), "E_NETWORK", /got status 403/);
  }));

test("passwords, tokens and signatures are in no message, and go where they belong", () =>
  HubServer.with(REPOS, async (server) => {
    const base = new URL(server.plain("owner/name"));
    base.username = "us%C3%A9r";
    base.password = "p%40ss";
    base.search = "?sig=SECRET&x=1";
    base.hash = "part";
    const source = httpSource(base, QUICK);
    assert.is(source.label, server.plain("owner/name"));
    assert.is(await source.size("config.json"), 7);
    const [request] = server.requests;
    assert.is(request?.query, "?sig=SECRET&x=1");
    assert.is(request?.headers.authorization, `Basic ${Buffer.from("usér:p@ss").toString("base64")}`);
    server.misbehave({ at: "hub", fault: { kind: "redirect", to: `${server.cdnUrl}/a?Signature=SECRET` } });
    const closed = new URL(server.url);
    closed.port = "1";
    const errors = [
      await rejection(source.size(FILE)),
      await rejection(httpSource(`${closed}?sig=SECRET`, QUICK).size(FILE)),
      await rejection(
        httpSource(server.plain("owner/name"), {
          ...QUICK,
          headers: () => ({ authorization: "Bearer SECRET\nx" }),
        }).size(FILE),
      ),
    ];
    assert.is(server.requests.at(-1)?.headers.authorization, undefined, "another origin sees no password");
    for (let error of errors) {
      assert.instance(error, Error);
      for (; error instanceof Error; error = error.cause)
        assert.not.match(`${error.message} ${error.stack}`, /SECRET|p@ss|p%40ss/);
    }
  }));

test("what is no http URL is refused", () => {
  for (const base of ["ftp://host/x", "nothing", "http://", "https://a b/", "file:///x"])
    assert.throws(() => httpSource(base), /^opening a URL: expected http:\/\/ or https:\/\/ and a host, got another/);
});

test("nobody there is told at once; a server that goes away is waited for", async () => {
  const server = await HubServer.start(REPOS);
  const url = server.plain("owner/name");
  const source = httpSource(url, { ...QUICK, backoffMs: 10_000 });
  await source.size(FILE);
  await server.close();
  const nobody = httpSource(url, { ...QUICK, backoffMs: 10_000 });
  await within(2000, refused(nobody.size(FILE), "E_NETWORK", /expected an answer, got ECONNREFUSED/), "a refusal");
  const abort = new AbortController();
  const waiting = rejection(source.read(FILE, 0, 4, abort.signal));
  setTimeout(() => abort.abort("enough"), 100);
  assert.is(await within(2000, waiting, "an abort"), "enough");
});

test("an abort ends what is asked for, queued, stalled, waited for or not begun, with its reason", () =>
  served(
    async (source, server) => {
      const reason = new Error("stopped by hand");
      assert.is(await rejection(source.size(FILE, AbortSignal.abort(reason))), reason);
      await source.size(FILE);
      assert.is(await rejection(source.read(FILE, 0, 4, AbortSignal.abort(reason))), reason);
      for (const fault of [
        { kind: "stall", after: 100 },
        { kind: "stall", after: 0, beforeHeaders: true },
        { kind: "status", status: 503, headers: { "retry-after": "50" } },
      ] as const) {
        server.behave();
        server.misbehave({ method: "GET", fault });
        const before = server.requests.length;
        const abort = new AbortController();
        // More than there are slots for.
        const reads = [0, 1, 2, 3].map((i) => rejection(source.read(FILE, i * 10_000, 1000, abort.signal)));
        await until(() => server.requests.length >= before + 2, "requests");
        setTimeout(() => abort.abort(reason), 20);
        for (const read of reads) assert.is(await within(2000, read, "an abort"), reason);
      }
      server.behave();
      await readsRight(source);
    },
    { concurrency: 2, stallMs: 5000 },
  ));

test("an abort of one read leaves a neighbour that was asked for at the same time alone", () =>
  served(async (source, server) => {
    await source.size(FILE);
    server.misbehave({ method: "GET", fault: { kind: "slow", bytes: 2000, everyMs: 20 } });
    const abort = new AbortController();
    const one = rejection(source.read(FILE, 0, 10_000, abort.signal));
    const other = source.read(FILE, 10_000, 10_000);
    setTimeout(() => abort.abort("stopped"), 30);
    assert.is(await one, "stopped");
    assert.equal(await other, CONTENT.slice(10_000, 20_000));
  }));

test.run();
