/**
 * The demo page in Debian's Chromium, driven as a person would: what is on the screen, by text and by pixels. With JANUS_SCREENSHOTS naming a folder, pictures of the page
 * at two widths in two colour schemes are left there, to be looked at.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type * as Library from "#dist/entry/browser/index.js";
import { Janus, toNpy, toSafetensors, toTorch } from "#dist/entry/node/index.js";
import { createDemoServer, PAGE } from "../../examples/browser/serve.mjs";
import { type Browser, type BrowserContext, chromiumInstalled, startBrowser } from "../support/chromium.js";
import type { DrivenPage } from "../support/driven-page.js";
import { ROOT } from "../support/paths.js";
import { plainTorch } from "../support/plain-torch.js";
import { machineTicks, processTree } from "../support/process-tree.js";
import { bytesOf, readTensors } from "../support/tensors.js";

const test = suite("acceptance/demo-page");
const DEMO = `${ROOT}models/demo/`;
const EXAMPLES: { images: string[]; question: string; answer: string }[] = JSON.parse(
  readFileSync(`${DEMO}examples/examples.json`, "utf8"),
);
/** The example that a first visit shows. */
const FIRST = EXAMPLES[6]!;
const WEIGHTS = "/models/demo/model.safetensors";
const LIBRARY = "/dist/entry/browser/index.js";
const SCREENSHOTS = process.env["JANUS_SCREENSHOTS"];

/** The demo's own server, whose answers for some paths can be held back. */
class Demo {
  readonly #server: Server;
  /** Which requests get no answer until `release`. */
  held: (request: IncomingMessage) => boolean = () => false;
  #release = new AbortController();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(isolation = true): Promise<Demo> {
    const pages = createDemoServer({ isolation, root: ROOT });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const demo = new Demo(server);
    server.on("request", (request: IncomingMessage, response) => {
      const answer = (): unknown => pages.emit("request", request, response);
      if (demo.held(request)) demo.#release.signal.addEventListener("abort", answer);
      else answer();
    });
    return demo;
  }

  /** Also when it is closed. */
  readonly url: string;

  release(): void {
    this.held = () => false;
    this.#release.abort();
    this.#release = new AbortController();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One for all tests, each of which has a profile of its own. It knows no address but this machine's. */
let browser: Browser;
test.before(async () => {
  browser = await startBrowser(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]);
});
test.after(() => browser.close());

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

async function onPage(
  work: (page: DrivenPage, demo: Demo, context: BrowserContext) => Promise<void>,
  { isolation = true, phone = false } = {},
): Promise<void> {
  const demo = await Demo.start(isolation);
  const context = await browser.newContext(phone ? PHONE : undefined);
  try {
    const page = (await context.newPage()) as DrivenPage;
    const errors: Error[] = [];
    page.on("pageerror", (error) => errors.push(error));
    await work(page, demo, context);
    assert.equal(errors, []);
  } finally {
    await context.close();
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

/** Waits for a problem, and says what it is. */
async function problem(page: DrivenPage, id: string): Promise<string> {
  await page.locator(`#${id}`).waitFor({ state: "visible", timeout: 30_000 });
  return text(page, `#${id}-text`);
}

/** What holds the focus, by id, or by what it is called. */
const focused = (page: DrivenPage): Promise<string> =>
  page.evaluate(() => {
    const { id, tagName, textContent, ariaLabel } = document.activeElement as HTMLElement;
    return tagName === "BODY" ? "nothing" : id || ariaLabel || (textContent ?? "").trim();
  }, undefined);

/** Drops files and folders of the disk on the page, as a file manager does. */
async function drop(page: DrivenPage, context: BrowserContext, ...files: string[]): Promise<void> {
  const session = await context.newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await session.send("Input.dispatchDragEvent", { type, x: 200, y: 200, data });
    if (type !== "dragEnter") assert.is(await page.locator("#veil").isVisible(), type === "dragOver");
  }
}

/** RGBA of all pixels of the first canvas that matches. */
const pixels = (page: DrivenPage, selector: string): Promise<number[]> =>
  page.evaluate((selector) => {
    const canvas = document.querySelector(selector) as HTMLCanvasElement;
    const { width, height } = canvas;
    return [...(canvas.getContext("2d")?.getImageData(0, 0, width, height).data ?? [])];
  }, selector);

const fonts = (page: DrivenPage): Promise<string[]> =>
  page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name), undefined);

