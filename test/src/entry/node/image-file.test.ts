import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PICTURE_BYTES_MAX } from "#dist/entry/node/decoder-protocol.js";
import { readImageFile } from "#dist/entry/node/image-file.js";
import { golden } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";

const test = suite<{ folder: string }>("entry/node/image-file");
test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "janus-image-file-"));
});
test.after(({ folder }) => rmSync(folder, { recursive: true }));

const SCENE = golden("preprocess/images/china-640x427.jpg");

/** A signal that lets something happen at its `at`-th look: the reader looks before it begins and before each chunk. */
function meddling(at: number, action: () => void): AbortSignal {
  const { signal } = new AbortController();
  let looks = 0;
  signal.throwIfAborted = () => {
    if (++looks === at) action();
  };
  return signal;
}

test("a file, and one behind a symbolic link", async ({ folder }) => {
  const link = join(folder, "link");
  symlinkSync(SCENE, link);
  const expected = readFileSync(SCENE);
  for (const path of [SCENE, link]) assert.ok(expected.equals(await readImageFile(path)));
});

test("an odd name: spaces, quotes, line ends", async ({ folder }) => {
  const path = join(folder, `a "b"\nc é.png`);
  writeFileSync(path, "x");
  assert.equal([...(await readImageFile(path))], [120]);
  await refused(readImageFile(`${path}.gone`), "E_IO", /a \\"b\\"\\nc é/);
});

test("a missing file is E_IO of the input", async ({ folder }) => {
  for (const path of [join(folder, "gone.png"), join(SCENE, "x.png"), join(folder, "x".repeat(5000)), ""]) {
    const error = await refused(readImageFile(path), "E_IO", /^read "/);
    assert.is(error.origin, "input");
  }
  await refused(readImageFile("a\0b.png"), "E_IO", /^read "a\\u0000b\.png": /);
});

test("I34 a directory, a device, a FIFO, a socket, a loop of links", async ({ folder }) => {
  const started = performance.now();
  await refused(readImageFile(folder), "E_IMAGE", /got a directory/);
  await refused(readImageFile("/dev/zero"), "E_IMAGE", /got a device/);
  const fifo = join(folder, "fifo");
  execFileSync("mkfifo", [fifo]);
  await refused(readImageFile(fifo), "E_IMAGE", /got a named pipe/);
  const link = join(folder, "to-fifo");
  symlinkSync(fifo, link);
  await refused(readImageFile(link), "E_IMAGE", /got a named pipe/);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  await refused(readImageFile(join(folder, "socket")), "E_IMAGE", /got a socket/);
  server.close();
  const loop = join(folder, "loop");
  symlinkSync(loop, loop);
  await refused(readImageFile(loop), "E_IMAGE", /a loop of symbolic links/);
  assert.ok(performance.now() - started < 1000);
});

test("64 MB are read, one byte more is refused unread", async ({ folder }) => {
  const path = join(folder, "large");
  writeFileSync(path, "");
  truncateSync(path, PICTURE_BYTES_MAX + 1);
  await refused(readImageFile(path), "E_IMAGE", /at most 67108864 bytes, got 67108865/);
  truncateSync(path, PICTURE_BYTES_MAX);
  assert.is((await readImageFile(path)).length, PICTURE_BYTES_MAX);
});

test("I33 a file that shrinks or grows while it is read", async ({ folder }) => {
  const path = join(folder, "changing");
  writeFileSync(path, new Uint8Array(6_000_000));
  await refused(
    readImageFile(
      path,
      meddling(3, () => truncateSync(path, 5_000_000)),
    ),
    "E_IMAGE",
    /6000000 bytes, got 5000000/,
  );
  await refused(
    readImageFile(
      path,
      meddling(3, () => appendFileSync(path, "more")),
    ),
    "E_IMAGE",
    /5000000 bytes, got more/,
  );
});

test("I33 a file that is deleted or replaced while it is read is read as it was", async ({ folder }) => {
  const path = join(folder, "replaced");
  const other = join(folder, "other");
  writeFileSync(path, "first");
  writeFileSync(other, "second");
  const text = async (action: () => void) => Buffer.from(await readImageFile(path, meddling(2, action))).toString();
  assert.is(await text(() => renameSync(other, path)), "first");
  assert.is(await text(() => unlinkSync(path)), "second");
});

test("I33 a file that becomes a directory or a FIFO before it is opened", async ({ folder }) => {
  const becoming: [RegExp, (path: string) => void][] = [
    [/got a directory/, (path) => symlinkSync(folder, path)],
    [/got a named pipe/, (path) => execFileSync("mkfifo", [path])],
  ];
  for (const [pattern, make] of becoming) {
    const path = join(folder, "turned");
    const other = join(folder, "turning");
    writeFileSync(path, "first");
    make(other);
    const reading = readImageFile(path);
    // In one step: at no time is there nothing under the name.
    renameSync(other, path);
    await refused(reading, "E_IMAGE", pattern);
    unlinkSync(path);
  }
});

test("an abort is the signal's reason, before and between chunks", async ({ folder }) => {
  const reason = new Error("enough");
  const rejection = (signal: AbortSignal) =>
    readImageFile(SCENE, signal).then(
      () => "was not rejected",
      (error: unknown) => error,
    );
  assert.is(await rejection(AbortSignal.abort(reason)), reason);
  const controller = new AbortController();
  const reading = rejection(controller.signal);
  controller.abort(reason);
  assert.is(await reading, reason);
  const early = new AbortController();
  early.abort(reason);
  await readImageFile(join(folder, "gone"), early.signal).then(
    () => assert.unreachable(),
    (error: unknown) => assert.is(error, reason),
  );
});

test.run();
