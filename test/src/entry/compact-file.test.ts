import { createHash } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCompactFile, verifyCompactFile } from "#dist/entry/compact-file.js";
import type { WeightSource } from "#dist/weights/source.js";
import { compactOf } from "../../support/compact-tokenizers.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { refused } from "../../support/refusal.js";
import { checkpointFile } from "../../support/tokenizer-files.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/compact-file");

const JSON_FILE = checkpointFile("tiny-orig-bin", "tokenizer.json");
const COMPACT = compactOf(JSON_FILE)!;
const FILES = { "tokenizer.janus": COMPACT, "tokenizer.json": JSON_FILE };

/** A source that says what is read of it, and may know digests. */
function source(
  files: Record<string, Uint8Array>,
  sha256?: string,
): WeightSource & { read: WeightSource["read"]; reads: string[] } {
  const memory = memorySource(files);
  const reads: string[] = [];
  return {
    label: "memory",
    reads,
    size: (path) => memory.size(path),
    read(path, ...rest) {
      reads.push(path);
      return memory.read(path, ...rest);
    },
    ...(sha256 !== undefined && { sha256: async () => sha256 }),
  };
}

test("the file as it is, and nothing else is read", async () => {
  for (const files of [FILES, { "tokenizer.janus": COMPACT }]) {
    const from = source(files);
    assert.equal(await readCompactFile(from), COMPACT);
    assert.equal(from.reads, ["tokenizer.janus"]);
  }
  assert.is(await readCompactFile(source({ "tokenizer.json": JSON_FILE })), undefined);
});

test("a tokenizer.json of another size beside it is refused, with both sizes", async () => {
  const files = { ...FILES, "tokenizer.json": JSON_FILE.subarray(1) };
  await refused(
    readCompactFile(source(files)),
    "E_INTEGRITY",
    /tokenizer\.janus: it was made of a tokenizer\.json of \d+ bytes, found one of \d+ beside it/,
  );
});

test("one of another content is refused where its digest is known, or when all is verified", async () => {
  const digest = createHash("sha256").update(JSON_FILE).digest("hex");
  assert.equal(await readCompactFile(source(FILES, digest)), COMPACT);
  await refused(
    readCompactFile(source(FILES, "0".repeat(64))),
    "E_INTEGRITY",
    /SHA-256 [0-9a-f]{64}, found one of 0{64}/,
  );
  const changed = Uint8Array.from(JSON_FILE);
  changed[changed.length - 1] = 0x20;
  await readCompactFile(source({ ...FILES, "tokenizer.json": changed }));
  await refused(verifyCompactFile(source({ ...FILES, "tokenizer.json": changed })), "E_INTEGRITY", /SHA-256/);
});

test("verifying reads both and finds damage; without the file there is nothing to verify", async () => {
  const from = source(FILES);
  await verifyCompactFile(from);
  assert.equal(from.reads, ["tokenizer.janus", "tokenizer.json"]);
  await verifyCompactFile(source({ "tokenizer.janus": COMPACT }));
  await verifyCompactFile(source({ "tokenizer.json": JSON_FILE }));
  const damaged = Uint8Array.from(COMPACT);
  damaged[damaged.length - 1] = damaged.at(-1)! ^ 1;
  await refused(verifyCompactFile(source({ "tokenizer.janus": damaged })), "E_INTEGRITY", /CRC-32/);
});

test("a file that is too large is refused by its size", async () => {
  const large = { ...source(FILES), size: async () => 2 ** 40 };
  await refused(
    readCompactFile(large),
    "E_FORMAT",
    /tokenizer\.janus: expected at most 67108864 bytes, found 1099511627776/,
  );
});

test("an abort is the reason", async () => {
  const aborting = { ...source(FILES), read: () => Promise.reject("enough") };
  assert.is(await rejection(readCompactFile(aborting)), "enough");
});

test.run();
