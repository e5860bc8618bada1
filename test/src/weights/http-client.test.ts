import { suite } from "uvu";
import * as assert from "uvu/assert";
import { byteCount, HttpClient, strongEtag } from "#dist/weights/http-client.js";
import { Watch } from "#dist/weights/http-watch.js";
import { refused } from "../../support/refusal.js";

const test = suite("weights/http-client");

/** A fetch that answers by URL, and what it was asked. */
function scripted(answers: Record<string, () => Response>): {
  readonly fetch: typeof fetch;
  readonly asked: { readonly url: string; readonly init: RequestInit }[];
} {
  const asked: { url: string; init: RequestInit }[] = [];
  const answer = async (url: URL, init: RequestInit): Promise<Response> => {
    asked.push({ url: url.href, init });
    return answers[`${init.redirect} ${url.href}`]!();
  };
  return { fetch: answer as typeof fetch, asked };
}

const moved = (location: string, headers: Record<string, string> = {}): Response =>
  new Response(null, { status: 302, headers: { location, ...headers } });

async function send(method: "GET" | "HEAD", url: string, client: HttpClient): ReturnType<HttpClient["send"]> {
  const watch = new Watch(1000, undefined);
  try {
    return await client.send("reading x", { method, url: new URL(url), range: "bytes=0-1" }, watch);
  } finally {
    watch.end();
  }
}

test("redirects are followed by hand: every hop asks which headers are for it", async () => {
  const { fetch, asked } = scripted({
    "manual https://a/x": () => moved("/y", { "x-repo-commit": "c1" }),
    "manual https://a/y": () => moved("https://b/z"),
    "manual https://b/z": () => new Response("ok"),
  });
  const headers = ({ host }: URL): Record<string, string> => (host === "a" ? { authorization: "Bearer t" } : {});
  const { response, url, linked } = await send("GET", "https://a/x", new HttpClient({ fetch, headers }));
  assert.is(await response?.text(), "ok");
  assert.is(url.href, "https://b/z");
  assert.is(linked.commit, "c1");
  const sent = asked.map(({ init }) => init.headers as Headers);
  assert.equal(
    sent.map((one) => one.get("authorization")),
    ["Bearer t", "Bearer t", null],
  );
  assert.ok(sent.every((one) => one.get("range") === "bytes=0-1" && one.get("accept-encoding") === "identity"));
});

test("HEAD ends where a hub has said all, and does not ask another origin; GET goes on", async () => {
  const linked = { "x-linked-etag": '"abc"', "x-linked-size": "77" };
  const { fetch, asked } = scripted({
    "manual https://hub/x": () => moved("/here", linked),
    "manual https://hub/here": () => moved("https://cdn/x?sig=1"),
    "manual https://cdn/x?sig=1": () => new Response("ok"),
  });
  const client = new HttpClient({ fetch });
  const head = await send("HEAD", "https://hub/x", client);
  assert.is(head.response, undefined);
  assert.is(head.url.href, "https://cdn/x?sig=1");
  assert.equal(head.linked, { commit: undefined, etag: "abc", size: 77 });
  assert.is(asked.length, 2);
  assert.ok((await send("GET", "https://hub/x", client)).response);
});

test("a page cannot look at redirects: they are followed by the browser", async () => {
  const opaque = Object.defineProperties(Response.error(), { type: { value: "opaqueredirect" } });
  const followed = Object.defineProperties(new Response("ok"), {
    redirected: { value: true },
    url: { value: "https://cdn/x" },
  });
  const { fetch } = scripted({ "manual https://a/x": () => opaque, "follow https://a/x": () => followed });
  const { response, url } = await send("GET", "https://a/x", new HttpClient({ fetch }));
  assert.is(response, followed);
  assert.is(url.href, "https://cdn/x");
});

test("a redirect that takes the encryption off, or leaves the web, is not followed", async () => {
  for (const location of ["http://a/x", "file:///etc/passwd", "data:,x", "ftp://a/x"]) {
    const { fetch } = scripted({ "manual https://a/x": () => moved(location) });
    await refused(send("GET", "https://a/x", new HttpClient({ fetch })), "E_NETWORK", /it is not followed$/);
  }
  const { fetch } = scripted({
    "manual http://a/x": () => moved("https://a/x"),
    "manual https://a/x": () => new Response(),
  });
  assert.ok((await send("GET", "http://a/x", new HttpClient({ fetch }))).response?.ok);
  const lost = scripted({ "manual https://a/x": () => new Response(null, { status: 302 }) });
  await refused(send("GET", "https://a/x", new HttpClient(lost)), "E_NETWORK", /Location that is a URL/);
});

test("a certificate that cannot be believed, and a host that is not there, are told at once", async () => {
  for (const code of ["CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT", "ERR_TLS_CERT_ALTNAME_INVALID", "ENOTFOUND"]) {
    const fetch = (() =>
      Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code }) }))) as never;
    await refused(send("GET", "https://a/x", new HttpClient({ fetch })), "E_NETWORK", new RegExp(`got ${code}$`));
  }
});

test("a port that fetch blocks is told at once", async () => {
  await refused(send("GET", "http://127.0.0.1:9/x", new HttpClient({})), "E_NETWORK", /a request that fetch refuses/);
});

test("ETags and counts in headers", () => {
  assert.is(strongEtag('"a-b/7"'), "a-b/7");
  for (const weak of ['W/"a"', "a", '"', null, '"a"b"']) assert.is(strongEtag(weak), undefined);
  assert.is(byteCount("0"), 0);
  assert.is(byteCount("9007199254740991"), Number.MAX_SAFE_INTEGER);
  for (const none of ["9007199254740992", "-1", "1.5", "", "0x10", " 1", "99999999999999999999", null])
    assert.is(byteCount(none), undefined, `${none}`);
});

test.run();
