/** Weights in the origin-private file system of a real Chromium, from a server that counts what it is asked. */
import { createHash } from "node:crypto";
import { build } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { openRemote } from "#dist/entry/browser/open-remote.js";
import type { clearStoredWeights, persistStorage, storageStatus } from "#dist/entry/browser/storage.js";
import type { RemoteName } from "#dist/entry/remote-name.js";
import { type BrowserContext, chromiumInstalled, type Page, startChromium } from "../../../support/chromium.js";
import { HubServer } from "../../../support/hub-server.js";
import { ROOT } from "../../../support/paths.js";
import { until } from "../../../support/waiting.js";

const test = suite("entry/browser/open-remote");

const REPO = "owner/name";
const PATH = "model.safetensors";
const MB = 2 ** 20;
const CONTENT = Uint8Array.from({ length: 2 * MB }, (_, i) => (i * 31 + (i >> 8) + (i >> 16)) % 256);
const OTHER = CONTENT.map((byte) => byte ^ 255);
const PIECE = 256 * 1024;
/** A host whose pages are in no secure context, as all that comes by http: from elsewhere. */
const INSECURE = "insecure.test";
const FLAGS = [`--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`, "--disable-features=LocalNetworkAccessChecks"];

interface Weights {
  readonly openRemote: typeof openRemote;
  readonly storageStatus: typeof storageStatus;
  readonly persistStorage: typeof persistStorage;
  readonly clearStoredWeights: typeof clearStoredWeights;
}
declare const weights: Weights;

interface Visit {
  readonly label: string;
  readonly notes: readonly string[];
  /** Of all that was read, in order. */
  readonly sha256: string;
}

interface Reading {
  readonly name: RemoteName;
  /** Bytes of the weights to read, in pieces. */
  readonly begin?: number;
  readonly end: number;
  readonly piece?: number;
  /** One piece after the other. */
  readonly inTurn?: boolean;
  readonly store?: boolean;
  readonly endpoint?: string;
}

/** What a page does: opens a checkpoint, reads its configuration, asks for a file that is not there, and reads weights into shared memory, pieces at a time. */
async function reading({ name, begin = 0, end, piece = 256 * 1024, inTurn, store, endpoint }: Reading): Promise<Visit> {
  const options = { endpoint, http: { backoffMs: 1 }, ...(store !== undefined && { store }) };
  const source = await weights.openRemote(name, options);
  const size = (await source.size("config.json")) ?? 0;
  await source.read("config.json", 0, size);
  if ((await source.size("absent.json")) !== undefined) throw new Error("a file was found that is not there");
  const shared = new Uint8Array(new SharedArrayBuffer(end - begin));
  const pieces: Promise<void>[] = [];
  for (let at = 0; at < shared.length; at += piece) {
    const target = shared.subarray(at, Math.min(at + piece, shared.length));
    pieces.push(source.readInto!("model.safetensors", begin + at, target));
    if (inTurn) await pieces.at(-1);
  }
  await Promise.all(pieces);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(shared)));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const notes = [...(source.notes ?? [])];
  await source.close();
  return { label: source.label, notes, sha256 };
}

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** What a server was asked since the last time: of weights bytes and requests, and of all files the methods. */
interface Sent {
  readonly bytes: number;
  readonly requests: number;
  readonly methods: readonly string[];
}

interface Site {
  readonly server: HubServer;
  readonly files: Record<string, Uint8Array | string>;
  readonly repo: { commit: string; lfs: (path: string) => boolean };
  readonly name: RemoteName;
  /** A new tab, on the server's own origin unless another is named. */
  page(origin?: string): Promise<Page>;
  /** What one tab reads; all of the weights unless asked otherwise. */
  visit(reading?: Partial<Reading>): Promise<Visit>;
  sentSince(): Sent;
}

/** One browser for all tests: each has a server of its own, and so an origin. */
let context: BrowserContext;
let bundle: string;

