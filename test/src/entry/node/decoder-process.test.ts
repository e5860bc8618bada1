import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FRAME, type Frame, FrameReader, frameHeader } from "#dist/entry/node/decoder-protocol.js";
import { golden } from "../../../support/paths.js";
import { bilevel } from "../../../support/png.js";

const test = suite("entry/node/decoder-process");
const PROGRAM = fileURLToPath(import.meta.resolve("#dist/entry/node/decoder-process.js"));

/** The program without its parent's checks: whatever the bytes are, they reach sharp. */
class Program {
  readonly process: ChildProcess;
  readonly gone: Promise<NodeJS.Signals | number | null>;
  readonly #frames: Frame[] = [];
  #wake = () => {};

  constructor(...nodeOptions: string[]) {
    this.process = spawn(process.execPath, [...nodeOptions, PROGRAM], { stdio: ["pipe", "ignore", "ignore", "pipe"] });
    this.gone = new Promise((resolve) => this.process.once("exit", (status, signal) => resolve(signal ?? status)));
    const reader = new FrameReader(2 ** 28, (frame) => {
      this.#frames.push(frame);
      this.#wake();
    });
    (this.process.stdio[3] as Socket).on("data", (data) => reader.push(data));
  }

  send(bytes: Uint8Array): void {
    this.process.stdin!.write(frameHeader(FRAME.picture, 0, 0, bytes.length));
    this.process.stdin!.write(bytes);
  }

  async answer(bytes: Uint8Array): Promise<Frame> {
    this.send(bytes);
    while (this.#frames.length === 0) {
      const framed = new Promise<"frame">((resolve) => {
        this.#wake = () => resolve("frame");
      });
      const cause = await Promise.race([framed, this.gone]);
      if (cause !== "frame") throw new Error(`the program ended by ${cause} instead of answering`);
    }
    return this.#frames.shift()!;
  }

  async end(): Promise<void> {
    this.process.stdin!.end();
    await this.gone;
  }
}

test("I22 I24 I25 I26 only JPEG, PNG and WebP have a loader", async () => {
  const square = sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } });
  const program = new Program();
  const others: Record<string, Uint8Array> = {
    gif: await square.clone().gif().toBuffer(),
    tiff: await square.clone().tiff().toBuffer(),
    avif: await square.clone().avif().toBuffer(),
    svg: Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>`),
    csv: Buffer.from("1 2 3\n4 5 6\n"),
    ppm: Buffer.from("P3 1 1 255 1 2 3\n"),
    pdf: Buffer.from("%PDF-1.4\n%%EOF\n"),
  };
  for (const [name, bytes] of Object.entries(others)) {
    const frame = await program.answer(bytes);
    assert.is(frame.kind, FRAME.refused, name);
    assert.match(Buffer.from(frame.payload).toString(), /unsupported image format/, name);
  }
  for (const format of ["jpeg", "png", "webp"] as const) {
    const frame = await program.answer(await square.clone().toFormat(format).toBuffer());
    assert.equal([frame.kind, frame.width, frame.height, frame.payload.length], [FRAME.pixels, 8, 8, 192], format);
  }
  await program.end();
});

test("it ends when its parent has gone, also in the middle of a picture", async () => {
  const idle = new Program();
  await idle.answer(readFileSync(golden("preprocess/images/size-1x1.png")));
  idle.process.stdin!.end();
  assert.is(await idle.gone, "SIGKILL");

  const busy = new Program();
  await busy.answer(readFileSync(golden("preprocess/images/size-1x1.png")));
  busy.send(bilevel(8192, 8192));
  const started = performance.now();
  busy.process.stdin!.end();
  assert.is(await busy.gone, "SIGKILL");
  assert.ok(performance.now() - started < 5000);
});

test("Ctrl-C is left to the parent", async () => {
  const program = new Program();
  const picture = readFileSync(golden("preprocess/images/size-1x1.png"));
  await program.answer(picture);
  program.process.kill("SIGINT");
  assert.is((await program.answer(picture)).kind, FRAME.pixels);
  await program.end();
});

/** A --import that makes `import "sharp"` give this module's text, or fail as if it were not installed. */
function replacingSharp(text: string | undefined): string {
  const url = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
  const found =
    text === undefined
      ? "next('no-such-package', context)"
      : `{ url: ${JSON.stringify(url(text))}, shortCircuit: true }`;
  const hooks = `export const resolve = async (name, context, next) => (name === "sharp" ? ${found} : next(name, context));`;
  return `--import=${url(`import { register } from "node:module"; register(${JSON.stringify(url(hooks))});`)}`;
}

test("a sharp before 0.35.4, or none, is no decoder", async () => {
  const picture = readFileSync(golden("preprocess/images/size-1x1.png"));
  const versioned = (version: string) =>
    `const nothing = () => {}; export default { versions: { sharp: "${version}" }, block: nothing, unblock: nothing, cache: nothing, concurrency: nothing };`;
  const modules: [text: string | undefined, kind: number, pattern: RegExp][] = [
    [versioned("0.35.3"), FRAME.unusable, /^sharp 0\.35\.3 is installed, at least 0\.35\.4 is needed$/],
    [versioned("0.34.9"), FRAME.unusable, /^sharp 0\.34\.9 is installed/],
    [versioned("x"), FRAME.unusable, /^sharp x is installed/],
    [undefined, FRAME.unusable, /Cannot find package/],
    [versioned("0.35.4"), FRAME.refused, /not a function/],
    [versioned("0.36.0"), FRAME.refused, /not a function/],
    [versioned("1.0.0"), FRAME.refused, /not a function/],
  ];
  for (const [text, kind, pattern] of modules) {
    const program = new Program(replacingSharp(text));
    const frame = await program.answer(picture);
    assert.is(frame.kind, kind, text);
    assert.match(Buffer.from(frame.payload).toString(), pattern);
    await program.end();
  }
});

test.run();