/** Sent to the page: the visible texts whose contrast to what they stand on, by WCAG, is below a bound. */
function contrasts(bound: number): { checked: number; faint: string[] } {
  const levels = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: readonly number[]): number =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, c) => {
      const level = (colour[c] ?? 0) / 255;
      return sum + weight * (level <= 0.03928 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4);
    }, 0);
  const ground = (element: Element | null): number[] => {
    if (!element) return [255, 255, 255];
    const colour = levels(getComputedStyle(element).backgroundColor);
    return colour.length === 4 && colour[3] === 0 ? ground(element.parentElement) : colour;
  };
  const faint: string[] = [];
  let checked = 0;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
    if (!(own || element.matches("input[type=text]")) || !element.checkVisibility()) continue;
    const [a, b] = [luminance(levels(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    checked++;
    if (contrast < bound) faint.push(`${element.tagName} ${element.textContent?.trim()}: ${contrast.toFixed(2)}`);
  }
  return { checked, faint };
}

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

    // What is saved is what the page holds, to the bit, and what Node makes of the same picture, but for the last bits of the relaxed variant's sums.
    const held = Buffer.from(
      await page.evaluate(
        async ({ library, question, picture }) => {
          const { Janus }: typeof Library = await import(library);
          const janus = await Janus.load("/models/demo");
          const { inputsEmbeds } = await janus.embed({ question, images: [await (await fetch(picture)).blob()] });
          await janus.dispose();
          return [
            ...new Uint8Array(inputsEmbeds.data.buffer, inputsEmbeds.data.byteOffset, inputsEmbeds.data.byteLength),
          ];
        },
        { library: LIBRARY, question: FIRST.question, picture: `/models/demo/examples/${FIRST.images[0]}` },
      ),
    );
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
      if (format === "npy") assert.ok(saved.subarray(128).equals(held));
      if (format === "pt") {
        const { shape, data } = plainTorch(saved, 4).get("")!;
        assert.equal(shape, [length, 128]);
        assert.ok(Buffer.from(data).equals(held));
      }
      if (format !== "safetensors") continue;
      const tensors = await readTensors(await download.path());
      assert.equal(tensors["inputs_embeds"]?.dims, [1, length, 128]);
      assert.ok(bytesOf(tensors["inputs_embeds"]).equals(held));
      assert.equal(tensors["input_ids"]?.data, out.inputIds.data);
    }
  }));

