/**
 * Debian's Chromium against Node: every recorded case on every checkpoint it applies to, with and without cross-origin isolation, under a policy that allows the page's own
 * scripts, workers and WebAssembly. The plain variants give Node's bytes; the relaxed ones are held against the recording.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { suite, type Test } from "uvu";
import * as assert from "uvu/assert";
import type * as Library from "#dist/entry/browser/index.js";
import { Janus } from "#dist/entry/node/index.js";
import { pack } from "#dist/entry/node/pack.js";
import { checkCases, checkPictures } from "../support/browser-cases.js";
import { type BrowserContext, chromiumInstalled, type Page, withChromium } from "../support/chromium.js";
import { PageServer } from "../support/page-server.js";
import { ROOT } from "../support/paths.js";
import { bytesOf } from "../support/tensors.js";

/** What the page has. */
declare const janus: typeof Library;

const FOLDER = "/dist/entry/browser/";
/** What is loaded to embed from safetensors with tokenizer.json: the entry, its worker's program, and what those import before they run. */
const LOADED = ["index.js", "page.js", "shared.js", "worker.js"];
/** What is imported when it is needed, and the entries that have it from the beginning. */
const APART = ["packed.js", "session.js", "static.js", "stream.js", "torch.js", "transformers.js"];
/** Bytes of `LOADED` by brotli (quality 11). */
const LIMIT = 60_000;

