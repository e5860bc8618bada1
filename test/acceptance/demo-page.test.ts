/**
 * The demo page in Debian's Chromium, driven as a person would: what is on the screen, by text and by pixels. With JANUS_SCREENSHOTS naming a folder, pictures of the page
 * at two widths in two colour schemes are left there, to be looked at.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type * as Library from "#dist/entry/browser/index.js";
import { Janus, toNpy, toSafetensors, toTorch } from "#dist/entry/node/index.js";
import { createDemoServer, PAGE } from "../../examples/browser/serve.mjs";
import { type BrowserContext, chromiumInstalled, withChromium } from "../support/chromium.js";
import type { DrivenPage } from "../support/driven-page.js";
import { ROOT } from "../support/paths.js";

const test = suite("acceptance/demo-page");
const DEMO = `${ROOT}models/demo/`;
const EXAMPLES: { images: string[]; question: string; answer: string }[] = JSON.parse(
  readFileSync(`${DEMO}examples/examples.json`, "utf8"),
);
/** The example that a first visit shows. */
const FIRST = EXAMPLES[6]!;
const SCREENSHOTS = process.env["JANUS_SCREENSHOTS"];

/** The demo's own server, whose answers for some paths can be held back. */
class Demo {
  readonly #server: Server;
  /** Paths that get no answer until this is emptied. */
  readonly held = new Set<string>();
  #release = new AbortController();

  private constructor(isolation: boolean) {
    const demo = createDemoServer({ isolation, root: ROOT });
    this.#server = createServer((request, response) => {
      const answer = (): unknown => demo.emit("request", request, response);
      if (this.held.has(request.url ?? "")) this.#release.signal.addEventListener("abort", answer);
      else answer();
    });
  }

  static async start(isolation = true): Promise<Demo> {
    const demo = new Demo(isolation);
    await new Promise<void>((resolve) => demo.#server.listen(0, "127.0.0.1", resolve));
    return demo;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  release(): void {
    this.held.clear();
    this.#release.abort();
    this.#release = new AbortController();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function onPage(
  work: (page: DrivenPage, demo: Demo, context: BrowserContext) => Promise<void>,
  { isolation = true, flags = [] as string[] } = {},
): Promise<void> {
  const demo = await Demo.start(isolation);
  try {
    await withChromium(async (context) => {
      const page = (await context.newPage()) as DrivenPage;
      const errors: Error[] = [];
      page.on("pageerror", (error) => errors.push(error));
      await work(page, demo, context);
      assert.equal(errors, []);
    }, flags);
  } finally {
    await demo.close();
  }
}

const text = async (page: DrivenPage, selector: string): Promise<string> =>
  ((await page.locator(selector).textContent()) ?? "").trim();

const answered = (page: DrivenPage, words: string): Promise<unknown> =>
  page.waitForFunction(
    (want) => document.querySelector("#answer")?.textContent === want && !document.body.classList.contains("busy"),
    words,
    { timeout: 10_000 },
  );

/** RGBA of all pixels of the first canvas that matches. */
const pixels = (page: DrivenPage, selector: string): Promise<number[]> =>
  page.evaluate((selector) => {
    const canvas = document.querySelector(selector) as HTMLCanvasElement;
    const { width, height } = canvas;
    return [...(canvas.getContext("2d")?.getImageData(0, 0, width, height).data ?? [])];
  }, selector);

const fonts = (page: DrivenPage): Promise<string[]> =>
  page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name), undefined);

if (!chromiumInstalled()) process.exit(0);

