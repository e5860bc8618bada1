import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EncodedFile } from "#dist/weights/encoded-file.js";
import { inScratch } from "../../support/scratch.js";

const test = suite("weights/encoded-file");

const file = new EncodedFile(5, function* () {
  yield Uint8Array.of(1, 2);
  yield new Uint8Array(0);
  yield Uint8Array.of(0, 3, 4, 5, 0).subarray(1, 4);
});

test("its chunks are made anew each time, and toBytes joins them", () => {
  for (let i = 0; i < 2; i++) assert.equal([...Buffer.concat([...file])], [1, 2, 3, 4, 5]);
  assert.equal(file.toBytes(), Uint8Array.of(1, 2, 3, 4, 5));
});

test("what takes an iterable of bytes takes it: fs.writeFile, Blob", () =>
  inScratch(async (folder) => {
    await writeFile(join(folder, "f"), file);
    assert.equal([...readFileSync(join(folder, "f"))], [1, 2, 3, 4, 5]);
    assert.equal(new Uint8Array(await new Blob([...file]).arrayBuffer()), file.toBytes());
  }));

test.run();