test("asking, dropping, pasting and taking away; what is no picture is said where it happened, and the page goes on", () =>
  onPage(async (page, { url }, context) => {
    const folder = mkdtempSync(join(tmpdir(), "janus-page-"));
    try {
      await page.goto(`${url}${PAGE}`);
      await answered(page, FIRST.answer);
      await page.locator("#examples button").nth(10).click();
      await answered(page, EXAMPLES[10]!.answer);
      assert.is(await page.locator("#similarity .square").count(), 2);
      await page.locator("#examples button").nth(12).click();
      await page.waitForFunction(() => (document.querySelector("#seen") as HTMLElement).hidden, undefined);

      await page.locator("#question").fill(EXAMPLES[0]!.question);
      await drop(page, context, `${DEMO}examples/00.png`);
      await answered(page, EXAMPLES[0]!.answer);
      assert.is(await page.locator("#tray img").getAttribute("alt"), "00.png");

      // A text, and a picture of which a byte is another: the sentence, and nothing of the question before.
      const damaged = readFileSync(`${DEMO}examples/00.png`);
      damaged[300]! ^= 1;
      writeFileSync(join(folder, "notes.txt"), "no picture");
      writeFileSync(join(folder, "damaged.png"), damaged);
      await drop(page, context, join(folder, "notes.txt"));
      assert.match(await problem(page, "problem"), /^Image 1: expected a JPEG, PNG or WebP.*\.$/);
      assert.is(await text(page, "#tray .file"), "notes.txt");
      assert.is(await text(page, "#answer"), "");
      for (const id of ["seen", "sequence", "files"]) assert.is(await page.locator(`#${id}`).isVisible(), false);
      await drop(page, context, join(folder, "damaged.png"));
      await page.waitForFunction(
        () => /checksum/.test(document.querySelector("#problem-text")?.textContent ?? ""),
        undefined,
      );
      await page.locator("#tray button").click();
      assert.is(await focused(page), "pick");

      await page.locator("#pick").setInputFiles(`${DEMO}examples/02.png`);
      await page.locator("#question").fill(EXAMPLES[2]!.question);
      await page.locator("#question").press("Enter");
      await answered(page, EXAMPLES[2]!.answer);
      assert.is(await page.locator("#problem").isVisible(), false);
      assert.is(await page.locator("#seen").isVisible(), true);

      // By the clipboard: the browser writes the picture anew, with the same pixels.
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.evaluate(async (picture) => {
        const png = await (await fetch(picture)).blob();
        await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
      }, `/models/demo/examples/${EXAMPLES[3]!.images[0]}`);
      await page.locator("#question").fill(EXAMPLES[3]!.question);
      await page.keyboard.press("Control+v");
      await answered(page, EXAMPLES[3]!.answer);
      assert.is(await page.locator("#tray img").getAttribute("alt"), "image.png");
    } finally {
      rmSync(folder, { recursive: true });
    }
  }));

test("a question is cancelled before its answer and in the middle of it, and the next one is answered", () =>
  onPage(async (page, demo) => {
    // The language model reads the file as a whole, the library in parts: the one is there, and the other is awaited.
    demo.held = ({ url, method, headers }) => url === WEIGHTS && method === "GET" && headers.range === undefined;
    await page.goto(`${demo.url}${PAGE}`);
    await page.locator("#strip li").nth(89).waitFor({ state: "visible" });
    await page.locator("#cancel").click();
    assert.is(await problem(page, "problem"), "The question was cancelled.");
    assert.is(await page.locator("#seen").isVisible(), true);
    demo.release();
    await page.locator("#retry").click();
    await answered(page, FIRST.answer);

    // A thousand positions, one by one: seconds, more of them on a busy machine.
    await page.locator("#question").fill("a ".repeat(1000));
    await page.locator("#question").press("Enter");
    await page.waitForFunction(
      () => document.querySelectorAll("#strip li").length > 1000 && document.body.classList.contains("busy"),
      undefined,
    );
    const cancelled = performance.now();
    await page.locator("#cancel").press("Enter");
    assert.is(await problem(page, "problem"), "The question was cancelled.");
    assert.is(await page.evaluate(() => document.body.classList.contains("busy"), undefined), false);
    // A keyboard stays where it was, and what was computed stays.
    assert.is(await focused(page), "run");
    assert.is(await page.locator("#sequence").isVisible(), true);
    await page.locator("#question").fill(FIRST.question);
    await page.locator("#retry").press("Enter");
    await answered(page, FIRST.answer);
    assert.is(await focused(page), "run");
    assert.is(await page.locator("#problem").isVisible(), false);
    const took = performance.now() - cancelled;
    assert.ok(took < 2000, `${took.toFixed(0)} ms: the answer that nobody waits for was computed to its end`);
  }));