test("a visit: the answer, what goes in, colours, similarity, the sequence, times, what runs, and files", () =>
  onPage(async (page, { url }) => {
    await page.goto(`${url}/`);
    await answered(page, FIRST.answer);
    assert.is(await page.evaluate(() => crossOriginIsolated, undefined), true);
    for (const name of await fonts(page)) assert.ok(name.startsWith(url) || name.startsWith("blob:"), name);

    const janus = await Janus.load(DEMO);
    const request = { question: FIRST.question, images: FIRST.images.map((name) => `${DEMO}examples/${name}`) };
    const out = await janus.embed(request, { stages: true });
    await janus.dispose();

    // What goes in: every level of the padded square.
    const levels = out.stages?.["pixel_values"]?.data as Float32Array;
    const square = await pixels(page, "#square .base");
    const plane = 96 ** 2;
    for (let i = 0; i < plane; i += 7)
      for (let c = 0; c < 3; c++)
        assert.is(square[i * 4 + c], Math.round(((levels[c * plane + i] ?? 0) * 0.5 + 0.5) * 255), `pixel ${i}`);

    // Three components: a colour for each of 36 patches, and the strip has the same ones.
    const colours = await pixels(page, "#features .over");
    assert.is(colours.length, 36 * 4);
    assert.ok(new Set(Array.from({ length: 36 }, (_, p) => colours.slice(p * 4, p * 4 + 3).join())).size > 20);
    const cells = await page.evaluate(
      () =>
        [...document.querySelectorAll<HTMLElement>("#strip .image")].map(({ style }) =>
          style.background.match(/\d+/g)?.map(Number),
        ),
      undefined,
    );
    assert.is(cells.length, 36);
    for (const [p, cell] of cells.entries()) assert.equal(cell, colours.slice(p * 4, p * 4 + 3));

    // Pointing at a patch lights it, and what is like it.
    const heat = page.locator("#similarity .square");
    const box = await heat.boundingBox();
    assert.ok(box);
    const side = box?.width ?? 0;
    await heat.hover({ position: { x: side * (4.5 / 6), y: side * (1.5 / 6) } });
    assert.match(await text(page, "#patch-line"), "Row 2, column 5.");
    const triangle = await pixels(page, "#similarity .over");
    const brightness = (image: readonly number[], p: number): number =>
      image.slice(p * 4, p * 4 + 3).reduce((sum, level) => sum + level, 0);
    const brightest = Array.from({ length: 36 }, (_, p) => p).sort(
      (a, b) => brightness(triangle, b) - brightness(triangle, a),
    );
    assert.is(brightest[0], 1 * 6 + 4);
    const features = out.stages?.["image_features"]?.data as Float32Array;
    const cosine = (a: number, b: number): number => {
      let [dot, aa, bb] = [0, 0, 0];
      for (let i = 0; i < 128; i++) {
        const [x, y] = [features[a * 128 + i] ?? 0, features[b * 128 + i] ?? 0];
        dot += x * y;
        aa += x * x;
        bb += y * y;
      }
      return dot / Math.sqrt(aa * bb);
    };
    const closest = Array.from({ length: 36 }, (_, p) => p)
      .filter((p) => p !== 10)
      .sort((a, b) => cosine(10, b) - cosine(10, a))[0]!;
    assert.is(brightest[1], closest);
    assert.match(await text(page, "#patch-line"), `cosine ${cosine(10, closest).toFixed(3)}`);
    // By keys, too.
    await heat.focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowLeft");
    assert.match(await text(page, "#patch-line"), "Row 3, column 4.");
    assert.not.equal(await pixels(page, "#similarity .over"), triangle);

    // The sequence: a cell a position, its token by pointer and by key.
    const length = out.inputIds.dims[1]!;
    const strip = page.locator("#strip li");
    assert.is(await strip.count(), length);
    assert.match(await text(page, "#sequence-note"), `${length} positions: ${length - 36} of text, 36 of the picture`);
    await strip.nth(length - 1).hover();
    assert.match(await text(page, "#token-line"), `Position ${length} of ${length}: token`);
    await strip.nth(0).focus();
    assert.match(await text(page, "#token-line"), "<｜begin▁of▁sentence｜>");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    assert.match(await text(page, "#token-line"), `Position ${length - 1} of ${length}: token`);
    const first = out.imagesSeqMask.data.indexOf(1);
    await strip.nth(first + 7).hover();
    assert.match(await text(page, "#token-line"), "patch 8 of picture 1");
    assert.match(await text(page, "#patch-line"), "Row 2, column 2.");

    assert.match(await text(page, "#time-table"), /encode[\d.]+ ms.*total[\d.]+ ms.*answer[\d.]+ ms/s);
    assert.match(await text(page, "#runtime-list"), /threads1 of \d+.*bf16.*Chrome/s);

    // What is saved is what Node makes of the same picture, but for the last bits of the relaxed variant's sums.
    const files = { safetensors: [toSafetensors({ ...out, stages: {} })], npy: toNpy(out), pt: toTorch(out) };
    for (const [format, [file]] of Object.entries(files)) {
      const saving = page.waitForEvent("download");
      await page.locator(`[data-format=${format}]`).click();
      const download = await saving;
      assert.is(download.suggestedFilename(), `janus.${format}`);
      const saved = readFileSync(await download.path());
      const made = Buffer.concat([...file!]);
      assert.is(saved.length, made.length, format);
      assert.equal(saved.subarray(0, 64), made.subarray(0, 64), format);
    }
  }));

