import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeSafetensors } from "#dist/entry/node/write-safetensors.js";
import { encodeTensors } from "#dist/weights/encode-tensors.js";
import { refused } from "../../../support/refusal.js";
import { plainSafetensors } from "../../../support/safetensors-bytes.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/write-safetensors");
const tensors = { x: { type: "float32", dims: [2], data: Float32Array.of(1, 2) } } as const;

test("the file is the encoded tensors, its size is returned", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out.safetensors");
    const metadata = { format: "pt" };
    const encoded = encodeTensors(Object.entries(tensors), { metadata });
    assert.is(await writeSafetensors(path, tensors, { metadata }), encoded.byteLength);
    assert.is(Buffer.compare(readFileSync(path), encoded.toBytes()), 0);
  }));

test("a result is written by the reference's names, in the precision asked for", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out.safetensors");
    const result = { inputsEmbeds: { type: "float32", dims: [1, 1, 2], data: Float32Array.of(1, 2) } } as const;
    await writeSafetensors(path, result, { dtype: "bf16" });
    const expected = [["inputs_embeds", { dtype: "BF16", shape: [1, 1, 2], data: Buffer.of(0x80, 0x3f, 0, 0x40) }]];
    assert.equal([...plainSafetensors(readFileSync(path))], expected);
  }));

test("force, the signal and a wrong shape reach it", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out.safetensors");
    writeFileSync(path, "earlier");
    await refused(writeSafetensors(path, tensors), "E_USAGE", /exists/);
    const wrong = { x: { ...tensors.x, dims: [3] } };
    await refused(writeSafetensors(path, wrong, { force: true }), "E_SHAPE", /"x"/);
    const aborted = writeSafetensors(path, tensors, { force: true, signal: AbortSignal.abort("stopped") });
    assert.is(await aborted.catch((error) => error), "stopped");
    assert.is(readFileSync(path, "utf8"), "earlier");
    await writeSafetensors(path, tensors, { force: true });
    assert.not.match(readFileSync(path, "latin1"), /earlier/);
    assert.equal(readdirSync(folder), ["out.safetensors"]);
  }));

test.run();