test("by keys alone: everything is reached and seen to be, and nothing loses the focus", () =>
  onPage(async (page, { url }) => {
    await page.goto(`${url}${PAGE}`);
    await answered(page, FIRST.answer);
    const reached: string[] = [];
    const tabTo = async (name: string): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press("Tab");
        const at = await focused(page);
        reached.push(at);
        const seen = await page.evaluate(() => {
          const control = document.activeElement as HTMLElement;
          const shown = control.closest(".button") ?? control;
          return getComputedStyle(shown).outlineStyle === "solid" && shown.getBoundingClientRect().width > 0;
        }, undefined);
        assert.ok(seen, `the focus on ${at} is seen`);
        if (at === name) return;
      }
      throw new Error(`no Tab leads to ${name}: ${reached}`);
    };
    await tabTo("Skip to the question");
    await tabTo(EXAMPLES[1]!.question);
    await page.keyboard.press("Enter");
    await answered(page, EXAMPLES[1]!.answer);
    assert.is(await focused(page), EXAMPLES[1]!.question);
    await tabTo("run");
    await page.keyboard.press("Enter");
    await answered(page, EXAMPLES[1]!.answer);
    assert.is(await focused(page), "run");
    await tabTo("Patches: the arrow keys choose one");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    assert.match(await text(page, "#patch-line"), "Row 2, column 2.");
    await page.keyboard.press("Tab");
    assert.match(await focused(page), "Position 1 of");
    await page.keyboard.press("End");
    assert.match(await text(page, "#token-line"), /^Position (\d+) of \1:/);
    for (const name of [
      ".safetensors",
      ".npy",
      ".pt",
      "model-name",
      "model-folder",
      "model-demo",
      "bench-run",
      "bench-quick",
    ])
      await tabTo(name);
  }));

test("readable: at 320, 390 and 1280 pixels nothing is wider, contrast in both schemes, and no motion where none is wanted", () =>
  onPage(async (page, { url }) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(`${url}${PAGE}`);
    await answered(page, FIRST.answer);
    for (const width of [320, 390, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      assert.is(await page.evaluate(() => document.documentElement.scrollWidth, undefined), width);
    }
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const { checked, faint } = await page.evaluate(contrasts, 4.5);
      assert.ok(checked > 60, `${checked} texts`);
      assert.equal(faint, [], colorScheme);
    }
    // What breathes while an answer is awaited, and colours that fade: with motion there are some.
    const motions = (): Promise<number> =>
      page.evaluate(() => {
        document.body.classList.add("busy");
        const faded = [...document.querySelectorAll("button")].filter(
          (button) => getComputedStyle(button).transitionDuration !== "0s",
        );
        return document.getAnimations().length + faded.length;
      }, undefined);
    assert.is(await motions(), 0);
    await page.emulateMedia({ reducedMotion: "no-preference" });
    assert.ok((await motions()) > 1);
  }));

test("by touch: a tap and a finger that is drawn across choose patches, a tap tells a token, and the page scrolls from wherever it is held", () =>
  onPage(
    async (page, { url }, context) => {
      await page.goto(`${url}${PAGE}`);
      await answered(page, FIRST.answer);
      assert.is(await page.evaluate(() => document.documentElement.scrollWidth, undefined), PHONE.viewport.width);
      const square = page.locator("#similarity .square");
      await square.tap({ position: { x: 3, y: 3 } });
      assert.match(await text(page, "#patch-line"), "Row 1, column 1.");
      const { x, y, width, height } = (await square.boundingBox())!;
      const session = await context.newCDPSession(page);
      const draw = async (points: readonly (readonly [number, number])[]): Promise<void> => {
        for (const [at, [x, y]] of points.entries())
          await session.send("Input.dispatchTouchEvent", {
            type: at === 0 ? "touchStart" : "touchMove",
            touchPoints: [{ x, y }],
          });
        await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
      };
      const scrolled = (): Promise<number> => page.evaluate(() => scrollY, undefined);
      const before = await scrolled();
      const across = Array.from({ length: 20 }, (_, step): [number, number] => [
        x + (width * (step + 0.5)) / 20,
        y + height / 4,
      ]);
      await draw(across);
      assert.match(await text(page, "#patch-line"), "Row 2, column 6.");
      assert.is(await scrolled(), before);
      await draw(
        Array.from({ length: 20 }, (_, step): [number, number] => [x + width / 2, y + height / 2 - 10 * step]),
      );
      await page.waitForFunction((before) => scrollY > before + 50, before, { timeout: 5000 });
      await page.locator("#strip li").nth(2).tap();
      assert.match(await text(page, "#token-line"), "Position 3 of");
      await page.locator("#examples button").nth(1).tap();
      await answered(page, EXAMPLES[1]!.answer);
    },
    { phone: true },
  ));