/** The demo model packed in 8 bits, where the server finds it. */
async function withPacked(work: (folder: string, url: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(`${ROOT}build/packed-`);
  try {
    await pack(`${ROOT}models/demo`, join(folder, "model"), { dtype: "int8" });
    await work(join(folder, "model"), `/${relative(ROOT, folder)}/model`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

interface Visit {
  readonly page: Page;
  readonly server: PageServer;
}

/** A browser and its page for the tests of one suite. */
function visiting(test: Test<Visit>, isolated: boolean): void {
  let leave: (() => Promise<void>) | undefined;
  test.before(async (context) => {
    const server = await PageServer.start({ isolated });
    await new Promise<void>((resolve, reject) => {
      const visit = withChromium(async (browser) => {
        const page = await openPage(browser, server);
        Object.assign(context, { page, server });
        await new Promise<void>((left) => {
          leave = async () => {
            left();
            await visit;
            await server.close();
          };
          resolve();
        });
      });
      visit.catch(reject);
    });
  });
  test.after(() => leave?.());
}

/** Opens the page, whose script has the library. */
async function openPage(browser: BrowserContext, server: PageServer): Promise<Page> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  await page.goto(server.url);
  const ready = await page.evaluate(async () => {
    for (let turn = 0; turn < 200 && !("janus" in globalThis); turn++) await new Promise((r) => setTimeout(r, 25));
    return "janus" in globalThis;
  }, undefined);
  assert.ok(ready, `the page's script ran: ${errors.join("; ")}`);
  return page;
}

const installed = chromiumInstalled();

const files = suite("browser, files");
const textOf = (file: string): string => readFileSync(`${ROOT}${FOLDER}${file}`, "utf8");
/** What a file imports; or only what it imports before it runs. */
const importsOf = (file: string, before = false): string[] =>
  // Minified: no blank before the path, as in a sentence; and not Uint8Array.from.
  [
    ...textOf(file).matchAll(
      before ? /(?<![\w.])(?:from|import) ?"([^"]+)"/g : /(?<![\w.])(?:from|import)\(? ?"([^"]+)"/g,
    ),
  ]
    .map(([, path]) => path ?? "")
    .filter((path) => /^[@./:\w-]+$/.test(path));

files("all JavaScript for a browser needs no package, no other origin and no code from text", () => {
  for (const file of [...LOADED, ...APART]) {
    for (const path of importsOf(file))
      assert.ok([...LOADED, ...APART].includes(path.replace("./", "")), `${file} imports ${path}`);
    assert.not.match(textOf(file), /\beval\(|new Function\(/, file);
  }
});

files("what is loaded to embed from safetensors is small, and imports the rest when it is needed", () => {
  const reached = new Set(["index.js", "worker.js"]);
  for (const file of reached) for (const path of importsOf(file, true)) reached.add(path.replace("./", ""));
  assert.equal([...reached].sort(), LOADED);
  const sizes = LOADED.map((file) => brotliCompressSync(textOf(file)).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(total <= LIMIT, `${total} bytes by brotli: ${sizes.join(" + ")}`);
});

files("the static entry imports every part before it runs, and nothing later", () => {
  const reached = new Set(["static.js"]);
  for (const file of reached) for (const path of importsOf(file, true)) reached.add(path.replace("./", ""));
  const later = [...reached].flatMap((file) => importsOf(file)).map((path) => path.replace("./", ""));
  assert.equal(
    later.filter((file) => !reached.has(file)),
    [],
  );
});
files.run();

for (const isolated of installed ? [true, false] : []) {
  const test = suite<Visit>(`browser, ${isolated ? "isolated" : "not isolated"}`);
  visiting(test, isolated);

  test("every recorded case", async ({ page }) => {
    await checkCases(page, isolated ? 2 : 1);
  });

  test("threads: what is granted, and what is asked for", async ({ page }) => {
    const found = await page.evaluate(async () => {
      const model = await janus.Janus.load("/models/demo");
      const { threads, notes } = model.runtime;
      await model.dispose();
      const refused = await janus.Janus.load("/models/demo", { threads: 2 }).then(
        async (other) => {
          const { variant } = other.runtime;
          await other.dispose();
          return variant;
        },
        (error: Library.JanusError) => `${error.code}: ${error.message}`,
      );
      return { threads, notes: [...notes], refused };
    }, undefined);
    assert.is(found.threads, 1, "the demo model is too small to share");
    if (isolated) {
      assert.equal(found.notes, []);
      assert.match(found.refused, /-threads$/);
    } else {
      assert.match(found.notes.join(), /^1 thread: page is not cross-origin isolated/);
      assert.match(found.refused, /^E_UNSUPPORTED: loading: threads must be 1 or auto here, got 2: page is not cross/);
    }
  });

  test("an abort rejects with its reason and leaves the model usable", async ({ page }) => {
    const found = await page.evaluate(async () => {
      const model = await janus.Janus.load("/models/demo");
      const request = { question: "What is on the right?", images: ["/models/demo/examples/06.png"] };
      const before = await model.embed(request);
      const reasons: unknown[] = [];
      for (const after of [0, 1, 5, 20]) {
        const call = new AbortController();
        const work = model.embed([request, request, request], { signal: call.signal });
        setTimeout(() => call.abort("enough"), after);
        reasons.push(
          await work.then(
            () => "enough", // It was faster.
            (reason: unknown) => reason,
          ),
        );
      }
      const load = new AbortController();
      const loading = janus.Janus.load("/models/demo", { signal: load.signal });
      load.abort("enough");
      reasons.push(await loading.catch((reason: unknown) => reason));
      const { data } = (await model.embed(request)).inputsEmbeds;
      await model.dispose();
      const late = await model.embed(request).catch((error: Library.JanusError) => error.code);
      return { reasons, same: data.every((value, i) => value === before.inputsEmbeds.data[i]), late };
    }, undefined);
    assert.equal(found, { reasons: Array(5).fill("enough"), same: true, late: "E_DISPOSED" });
  });

  test.run();
}

if (installed) {
  const test = suite<Visit>("browser, scripts");
  visiting(test, false);

  test("a page that embeds from safetensors loads these, and a part with what needs it", async ({ page, server }) => {
    const embed = (options: Library.LoadOptions): Promise<void> =>
      page.evaluate(async (options) => {
        const model = await janus.Janus.load("/models/demo", { store: false, ...options });
        await model.embed({ question: "What is on the right?", images: ["/models/demo/examples/06.png"] });
        await model.dispose();
      }, options);
    const scripts = (): string[] => {
      const found = server.requests.filter((path) => path.startsWith(FOLDER)).map((path) => path.slice(FOLDER.length));
      return [...new Set(found)].sort();
    };
    await embed({});
    assert.equal(scripts(), LOADED);
    await embed({ residency: "stream" });
    assert.equal(scripts(), [...LOADED, "stream.js"].sort());
  });

  test("a packed checkpoint, verified, resident and streamed: Node's bytes, and one part more", async ({
    page,
    server,
  }) => {
    await withPacked(async (folder, url) => {
      const question = "What is on the right?";
      const here = await Janus.load(folder, { variant: "simd", threads: 1 });
      const image = `${ROOT}models/demo/examples/06.png`;
      const expected = digest(bytesOf((await here.embed({ question, images: [image] })).inputsEmbeds));
      await here.dispose();
      const found = await page.evaluate(
        async ({ url, question }) => {
          const embed = async (options: Library.LoadOptions): Promise<number[]> => {
            const model = await janus.Janus.load(url, { store: false, variant: "simd", verify: true, ...options });
            const { inputsEmbeds } = await model.embed({ question, images: ["/models/demo/examples/06.png"] });
            await model.dispose();
            return [...new Uint8Array(await crypto.subtle.digest("SHA-256", inputsEmbeds.data))];
          };
          return [await embed({}), await embed({ residency: "stream" })];
        },
        { url, question },
      );
      for (const bytes of found) assert.is(Buffer.from(bytes).toString("hex"), expected);
      assert.ok(server.requests.includes(`${FOLDER}packed.js`));
    });
  });

  test.run();
}

if (installed) {
  const test = suite<Visit>("browser, pictures");
  visiting(test, true);

  test("PNG to the byte as in Node, JPEG and WebP within a few levels", async ({ page }) => {
    // Of Chromium 156 one level, of CMYK alone.
    await checkPictures(page, 2);
  });

  test("a picture in every form is the same picture", async ({ page }) => {
    const found = await page.evaluate(async () => {
      const url = "/models/demo/examples/06.png";
      const blob = await (await fetch(url)).blob();
      const bytes = new Uint8Array(await blob.arrayBuffer());
      const bitmap = await createImageBitmap(blob);
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      canvas?.drawImage(bitmap, 0, 0);
      const pixels = canvas?.getImageData(0, 0, bitmap.width, bitmap.height);
      const padded = new Uint8Array(bytes.length + 7);
      padded.set(bytes, 5);
      const data = `data:image/png;base64,${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
      const forms = {
        url,
        object: new URL(url, location.href),
        blob,
        file: new File([blob], "06.png"),
        bytes,
        buffer: bytes.buffer,
        view: padded.subarray(5, 5 + bytes.length),
        shared: new Uint8Array(new SharedArrayBuffer(bytes.length)),
        data,
        pixels: pixels!,
      };
      forms.shared.set(bytes);
      const model = await janus.Janus.load("/models/demo");
      const { data: expected } = await model.preprocess(url);
      const same: string[] = [];
      for (const [name, form] of Object.entries(forms)) {
        const { data } = await model.preprocess(form);
        if (data.every((value, i) => value === expected[i])) same.push(name);
      }
      const refused: string[] = [];
      const wrong = [
        "/absent.png",
        "/page.js",
        new Blob(["GIF89a"]),
        new ArrayBuffer(0),
        "http://[",
        7,
        new Blob([bytes.subarray(0, 999)]),
      ];
      for (const form of [...wrong, "data:image/png;base64,%"])
        refused.push(
          await model.preprocess(form as never).then(
            () => "taken",
            (error: Library.JanusError) => `${error.code} ${error.message}`,
          ),
        );
      await model.dispose();
      return { same, forms: Object.keys(forms), refused, detached: bytes.length };
    }, undefined);
    assert.equal(found.same, found.forms);
    assert.ok(found.detached > 0, "the caller's bytes are untouched");
    for (const [at, pattern] of [
      /^E_IO "\/absent.png": expected a picture, got status 404; /,
      /^E_IMAGE "\/page.js": expected a JPEG, PNG or WebP, got \d+ bytes/,
      /^E_IMAGE image 1: .* got a GIF; /,
      /^E_IMAGE image 1: .* got no bytes; /,
      /^E_IMAGE "http:\/\/\[": expected a URL, bytes/,
      /^E_IMAGE image 1: expected a URL, bytes.* got 7; /,
      /^E_IMAGE image 1: cannot be decoded: it ends after 999 bytes, in the middle; /,
      /^E_IMAGE image 1: expected base64 after the comma/,
    ].entries())
      assert.match(found.refused[at]!, pattern);
  });

  test("the page goes on while a large picture is decoded and embedded", async ({ page }) => {
    const gap = await page.evaluate(async () => {
      const model = await janus.Janus.load("/models/demo");
      const blob = await new Promise<Blob>((resolve) => {
        const canvas = new OffscreenCanvas(4000, 3000);
        const context = canvas.getContext("2d");
        for (let i = 0; i < 400; i++) {
          context!.fillStyle = `hsl(${i} 80% 50%)`;
          context!.fillRect((i % 20) * 200, Math.floor(i / 20) * 150, 190, 140);
        }
        void canvas.convertToBlob({ type: "image/png" }).then(resolve);
      });
      let [last, gap] = [performance.now(), 0];
      const ticking = setInterval(() => {
        const now = performance.now();
        [gap, last] = [Math.max(gap, now - last), now];
      }, 5);
      const started = performance.now();
      await model.embed({ question: "What is on the right?", images: [blob] });
      const took = performance.now() - started;
      clearInterval(ticking);
      await model.dispose();
      return { gap, took };
    }, undefined);
    // 36 MB of RGB: what is done on the page's own thread would take about as long as all of it.
    assert.ok(gap.gap < Math.max(100, gap.took / 3), `${gap.gap.toFixed(0)} of ${gap.took.toFixed(0)} ms`);
  });

  test("files that a person picked are a model, assets may lie apart, what is no model is refused", async ({
    page,
  }) => {
    const names = readdirSync(`${ROOT}models/demo`).filter((name) => /\.(json|safetensors)$/.test(name));
    const found = await page.evaluate(async (names) => {
      const files = await Promise.all(
        names.map(async (name) => new File([await (await fetch(`/models/demo/${name}`)).blob()], name)),
      );
      const model = await janus.Janus.load(files);
      const { inputsEmbeds } = await model.embed({
        question: "What is on the right?",
        images: ["/models/demo/examples/06.png"],
      });
      await model.dispose();
      const refused: string[] = [];
      for (const [wrong, options] of [
        ["no model", {}],
        ["/models", {}],
        ["/models/demo", { assetsBase: "/nowhere/" }],
        ["o/n", { hubUrl: "ftp://x" }],
      ] as const)
        refused.push(
          await janus.Janus.load(wrong, options).then(
            () => "loaded",
            (error: Library.JanusError) => `${error.code} ${error.message}`,
          ),
        );
      return { dims: inputsEmbeds.dims, refused };
    }, names);
    assert.equal(found.dims, [1, 90, 128]);
    for (const [at, pattern] of [
      /^E_USAGE opening "no model": expected an http/,
      /^E_/,
      /^E_IO loading: expected a WebAssembly binary at ".*nowhere\/relaxed.wasm", got status 404; .*assetsBase$/,
      /^E_USAGE loading: hubUrl/,
    ].entries())
      assert.match(found.refused[at]!, pattern);
  });

  test("a service worker computes by itself, with the same bytes; what is imported later, from the static entry", async ({
    page,
  }) => {
    const found = await page.evaluate(async () => {
      const request = { question: "What is on the right?", images: ["/models/demo/examples/06.png"] };
      type Answer = { error?: string; embeds?: Float32Array; notes?: string[]; threads?: number };
      const asking = async (program: string): Promise<(model: string, options: object) => Promise<Answer>> => {
        const { installing, active } = await navigator.serviceWorker.register(program, { type: "module" });
        const worker = installing ?? active!;
        while (worker.state !== "activated") await new Promise((resolve) => setTimeout(resolve, 25));
        return (model, options) =>
          new Promise((resolve) => {
            const channel = new MessageChannel();
            channel.port1.onmessage = ({ data }) => resolve(data);
            worker.postMessage({ model, options, request }, [channel.port2]);
          });
      };
      const same = async (model: string, { embeds }: Answer): Promise<boolean> => {
        const loaded = await janus.Janus.load(model, { store: false });
        const { data } = (await loaded.embed(request)).inputsEmbeds;
        await loaded.dispose();
        return data.every((value, i) => value === embeds?.[i]);
      };
      const demo = "/models/demo";
      const torch = "/test/golden/checkpoints/tiny-orig-bin";
      const plain = await asking("/service-worker.js");
      const answer = await plain(demo, {});
      const refused = [(await plain(torch, {})).error, (await plain(demo, { residency: "stream" })).error];
      const whole = await asking("/static/service-worker.js");
      const [read, streamed] = [await whole(torch, {}), await whole(demo, { residency: "stream" })];
      const { error, notes, threads } = answer;
      const equal = [await same(demo, answer), await same(torch, read), await same(demo, streamed)];
      return { error, threads, notes, equal, refused, errors: [read.error, streamed.error] };
    }, undefined);
    const { refused, ...rest } = found;
    assert.equal(rest, {
      error: undefined,
      threads: 1,
      notes: ["1 thread: a service worker cannot start workers"],
      equal: [true, true, true],
      errors: [undefined, undefined],
    });
    for (const [at, part] of ["torch", "stream"].entries())
      assert.match(
        refused[at] ?? "",
        new RegExp(`^JanusError: loading: expected to import ${part}\\.js .*janus-wasm/static`),
      );
  });

  test.run();
}