test("asking, dropping and taking away; what is no picture is said where it happened, and the page goes on", () =>
  onPage(async (page, { url }) => {
    await page.goto(`${url}${PAGE}`);
    await answered(page, FIRST.answer);
    await page.locator("#examples button").nth(10).click();
    await answered(page, EXAMPLES[10]!.answer);
    assert.is(await page.locator("#similarity .square").count(), 2);
    await page.locator("#examples button").nth(12).click();
    await page.waitForFunction(() => (document.querySelector("#seen") as HTMLElement).hidden, undefined);

    const drop = (bytes: readonly number[], name: string, type: string): Promise<void> =>
      page.evaluate(
        ({ bytes, name, type }) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([Uint8Array.from(bytes)], name, { type }));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        },
        { bytes, name, type },
      );
    await page.locator("#question").fill(EXAMPLES[0]!.question);
    await drop([...readFileSync(`${DEMO}examples/00.png`)], "star.png", "image/png");
    await answered(page, EXAMPLES[0]!.answer);
    await drop([1, 2, 3], "nothing.png", "image/png");
    await page.locator("#problem").waitFor({ state: "visible" });
    assert.match(await text(page, "#problem-text"), "expected a JPEG, PNG or WebP");
    assert.is(await text(page, "#answer"), "");
    await page.locator("#tray button").click();
    await page.locator("#pick").setInputFiles(`${DEMO}examples/02.png`);
    await page.locator("#question").fill(EXAMPLES[2]!.question);
    await page.locator("#question").press("Enter");
    await answered(page, EXAMPLES[2]!.answer);
    assert.is(await page.locator("#problem").isVisible(), false);
  }));