test("cancelled while the model comes, tried again; 8 bits; folders; what is no checkpoint", () =>
  onPage(async (page, demo, context) => {
    demo.held = ({ url }) => url === WEIGHTS;
    await page.goto(`${demo.url}${PAGE}`);
    await page.locator("#model-cancel").waitFor({ state: "visible" });
    await page.locator("#model-cancel").click();
    await page.locator("#model-problem").waitFor({ state: "visible" });
    assert.is(await text(page, "#model-problem-text"), "Loading was cancelled.");
    assert.is(await text(page, "#model-line"), "no model");
    demo.release();
    await page.locator("#model-retry").press("Enter");
    await answered(page, FIRST.answer);
    assert.is(await page.locator("#model-problem").isVisible(), false);
    assert.is(await focused(page), "model-name");

    await page.locator('[name=dtype][value="int8"]').click();
    await page.waitForFunction(() => /int8/.test(document.querySelector("#model-line")?.textContent ?? ""), undefined);
    await answered(page, FIRST.answer);
    assert.match(await text(page, "#runtime-list"), "int8");

    await page.locator("#model-name").fill(`${demo.url}/nowhere`);
    await page.locator("#model-name").press("Enter");
    assert.match(await problem(page, "model-problem"), /^Reading config\.json: .*nowhere.*found none/);
    assert.match(await text(page, "#model-line"), "demo model, int8");
    // The switch is of the model that is there, not of the one that did not come.
    await page.locator('[name=dtype][value="auto"]').click();
    await page.waitForFunction(
      () => document.querySelector("#model-line")?.textContent === "demo model, bf16, 1 thread",
      undefined,
    );
    assert.is(await page.locator("#model-problem").isVisible(), false);

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

      rmSync(join(folder, "config.json"));
      await drop(page, context, folder);
      assert.match(await problem(page, "model-problem"), /^Reading config\.json: .*found none/);
      assert.is(
        await page.evaluate(() => {
          const { top, bottom } = document.querySelector("#model-problem")!.getBoundingClientRect();
          return top >= 0 && bottom <= innerHeight;
        }, undefined),
        true,
        "it is seen",
      );
      await page.evaluate(() => scrollTo(0, 0), undefined);
      await drop(page, context, DEMO);
      await answered(page, FIRST.answer);
      assert.match(await text(page, "#model-line"), /^folder, bf16/);
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
      for (const address of ["/", `${PAGE}index.html`, `${PAGE}?from=elsewhere`]) {
        await page.goto(`${demo.url}${address}`);
        await answered(page, FIRST.answer);
      }
    },
    { isolation: false },
  ));

test("a cold visit has its first result within two seconds", async () => {
  const took: number[] = [];
  // Each visit in a new profile, with nothing kept. Where others had a part of the machine meanwhile, the visit had the rest, and its time counts by that.
  while (took.length < 12 && !(Math.min(...took) < 2000))
    await onPage(async (page, { url }) => {
      const before = machineTicks();
      const started = performance.now();
      await page.goto(`${url}${PAGE}`);
      await page.locator("#strip li").nth(89).waitFor({ state: "visible", timeout: 30_000 });
      const wall = performance.now() - started;
      const after = machineTicks();
      const others = Math.max(0, after.others - before.others) / (after.all - before.all);
      took.push(wall * (1 - others));
      await answered(page, FIRST.answer);
      console.log(
        `cold visit: result ${wall.toFixed(0)} ms, of the machine others had ${(100 * others).toFixed(0)} %; answer ${(performance.now() - started).toFixed(0)} ms`,
      );
    });
  assert.ok(Math.min(...took) < 2000, took.join(", "));
});

