/** Ranges of a service that has none, over real connections: what is asked of it, and that nothing is read twice or kept. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rangedFetch } from "#dist/weights/ranged-fetch.js";
import { until, within } from "../../support/waiting.js";

const test = suite("weights/ranged-fetch");

const FILE = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 31 + (i >> 8)) % 251);

let server: Server;
let url: string;
/** Requests so far, and connections that are still sending. */
const seen: string[] = [];
let sending = 0;
let behaviour: { ranges?: boolean; length?: boolean; status?: number; cutAfter?: number } = {};

test.before(async () => {
  server = createServer((request, response) => {
    const { ranges = false, length = false, status = 200, cutAfter } = behaviour;
    seen.push(`${request.method} ${request.headers.range ?? "-"}`);
    sending++;
    response.on("close", () => sending--);
    response.setHeader("etag", '"1"');
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
    if (status !== 200) return void response.writeHead(status).end();
    if (ranges && from !== undefined) {
      response.writeHead(206, { "content-range": `bytes ${from}-${to}/${FILE.length}` });
      return void response.end(FILE.subarray(Number(from), Number(to) + 1));
    }
    response.writeHead(200, length ? { "content-length": FILE.length } : {});
    if (request.method === "HEAD") return void response.end();
    if (cutAfter === undefined) return void response.end(FILE);
    response.write(FILE.subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 20));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
});
test.before.each(() => {
  seen.length = 0;
  behaviour = {};
});
test.after(() => {
  server.closeAllConnections();
  server.close();
});

type Ranged = ReturnType<typeof rangedFetch>;

const ask = (ranged: Ranged, from: number, to: number, signal?: AbortSignal): Promise<Response> =>
  ranged(url, { headers: { range: `bytes=${from}-${to - 1}` }, ...(signal && { signal }) });

async function checkRange(ranged: Ranged, from: number, to: number): Promise<void> {
  const response = await ask(ranged, from, to);
  assert.is(response.status, 206);
  assert.match(response.headers.get("content-range") ?? "", new RegExp(`^bytes ${from}-${to - 1}/`));
  assert.is(response.headers.get("etag"), '"1"');
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.ok(bytes.equals(FILE.subarray(from, to)), `${from} to ${to}`);
}

test("ranges in order, with gaps, take one pass; one that lies before begins another", async () => {
  const ranged = rangedFetch(fetch);
  await checkRange(ranged, 0, 1);
  await checkRange(ranged, 1, 100_000);
  await checkRange(ranged, 100_000, 2_000_000);
  await checkRange(ranged, 2_500_000, FILE.length);
  assert.is(seen.length, 1);
  await checkRange(ranged, 5, 10);
  assert.is(seen.length, 2);
});

test("ranges that the service gives are left as they are", async () => {
  behaviour = { ranges: true };
  const ranged = rangedFetch(fetch);
  await checkRange(ranged, 10, 20);
  await checkRange(ranged, 20, 30);
  assert.equal(seen, ["GET bytes=10-19", "GET bytes=20-29"]);
});

test("a signal ends the range it came with, and the one after a range that is over leaves the body open", async () => {
  const ranged = rangedFetch(fetch);
  const first = new AbortController();
  await (await ask(ranged, 0, 1000, first.signal)).arrayBuffer();
  first.abort();
  await checkRange(ranged, 1000, 2000);
  assert.is(seen.length, 1);
  const second = new AbortController();
  const response = await ask(ranged, 2000, 2_900_000, second.signal);
  second.abort(new Error("enough"));
  const outcome = await response.arrayBuffer().catch((error: Error) => error.message);
  assert.is(outcome, "enough");
  await until(() => sending === 0, "the body is closed");
  await checkRange(ranged, 2000, 3000);
  assert.is(seen.length, 2);
});

test("an abort before the answer is the request's", async () => {
  const ranged = rangedFetch(fetch);
  const outcome = await ask(ranged, 0, 10, AbortSignal.abort(new Error("enough"))).catch(
    (error: Error) => error.message,
  );
  assert.is(outcome, "enough");
});

test("a body that breaks off fails its range, and the next request begins anew", async () => {
  behaviour = { cutAfter: 500_000 };
  const ranged = rangedFetch(fetch);
  await checkRange(ranged, 0, 1000);
  const outcome = await within(
    5000,
    ask(ranged, 1000, 900_000).then((response) => response.arrayBuffer()),
    "a cut",
  ).catch(() => "cut");
  assert.is(outcome, "cut");
  behaviour = {};
  await checkRange(ranged, 1000, 900_000);
  assert.is(seen.length, 2);
});

test("a range beyond the end is 416, another status is left alone", async () => {
  const ranged = rangedFetch(fetch);
  assert.is((await ask(ranged, 5_000_000, 5_000_001)).status, 416);
  behaviour = { status: 503 };
  assert.is((await ask(ranged, 0, 10)).status, 503);
  behaviour = {};
  await checkRange(ranged, 0, 10);
});

test("a length that HEAD does not tell is counted", async () => {
  const ranged = rangedFetch(fetch);
  const head = await ranged(url, { method: "HEAD" });
  assert.is(head.headers.get("content-length"), String(FILE.length));
  assert.equal(seen, ["HEAD -", "GET -"]);
  behaviour = { length: true };
  assert.is((await ranged(url, { method: "HEAD" })).headers.get("content-length"), String(FILE.length));
  assert.is(seen.length, 3);
  behaviour = { status: 404 };
  assert.is((await ranged(url, { method: "HEAD" })).status, 404);
});

test("requests without a range go by", async () => {
  const response = await rangedFetch(fetch)(url);
  assert.is(response.status, 200);
  assert.is((await response.arrayBuffer()).byteLength, FILE.length);
});

test.run();