async function onSite(work: (site: Site) => Promise<void>, host = "127.0.0.1"): Promise<void> {
  const files: Site["files"] = { "config.json": '{"model_type":"multi_modality"}', [PATH]: CONTENT };
  const repo = { files, commit: "1".repeat(40), lfs: (_: string) => false };
  await HubServer.with({ [REPO]: repo }, async (server) => {
    const origin = server.url.replace("127.0.0.1", host);
    await serve(origin);
    const errors: Error[] = [];
    const opened: Page[] = [];
    const page = async (from = origin): Promise<Page> => {
      const page = await context.newPage();
      opened.push(page);
      page.on("pageerror", (error) => errors.push(error));
      await page.goto(`${from}/page`);
      return page;
    };
    const name = { url: `${origin}/plain/${REPO}/` };
    const visit = async (asked: Partial<Reading> = {}): Promise<Visit> =>
      (await page()).evaluate(reading, { name, end: CONTENT.length, piece: PIECE, ...asked });
    let seen = 0;
    const sentSince = (): Sent => {
      const asked = server.requests.slice(seen);
      seen = server.requests.length;
      const weights = asked.filter(({ path }) => path.endsWith(PATH));
      const methods = [...new Set(asked.map(({ method }) => method))].sort();
      return { bytes: weights.reduce((sum, { sent }) => sum + sent, 0), requests: weights.length, methods };
    };
    try {
      await work({ server, files, repo, name, page, visit, sentSince });
    } finally {
      await context.setOffline(false);
      for (const one of opened) await one.close();
    }
    assert.equal(errors, [], "no error and no rejection that nobody handles");
  });
}

/** Answers `/page` of an origin with a page that has the functions under test. */
function serve(origin: string): Promise<void> {
  const headers = {
    "content-type": "text/html",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  };
  const body = `<!doctype html><title>weights</title><script>${bundle}</script>`;
  return context.route(`${origin}/page`, (route) => route.fulfill({ body, headers }));
}

/** Runs in the page: every file below the store's folder, as path and size; `change` may alter the bytes of those whose name matches. */
async function storedFiles({ match, change }: { match: string; change?: "cut" | "flip" | "empty" }): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
    for await (const [name, handle] of folder.entries()) {
      if (handle instanceof FileSystemDirectoryHandle) await walk(handle, `${path}${name}/`);
      else {
        const file = await (handle as FileSystemFileHandle).getFile();
        found.push(`${path}${name} ${file.size}`);
        if (change === undefined || !new RegExp(match).test(name)) continue;
        const bytes = new Uint8Array(await file.arrayBuffer());
        if (change === "flip") bytes[bytes.length >> 1]! ^= 1;
        const length = change === "cut" ? bytes.length - 1 : change === "empty" ? 0 : bytes.length;
        const writable = await (handle as FileSystemFileHandle).createWritable();
        await writable.write(bytes.subarray(0, length));
        await writable.close();
      }
    }
  };
  await walk(await navigator.storage.getDirectory(), "");
  return found.sort();
}