test("the benchmark: kernels that were checked, next to the peak, and one picture, as JSON", () =>
  onPage(async (page, { url }) => {
    await page.goto(`${url}${PAGE}`);
    await answered(page, FIRST.answer);
    await page.locator("#bench-quick").check();
    await page.locator("#bench-run").press("Enter");
    await page.locator("#bench-cancel").press("Enter");
    await page.locator("#bench-run").waitFor({ state: "visible" });
    assert.is(await focused(page), "bench-run");
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
    assert.is(saved.quick, true);
    assert.is(saved.kernels.filter(({ kernel }: { kernel: string }) => kernel === "peak").length, 2);
    for (const { variant } of saved.kernels) assert.is(variant, "relaxed");
    for (const shape of ["qkv", "proj", "fc1", "fc2"]) {
      const product = saved.kernels.find(
        (k: { shape: string; storage: string }) => k.shape === shape && k.storage === "f32",
      );
      // No bound on speed: of the peak it is a part, whatever else the machine does.
      assert.ok(product.ofPeak > 0.02 && product.ofPeak < 3, `${shape} ${product.ofPeak}`);
    }
    assert.is(saved.model[0].dtype, "bf16");
    assert.ok(saved.model[0].one.min > 0);
    assert.match(await text(page, "#bench-line"), "One picture, bf16, 1 thread:");
  }));

/** Resident bytes of the renderers, by process: a page that was closed may still have one. */
const rendererBytes = (): Map<number, number> =>
  new Map(
    processTree()
      .filter(({ command }) => command.includes("--type=renderer"))
      .map(({ pid, residentBytes }) => [pid, residentBytes]),
  );

test("200 embeds in a row leave the memory as it was; a hub out of reach meanwhile is said", () =>
  onPage(async (page, { url }, context) => {
    await page.goto(`${url}${PAGE}`);
    await answered(page, FIRST.answer);
    // Five attempts, for which it waits longer and longer.
    await page.locator("#model-name").fill("deepseek-ai/Janus-Pro-1B");
    await page.locator("#model-name").press("Enter");
    const session = await context.newCDPSession(page);
    const embed = async (times: number): Promise<Map<number, number>> => {
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
          library: LIBRARY,
          question: FIRST.question,
          picture: `/models/demo/examples/${FIRST.images[0]}`,
        },
      );
      await session.send("HeapProfiler.collectGarbage");
      await new Promise((resolve) => setTimeout(resolve, 300));
      return rendererBytes();
    };
    const early = await embed(60);
    const late = await embed(200);
    const [before, after] = [early, late].map((renderers) =>
      [...renderers].reduce((sum, [pid, bytes]) => sum + (early.has(pid) && late.has(pid) ? bytes : 0), 0),
    ) as [number, number];
    console.log(`renderer after 60 embeds ${(before / 1e6).toFixed(1)} MB, after 260 ${(after / 1e6).toFixed(1)} MB`);
    // One embed returns 0.3 MB with its stages: 200 that were kept would be 60 MB.
    assert.ok(before > 0 && after - before < 12e6, `${before} ${after}`);
    assert.match(await problem(page, "model-problem"), /huggingface\.co.*a connection that failed, 5 times in a row/);
    assert.match(await text(page, "#model-line"), "demo model, bf16");
  }));

if (SCREENSHOTS !== undefined)
  test("screenshots", () =>
    onPage(async (page, { url }) => {
      for (const width of [320, 390, 1280])
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
