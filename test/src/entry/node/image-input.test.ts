import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createDecoder, type Decoder } from "#dist/entry/node/decoder.js";
import { PICTURE_BYTES_MAX } from "#dist/entry/node/decoder-protocol.js";
import { type ImageInput, imageLabel, loadImage } from "#dist/entry/node/image-input.js";
import { golden } from "../../../support/paths.js";
import { pictures, sha256 } from "../../../support/preprocess.js";
import { refused } from "../../../support/refusal.js";

const test = suite<{ decoder: Decoder }>("entry/node/image-input");
test.before((context) => {
  context.decoder = createDecoder();
});
test.after(({ decoder }) => decoder.dispose());

const PATH = golden("preprocess/images/rgba-hidden-80x80.png");
const SHA256 = pictures.find(({ file }) => PATH.endsWith(file))!.rgb_sha256;
const bytes = readFileSync(PATH);

test("a picture in every form gives the same pixels", async ({ decoder }) => {
  const own = new Uint8Array(bytes).buffer;
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  const inner = new Uint8Array(bytes.length + 8);
  inner.set(bytes, 3);
  const base64 = `data:image/png;base64,${bytes.toString("base64")}`;
  const forms: ImageInput[] = [
    PATH,
    pathToFileURL(PATH),
    pathToFileURL(PATH).href,
    base64,
    new URL(base64),
    bytes,
    own,
    shared,
    new Uint8Array(shared),
    inner.subarray(3, bytes.length + 3),
    new DataView(own),
    new Blob([bytes]),
    new File([bytes], "scene.png"),
  ];
  for (const form of forms) {
    const image = await loadImage(form, 0, decoder);
    assert.equal([image.width, image.height], [80, 80]);
    assert.is(sha256(image.data), SHA256, String(form).slice(0, 60));
  }
  const { data } = await loadImage(PATH, 0, decoder);
  assert.is(sha256((await loadImage({ width: 80, height: 80, data }, 0, decoder)).data), SHA256);
});

test("I32 bytes may be changed, detached or shrunk as soon as the call has returned", async ({ decoder }) => {
  const changed = new Uint8Array(bytes);
  const detached = new Uint8Array(bytes);
  const resizable: ArrayBuffer & { resize(length: number): void } = Reflect.construct(ArrayBuffer, [
    bytes.length,
    { maxByteLength: bytes.length },
  ]);
  new Uint8Array(resizable).set(bytes);
  const loading = [changed, detached, resizable].map((form) => loadImage(form, 0, decoder));
  changed.fill(0);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  resizable.resize(1);
  for (const image of await Promise.all(loading)) assert.is(sha256(image.data), SHA256);
  await refused(loadImage(detached, 0, decoder), "E_IMAGE", /^image 1: .*got no bytes/);
});

test("what a picture is called", () => {
  assert.is(imageLabel("a b.png", 4), `"a b.png"`);
  assert.is(imageLabel(new URL("file:///a.png"), 4), `"file:///a.png"`);
  assert.is(imageLabel("data:image/png;base64,AAAA", 4), "image 5");
  assert.is(imageLabel(bytes, 0), "image 1");
});

test("messages name the path, or the number", async ({ decoder }) => {
  const folder = mkdtempSync(join(tmpdir(), "janus-image-input-"));
  try {
    const path = join(folder, "broken.png");
    writeFileSync(path, bytes.subarray(0, 500));
    await refused(loadImage(path, 0, decoder), "E_IMAGE", /^".*broken\.png": cannot be decoded: /);
    await refused(loadImage(bytes.subarray(0, 500), 6, decoder), "E_IMAGE", /^image 7: cannot be decoded: /);
    await refused(
      loadImage({ width: 2, height: 2, data: bytes }, 6, decoder),
      "E_IMAGE",
      /^image 7: expected 12 \(RGB\)/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("H15 URLs are not fetched", async ({ decoder }) => {
  for (const url of ["http://127.0.0.1/a.png", "HTTPS://example.org/a.png", new URL("https://example.org/a.png")]) {
    const error = await refused(loadImage(url, 0, decoder), "E_UNSUPPORTED", /are not fetched/);
    assert.is(error.origin, "input");
  }
  await refused(loadImage(new URL("ftp://example.org/a.png"), 0, decoder), "E_UNSUPPORTED", /file: or data: URL/);
  await refused(loadImage("file://elsewhere/a.png", 0, decoder), "E_IMAGE", /a file: URL of a local file/);
});

test("H14 data: URLs of another kind", async ({ decoder }) => {
  await refused(loadImage("data:text/plain;base64,aGVsbG8=", 1, decoder), "E_IMAGE", /^image 2: expected data:image/);
  await refused(
    loadImage("data:image/png;base64,aGVsbG8=", 1, decoder),
    "E_IMAGE",
    /^image 2: .*got 5 bytes that begin/,
  );
});

test("a missing file is E_IO of the input", async ({ decoder }) => {
  const error = await refused(loadImage("no/such/scene.png", 0, decoder), "E_IO", /no such file/);
  assert.is(error.origin, "input");
});

test("things that are no pictures", async ({ decoder }) => {
  for (const input of [undefined, null, 7, true, {}, [], () => 0, { width: 1 }, Symbol("x")]) {
    await refused(
      loadImage(input as unknown as ImageInput, 2, decoder),
      "E_IMAGE",
      /^image 3: expected a path, a URL, bytes/,
    );
  }
});

test("more than 64 MB is refused before it is copied", async ({ decoder }) => {
  const large = new Uint8Array(PICTURE_BYTES_MAX + 1);
  for (const form of [large, large.buffer, new Blob([large])]) {
    await refused(loadImage(form, 0, decoder), "E_IMAGE", /at most 67108864 bytes, got 67108865/);
  }
});

test("a Blob whose file has gone is E_IO of the input", async ({ decoder }) => {
  const blob = new Blob([bytes]);
  blob.arrayBuffer = () => Promise.reject(new DOMException("The blob could not be read", "NotReadableError"));
  await refused(loadImage(blob, 0, decoder), "E_IO", /^image 1: expected to read a Blob/);
});

test("an abort is the signal's reason, in every form", async ({ decoder }) => {
  const reason = new Error("enough");
  const forms: ImageInput[] = [PATH, bytes, new Blob([bytes]), { width: 1, height: 1, data: new Uint8Array(3) }];
  for (const form of forms) {
    const outcome = await loadImage(form, 0, decoder, AbortSignal.abort(reason)).catch((error) => error);
    assert.is(outcome, reason);
  }
  for (const form of forms.slice(0, 3)) {
    const controller = new AbortController();
    const loading = loadImage(form, 0, decoder, controller.signal).catch((error) => error);
    controller.abort(reason);
    assert.is(await loading, reason);
  }
});

test.run();