if (chromiumInstalled()) {
  test.before(async () => {
    const contents = `
      import { openRemote } from "./dist/entry/browser/open-remote.js";
      import { storageStatus, persistStorage, clearStoredWeights } from "./dist/entry/browser/storage.js";
      globalThis.weights = { openRemote, storageStatus, persistStorage, clearStoredWeights };`;
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: ROOT },
      bundle: true,
      minify: true,
      format: "iife",
      target: "es2023",
      write: false,
    });
    bundle = outputFiles[0]!.text;
    context = await startChromium(FLAGS);
  });

  test.after(() => context.close());

  test("a second visit to a URL fetches no byte of weights: their ETag is asked for, and that is all", () =>
    onSite(async ({ visit, sentSince }) => {
      const first = await visit();
      assert.is(first.sha256, digestOf(CONTENT));
      assert.equal(first.notes, []);
      assert.is(sentSince().bytes, CONTENT.length);
      const second = await visit();
      assert.is(second.sha256, digestOf(CONTENT));
      assert.equal(second.notes, []);
      assert.equal(sentSince(), { bytes: 0, requests: 1, methods: ["HEAD"] });
      // Other reads than before, across those that were kept.
      const third = await visit({ begin: 1000, end: 1_500_000, piece: 300_001 });
      assert.is(third.sha256, digestOf(CONTENT.subarray(1000, 1_500_000)));
      assert.equal(sentSince(), { bytes: 0, requests: 1, methods: ["HEAD"] });
    }));

  test("without a store everything is fetched, and nothing kept", () =>
    onSite(async ({ page, visit, sentSince }) => {
      for (let turn = 0; turn < 2; turn++) {
        assert.is((await visit({ store: false })).sha256, digestOf(CONTENT));
        assert.is(sentSince().bytes, CONTENT.length);
      }
      assert.equal(await (await page()).evaluate(storedFiles, { match: "" }), []);
    }));

  test("of a hub's commit nothing is asked of the weights on a second visit, nor when the revision moves on without changing them", () =>
    onSite(async ({ server, repo, files, visit, sentSince }) => {
      const name = { hub: { repo: REPO, revision: "main" } };
      const hub = { name, endpoint: server.url };
      assert.equal(await visit(hub).then(({ sha256, notes }) => [sha256, notes]), [digestOf(CONTENT), []]);
      assert.is(sentSince().bytes, CONTENT.length);
      assert.is((await visit(hub)).sha256, digestOf(CONTENT));
      assert.equal(sentSince(), { bytes: 0, requests: 0, methods: ["HEAD"] });
      repo.commit = "2".repeat(40);
      files["config.json"] = '{"model_type":"multi_modality","changed":true}';
      assert.is((await visit(hub)).sha256, digestOf(CONTENT));
      assert.equal(sentSince(), { bytes: 0, requests: 1, methods: ["GET", "HEAD"] });
      assert.is((await visit(hub)).sha256, digestOf(CONTENT));
      assert.equal(sentSince(), { bytes: 0, requests: 0, methods: ["HEAD"] });
    }));

  test("large files lie on another origin, which names their content in its own way, and so do those of a page on a third", () =>
    onSite(async ({ server, repo, page, visit, sentSince }) => {
      repo.lfs = (path) => path === PATH;
      const hub = { name: { hub: { repo: REPO, revision: "main" } }, endpoint: server.url };
      await HubServer.with({}, async (third) => {
        await serve(third.url);
        const elsewhere = async (): Promise<Visit> =>
          (await page(third.url)).evaluate(reading, { end: CONTENT.length, piece: PIECE, ...hub });
        for (const visiting of [() => visit(hub), elsewhere]) {
          assert.equal(await visiting().then(({ sha256, notes }) => [sha256, notes]), [digestOf(CONTENT), []]);
          assert.is(sentSince().bytes, CONTENT.length);
          assert.is((await visiting()).sha256, digestOf(CONTENT));
          assert.equal(sentSince(), { bytes: 0, requests: 0, methods: ["HEAD"] });
        }
      });
    }));

  test("F13: another ETag is another content: it is fetched, and the old one removed", () =>
    onSite(async ({ files, page, visit, sentSince }) => {
      await visit();
      files[PATH] = OTHER;
      sentSince();
      assert.is((await visit()).sha256, digestOf(OTHER));
      assert.is(sentSince().bytes, OTHER.length);
      const kept = await (await page()).evaluate(storedFiles, { match: "" });
      const bytes = kept.map((file) => Number(file.split(" ")[1])).reduce((sum, size) => sum + size, 0);
      assert.ok(bytes < OTHER.length + 2000, `${bytes} bytes are kept`);
    }));

  test("F12: a kept range that is cut short, flipped or empty is removed and fetched again, and nothing else", () =>
    onSite(async ({ page, visit, sentSince }) => {
      await visit();
      const damaging = await page();
      for (const [at, change] of (["cut", "flip", "empty"] as const).entries())
        await damaging.evaluate(storedFiles, { match: `^${2 * at * PIECE}-${PIECE}-`, change });
      sentSince();
      assert.equal(await visit().then(({ sha256, notes }) => [sha256, notes]), [digestOf(CONTENT), []]);
      assert.is(sentSince().bytes, 3 * PIECE);
      assert.is((await visit()).sha256, digestOf(CONTENT));
      assert.is(sentSince().bytes, 0);
    }));

  test("F12: a record that is cut short, flipped or empty is none: the hub is asked again", () =>
    onSite(async ({ server, page, visit, sentSince }) => {
      const hub = { name: { hub: { repo: REPO, revision: "main" } }, endpoint: server.url };
      await visit(hub);
      for (const change of ["cut", "flip", "empty"] as const) {
        await (await page()).evaluate(storedFiles, { match: "\\.txt$", change });
        sentSince();
        assert.is((await visit(hub)).sha256, digestOf(CONTENT));
        assert.ok(sentSince().requests > 0, change);
      }
      assert.is((await visit(hub)).sha256, digestOf(CONTENT));
      assert.is(sentSince().requests, 0);
    }));

  test("F24: a quota of 1 MB, reached in the middle: the load is right, says so once, and the next one uses what did fit", () =>
    onSite(async ({ server, page, visit, sentSince }) => {
      const holder = await page();
      const session = await context.newCDPSession(holder);
      await session.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize: MB });
      // Writes that begin together may exceed the limit together.
      const first = await visit({ inTurn: true });
      assert.is(first.sha256, digestOf(CONTENT));
      assert.is(first.notes.length, 1, first.notes.join("\n"));
      assert.match(first.notes[0]!, /nothing more can be kept in the origin-private file system \(QuotaExceededError/);
      const kept = await holder.evaluate(storedFiles, { match: "" });
      assert.equal(
        kept.filter((file) => / 0$/.test(file)),
        [],
        "nothing half-written",
      );
      sentSince();
      // Of the writes that begin together several are refused.
      const second = await visit();
      assert.equal([second.sha256, second.notes], [digestOf(CONTENT), first.notes]);
      const { bytes } = sentSince();
      assert.ok(bytes > 0 && bytes < CONTENT.length, `${bytes} bytes were sent`);
      // Of a limit that is set for a test pages are not told.
      const { usage, quota, persisted } = await holder.evaluate(() => weights.storageStatus(), null);
      assert.ok(usage! > PIECE && quota! > usage!, `${usage} of ${quota}`);
      assert.is(persisted, false);
      // Without the limit what is missing is kept at last.
      await session.send("Storage.overrideQuotaForOrigin", { origin: server.url });
      assert.equal((await visit()).notes, []);
      sentSince();
      await visit();
      assert.is(sentSince().bytes, 0);
    }));

  test("F24: a tab that is reloaded in the middle of a download uses what came, and fetches the rest", () =>
    onSite(async ({ server, page, name, sentSince }) => {
      // Some ranges come, one stays half, and others do not begin.
      server.misbehave({ path: PATH, method: "GET", skip: 4, fault: { kind: "stall", after: 100_000 } });
      const tab = await page();
      const asked = { name, end: CONTENT.length, piece: PIECE };
      const step = (at: number): Promise<Visit> =>
        tab.evaluate(reading, { ...asked, begin: at * PIECE, end: (at + 1) * PIECE });
      for (let at = 0; at < 4; at++) await step(2 * at);
      const cut = tab.evaluate(reading, asked).catch((error: Error) => error);
      await until(() => server.requests.filter(({ sent }) => sent === 100_000).length >= 3, "requests that stall");
      await tab.reload();
      assert.instance(await cut, Error);
      server.behave();
      sentSince();
      assert.is((await tab.evaluate(reading, asked)).sha256, digestOf(CONTENT));
      assert.is(sentSince().bytes, CONTENT.length - 4 * PIECE);
      await tab.evaluate(reading, asked);
      assert.is(sentSince().bytes, 0);
    }));

  test("F24: a tab that is reloaded while it writes leaves nothing that is believed and wrong", () =>
    onSite(async ({ page, name, visit }) => {
      for (const delay of [20, 40, 60, 80, 120, 160]) {
        const tab = await page();
        const asked = { name, end: CONTENT.length, piece: 64 * 1024 };
        const cut = tab.evaluate(reading, asked).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, delay));
        await tab.reload();
        await cut;
        await tab.close();
      }
      assert.equal(await visit().then(({ sha256, notes }) => [sha256, notes]), [digestOf(CONTENT), []]);
    }));

  test("without a network, or with a server that is down, what was kept is taken, and that is said", () =>
    onSite(async ({ server, visit }) => {
      const hub = { name: { hub: { repo: REPO, revision: "main" } }, endpoint: server.url };
      for (const asked of [{}, hub]) await visit(asked);
      for (const down of [true, false]) {
        if (down)
          for (const method of ["GET", "HEAD"] as const)
            server.misbehave({ method, fault: { kind: "cut", after: 0, beforeHeaders: true } });
        else await context.setOffline(true);
        for (const asked of [{}, hub]) {
          const { sha256, notes, label } = await visit(asked);
          assert.is(sha256, digestOf(CONTENT));
          assert.match(label, /, offline$/);
          assert.is(notes.length, 1);
          assert.match(notes[0]!, /config\.json.*expected an answer, got .*; what an earlier visit has kept is taken/);
        }
        server.behave();
      }
    }));

  test("without a network, what is not kept is named, and of a checkpoint that was never seen it is the network", () =>
    onSite(async ({ visit }) => {
      await visit({ end: PIECE });
      await context.setOffline(true);
      const lacking = await visit().catch((error: Error) => error.message);
      assert.match(
        String(lacking),
        /262144 bytes at 262144 are not in "the origin-private file system".*load it again when its server can be reached/,
      );
      const unseen = await visit({ name: { url: "http://127.0.0.1:9/other" } }).catch((error: Error) => error.message);
      assert.match(String(unseen), /config\.json.*expected an answer/);
    }));

  test("F14: two tabs that load at once are both right, and leave a store that is whole", () =>
    onSite(async ({ visit, sentSince }) => {
      const visits = await Promise.all([visit(), visit({ piece: 200_000 }), visit()]);
      for (const { sha256, notes } of visits) assert.equal([sha256, notes], [digestOf(CONTENT), []]);
      sentSince();
      assert.is((await visit()).sha256, digestOf(CONTENT));
      assert.is(sentSince().bytes, 0);
    }));

  test("F24: a store that is removed between opening and reading: the load is right, and says that it keeps nothing", () =>
    onSite(async ({ page, name, visit }) => {
      await visit();
      const tab = await page();
      const outcome = await tab.evaluate(
        async ({ name, length }) => {
          const source = await weights.openRemote(name);
          const before = await source.read("model.safetensors", 0, 1000);
          await weights.clearStoredWeights();
          const after = await source.read("model.safetensors", 0, length);
          const again = await source.read("model.safetensors", 5, 1000);
          const left: string[] = [];
          for await (const folder of (await navigator.storage.getDirectory()).keys()) left.push(folder);
          await weights.clearStoredWeights();
          const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", after as Uint8Array<ArrayBuffer>));
          return {
            before: [...before],
            again: [...again],
            digest: [...digest],
            notes: [...(source.notes ?? [])],
            left,
          };
        },
        { name, length: CONTENT.length },
      );
      assert.equal(outcome.before, [...CONTENT.subarray(0, 1000)]);
      assert.equal(outcome.again, [...CONTENT.subarray(5, 1005)]);
      assert.is(Buffer.from(outcome.digest).toString("hex"), digestOf(CONTENT));
      assert.is(outcome.notes.length, 1, outcome.notes.join("\n"));
      assert.match(outcome.notes[0]!, /nothing more can be kept.*NotFoundError/);
      assert.equal(outcome.left, []);
      assert.equal((await visit()).notes, []);
    }));

  test("clearing while a file is being written is refused with a sentence, and works afterwards; with nothing kept it does nothing", () =>
    onSite(async ({ page, visit, sentSince }) => {
      await visit({ end: PIECE });
      const refusal = await (await page()).evaluate(async () => {
        const root = await navigator.storage.getDirectory();
        const folder = await root.getDirectoryHandle("janus-wasm");
        const writable = await (await folder.getFileHandle("file", { create: true })).createWritable();
        const refusal = await weights
          .clearStoredWeights()
          .catch((error) => ({ code: error.code, text: error.message }));
        await writable.close();
        await weights.clearStoredWeights();
        await weights.clearStoredWeights();
        return refusal;
      }, null);
      assert.is(refusal?.code, "E_IO");
      assert.match(refusal?.text, /^clearing the stored weights: .*found a file in use; wait for the load/);
      sentSince();
      await visit({ end: PIECE });
      assert.is(sentSince().bytes, PIECE);
    }));

  test("a page that is no secure context, and a browser that refuses: everything is fetched, and that is said", async () => {
    await onSite(async ({ page, name, sentSince }) => {
      const outcome = await (await page()).evaluate(
        async ({ name, length }) => {
          const source = await weights.openRemote(name);
          const bytes = await source.read("model.safetensors", 0, length);
          const status = await weights.storageStatus();
          await weights.clearStoredWeights();
          return {
            bytes: [...bytes],
            notes: [...(source.notes ?? [])],
            status,
            persisted: await weights.persistStorage(),
          };
        },
        { name, length: 1000 },
      );
      assert.equal(outcome.bytes, [...CONTENT.subarray(0, 1000)]);
      assert.is(outcome.notes.length, 1);
      assert.match(
        outcome.notes[0]!,
        /nothing is kept for the next visit: expected the origin-private file system, got /,
      );
      assert.equal([outcome.status, outcome.persisted], [{ persisted: false }, false]);
      assert.is(sentSince().bytes, 1000);
    }, INSECURE);
    await onSite(async ({ page, name }) => {
      const notes = await (await page()).evaluate(
        async ({ name }) => {
          // What Firefox says in a private window.
          navigator.storage.getDirectory = () => Promise.reject(new DOMException("Security error", "SecurityError"));
          const source = await weights.openRemote(name);
          await source.read("model.safetensors", 0, 1000);
          await weights.clearStoredWeights();
          return source.notes;
        },
        { name },
      );
      assert.match(notes!.join("\n"), /^nothing is kept for the next visit: .*got SecurityError/);
    });
  });

  test("a file without a strong ETag is not kept, and that is said", () =>
    onSite(async ({ server, visit, sentSince }) => {
      server.misbehave({ path: PATH, fault: { kind: "etag", etag: 'W/"weak"' } });
      for (let turn = 0; turn < 2; turn++) {
        const { sha256, notes } = await visit();
        assert.is(sha256, digestOf(CONTENT));
        assert.is(notes.length, 1);
        assert.match(notes[0]!, /model\.safetensors.* is not kept for the next visit: expected a strong ETag/);
        assert.is(sentSince().bytes, CONTENT.length);
      }
    }));

  test("an abort rejects with its reason; a dedicated worker reads what a page has kept", () =>
    onSite(async ({ page, name, visit, sentSince }) => {
      await visit();
      sentSince();
      const tab = await page();
      const outcome = await tab.evaluate(
        async ({ name }) => {
          const reason = await weights
            .openRemote(name, { signal: AbortSignal.abort("stopped") })
            .catch((error) => error);
          const script = document.querySelector("script")!.textContent;
          const work = `weights.openRemote(${JSON.stringify(name)})
            .then((source) => source.read("model.safetensors", 1000, 1000)).then(postMessage)`;
          const worker = new Worker(URL.createObjectURL(new Blob([`${script};${work}`])));
          const bytes: Uint8Array = await new Promise((resolve) => {
            worker.onmessage = ({ data }) => resolve(data);
          });
          worker.terminate();
          return { reason, bytes: [...bytes] };
        },
        { name },
      );
      assert.is(outcome.reason, "stopped");
      assert.equal(outcome.bytes, [...CONTENT.subarray(1000, 2000)]);
      assert.is(sentSince().bytes, 0);
    }));

  test.run();
}
