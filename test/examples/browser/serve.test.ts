import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createDemoServer } from "../../../examples/browser/serve.mjs";
import { ROOT } from "../../support/paths.js";

const test = suite("examples/browser/serve");
const MODEL = "/models/demo/model.safetensors";

async function serving(work: (url: string) => Promise<void>, options = {}): Promise<void> {
  const server: Server = createDemoServer({ root: ROOT, ...options });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("the page, isolated, under a policy; and without isolation", async () => {
  await serving(async (url) => {
    const response = await fetch(`${url}/`);
    assert.is(response.status, 200);
    assert.is(new URL(response.url).pathname, "/examples/browser/");
    assert.match(response.headers.get("content-type") ?? "", "text/html");
    assert.is(response.headers.get("cross-origin-opener-policy"), "same-origin");
    assert.is(response.headers.get("cross-origin-embedder-policy"), "require-corp");
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self';");
    assert.not.match(policy, "unsafe-inline");
  });
  await serving(
    async (url) => {
      assert.is((await fetch(`${url}/`)).headers.get("cross-origin-embedder-policy"), null);
    },
    { isolation: false },
  );
});

test("ranges, and the whole file where there is none", () =>
  serving(async (url) => {
    const file = readFileSync(`${ROOT}${MODEL.slice(1)}`);
    const get = async (range: string | undefined, headers = {}) => {
      const response = await fetch(url + MODEL, { headers: { ...headers, ...(range !== undefined && { range }) } });
      return {
        status: response.status,
        range: response.headers.get("content-range"),
        bytes: Buffer.from(await response.arrayBuffer()),
      };
    };
    const size = file.length;
    assert.equal((await get(undefined)).bytes, file);
    const part = await get("bytes=10-19");
    assert.equal([part.status, part.range], [206, `bytes 10-19/${size}`]);
    assert.equal(part.bytes, file.subarray(10, 20));
    assert.equal((await get(`bytes=${size - 5}-${size + 100}`)).bytes, file.subarray(-5));
    assert.equal((await get("bytes=-7")).bytes, file.subarray(-7));
    const outside = await get(`bytes=${size}-`);
    assert.equal([outside.status, outside.range], [416, `bytes */${size}`]);
    assert.is((await get("bytes=5-2")).status, 416);
    assert.is((await get("bytes=0-1,4-5")).status, 200);
    const etag = (await fetch(url + MODEL, { method: "HEAD" })).headers.get("etag") ?? "";
    assert.is((await get("bytes=0-1", { "if-range": etag })).status, 206);
    assert.is((await get("bytes=0-1", { "if-range": '"another"' })).status, 200);
    assert.is((await fetch(url + MODEL, { headers: { "if-none-match": etag } })).status, 304);
  }));

test("nothing but its own folders, by no spelling, and no other method", () =>
  serving(async (url) => {
    const status = (path: string, method = "GET") =>
      new Promise((resolve, reject) => {
        request(url, { path, method }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on("error", reject)
          .end();
      });
    assert.is(await status("/examples/browser/page.mjs"), 200);
    for (const path of [
      "/package.json",
      "/examples/browser/../../package.json",
      "/examples/browser/..%2f..%2fpackage.json",
      "/examples/browser/%2e%2e/%2e%2e/package.json",
      "/examples/browser/..\\..\\package.json",
      "//etc/passwd",
      "/dist/",
      "/models/demo",
      "/models/demo/%00",
    ])
      assert.is(await status(path), 404, path);
    assert.is(await status("/examples/browser/", "POST"), 405);
  }));

test.run();