test("cancelled while the model comes, tried again; 8 bits; a folder; what is no checkpoint", () =>
  onPage(async (page, demo) => {
    demo.held.add("/models/demo/model.safetensors");
    await page.goto(`${demo.url}${PAGE}`);
    await page.locator("#model-cancel").waitFor({ state: "visible" });
    await page.locator("#model-cancel").click();
    await page.locator("#model-problem").waitFor({ state: "visible" });
    assert.is(await text(page, "#model-problem-text"), "Loading was cancelled.");
    assert.is(await text(page, "#model-line"), "no model");
    demo.release();
    await page.locator("#model-retry").click();
    await answered(page, FIRST.answer);
    assert.is(await page.locator("#model-problem").isVisible(), false);

    await page.locator('[name=dtype][value="int8"]').click();
    await page.waitForFunction(() => /int8/.test(document.querySelector("#model-line")?.textContent ?? ""), undefined);
    await answered(page, FIRST.answer);
    assert.match(await text(page, "#runtime-list"), "int8");

    await page.locator("#model-name").fill("./nowhere");
    await page.locator("#model-name").press("Enter");
    await page.locator("#model-problem").waitFor({ state: "visible" });
    assert.match(await text(page, "#model-problem-text"), "nowhere");
    assert.match(await text(page, "#model-line"), "demo model, int8");

    // Without the language model there is no answer, and everything else.
    const folder = mkdtempSync(join(tmpdir(), "janus-page-"));
    try {
      for (const name of readdirSync(DEMO).filter((name) => name.includes(".")))
        cpSync(DEMO + name, join(folder, name));
      const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
      config.language_config.num_hidden_layers = 4;
      writeFileSync(join(folder, "config.json"), JSON.stringify(config));
      await page.locator("#model-folder").setInputFiles(folder);
      await page.waitForFunction(
        () => /^folder/.test(document.querySelector("#model-line")?.textContent ?? ""),
        undefined,
      );
      await page.waitForFunction(
        () => /model\.layers\.3/.test(document.querySelector("#answer-note")?.textContent ?? ""),
        undefined,
      );
      assert.is(await text(page, "#answer"), "");
      assert.is(await page.locator("#seen").isVisible(), true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }));

test("without isolation: one thread, and why; without a network after the first visit: the same page", () =>
  onPage(
    async (page, demo) => {
      await page.goto(`${demo.url}${PAGE}`);
      await answered(page, FIRST.answer);
      assert.match(await text(page, "#notes"), "1 thread: page is not cross-origin isolated");
      await page.waitForFunction(() => /^Kept/.test(document.querySelector("#offline")?.textContent ?? ""), undefined);
      await demo.close();
      await page.reload();
      await answered(page, FIRST.answer);
      await page.locator("#examples button").nth(1).click();
      await answered(page, EXAMPLES[1]!.answer);
    },
    { isolation: false },
  ));

test("a cold visit has its first result within two seconds", async () => {
  const took: number[] = [];
  // The best of four: this machine does other things, too.
  while (took.length < 4 && !(Math.min(...took) < 2000))
    await onPage(async (page, { url }) => {
      const started = performance.now();
      await page.goto(`${url}${PAGE}`);
      await page.locator("#strip li").nth(89).waitFor({ state: "visible", timeout: 10_000 });
      took.push(performance.now() - started);
      await answered(page, FIRST.answer);
      console.log(
        `cold visit: result ${took.at(-1)?.toFixed(0)} ms, answer ${(performance.now() - started).toFixed(0)} ms`,
      );
    });
  assert.ok(Math.min(...took) < 2000, took.join(", "));
});

test("the benchmark: kernels that were checked, next to the peak, and one picture, as JSON", () =>
  onPage(async (page, { url }) => {
    await page.goto(`${url}${PAGE}`);
    await answered(page, FIRST.answer);
    await page.locator("#bench-run").click();
    await page.locator("#bench-export").waitFor({ state: "visible", timeout: 150_000 });
    assert.is(await text(page, "#bench-problem"), "");
    const saving = page.waitForEvent("download");
    await page.locator("#bench-export").click();
    const saved = JSON.parse(readFileSync(await (await saving).path(), "utf8"));
    assert.equal(Object.keys(saved), [
      "date",
      "quick",
      "complete",
      "machine",
      "package",
      "kernels",
      "model",
      "load",
      "coldStart",
      "phases",
    ]);
    for (const variant of ["simd", "relaxed"]) {
      const of = saved.kernels.filter((kernel: { variant: string }) => kernel.variant === variant);
      assert.is(of.filter(({ kernel }: { kernel: string }) => kernel === "peak").length, 2);
      for (const shape of ["qkv", "proj", "fc1", "fc2"]) {
        const product = of.find((k: { shape: string; storage: string }) => k.shape === shape && k.storage === "f32");
        // No bound on speed: of the peak it is a part, whatever else the machine does.
        assert.ok(product.ofPeak > 0.05 && product.ofPeak < 1.5, `${variant} ${shape} ${product.ofPeak}`);
      }
    }
    assert.is(saved.model[0].dtype, "bf16");
    assert.ok(saved.model[0].one.min > 0);
    assert.match(await text(page, "#bench-line"), "One picture, bf16, 1 thread:");
  }));

/** Resident bytes of the renderers among this process's descendants. */
function rendererBytes(): number {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,rss=,args="], { encoding: "utf8" }).trim().split("\n");
  const processes = lines.map(
    (line) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line)!.slice(1) as [string, string, string, string],
  );
  const ours = new Set([String(process.pid)]);
  for (let size = 0; size !== ours.size; ) {
    size = ours.size;
    for (const [pid, parent] of processes) if (ours.has(parent)) ours.add(pid);
  }
  return processes
    .filter(([pid, , , args]) => ours.has(pid) && args.includes("--type=renderer"))
    .reduce((sum, [, , rss]) => sum + Number(rss) * 1024, 0);
}

test("200 embeds in a row leave the memory as it was", () =>
  onPage(async (page, { url }, context) => {
    await page.goto(`${url}${PAGE}`);
    await answered(page, FIRST.answer);
    const session = await context.newCDPSession(page);
    const embed = async (times: number): Promise<number> => {
      await page.evaluate(
        async ({ times, library, question, picture }) => {
          const { Janus }: typeof Library = await import(library);
          const state = globalThis as { kept?: Promise<Library.Janus> };
          state.kept ??= Janus.load("/models/demo");
          const janus = await state.kept;
          const file = await (await fetch(picture)).blob();
          for (let i = 0; i < times; i++) await janus.embed({ question, images: [file] }, { stages: true });
        },
        {
          times,
          library: "/dist/entry/browser/index.js",
          question: FIRST.question,
          picture: `/models/demo/examples/${FIRST.images[0]}`,
        },
      );
      await session.send("HeapProfiler.collectGarbage");
      await new Promise((resolve) => setTimeout(resolve, 300));
      return rendererBytes();
    };
    const before = await embed(60);
    const after = await embed(200);
    console.log(`renderer after 60 embeds ${(before / 1e6).toFixed(1)} MB, after 260 ${(after / 1e6).toFixed(1)} MB`);
    // One embed returns 0.3 MB with its stages: 200 that were kept would be 60 MB.
    assert.ok(before > 0 && after - before < 12e6, `${before} ${after}`);
  }));

if (SCREENSHOTS !== undefined)
  test("screenshots", () =>
    onPage(async (page, { url }) => {
      for (const width of [320, 1280])
        for (const colorScheme of ["light", "dark"] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          await page.goto(`${url}${PAGE}`);
          await answered(page, FIRST.answer);
          await page.waitForFunction(() => document.querySelector("#features .over:not([hidden])") !== null, undefined);
          assert.is(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth, undefined), true);
          await page.screenshot({ path: join(SCREENSHOTS, `${width}-${colorScheme}.png`), fullPage: true });
        }
    }));

test.run();
