/** The edge entry over compiled binaries, run here: what it loads from, and what it refuses. The rest is tested under workerd (test/acceptance/edge.test.ts). */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { edgeJanus } from "#dist/entry/edge/janus.js";
import { bytesSource, Janus as NodeJanus } from "#dist/entry/node/index.js";
import { HubServer } from "../../../support/hub-server.js";
import { golden, ROOT } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";
import { bytesOf } from "../../../support/tensors.js";
import { tinyFiles } from "../../../support/tiny-checkpoints.js";

const test = suite("entry/edge/janus");

const compiled = (name: string): WebAssembly.Module => new WebAssembly.Module(readFileSync(`${ROOT}dist/wasm/${name}`));
const simd = compiled("simd.wasm");
/** It imports a function that nobody gives: Node 20 has no relaxed SIMD, and this stands for a binary that does not start. */
const unstartable = new WebAssembly.Module(
  Buffer.from("0061736d01000000010401600000020c0103656e76046e6f6e650000", "hex"),
);
const Janus = edgeJanus({ simd, relaxed: unstartable });

const NAME = "tiny-orig-safetensors";
const PICTURE = { width: 30, height: 20, data: Uint8Array.from({ length: 1800 }, (_, i) => (i * 7) % 256) };
const REQUEST = { question: "What is it?", images: [PICTURE] };

async function expected(): Promise<Buffer> {
  await using model = await NodeJanus.load(golden(`checkpoints/${NAME}`), { variant: "simd", threads: 1 });
  return bytesOf((await model.embed(REQUEST)).inputsEmbeds);
}

test("from memory and from a URL: the bytes of Node, one thread, plain SIMD where relaxed does not start", () =>
  HubServer.with({ "owner/tiny": { files: { directory: golden(`checkpoints/${NAME}`) } } }, async (server) => {
    for (const source of [
      bytesSource(tinyFiles(NAME)),
      server.plain("owner/tiny"),
      new URL(server.plain("owner/tiny")),
    ]) {
      await using model = await Janus.load(source);
      assert.ok(bytesOf((await model.embed(REQUEST)).inputsEmbeds).equals(await expected()));
      const { variant, threads, notes } = model.runtime;
      assert.equal([variant, threads], ["simd", 1]);
      assert.ok(notes.some((note) => /^plain SIMD: it does not start/.test(note)));
      assert.ok(notes.some((note) => note === "1 thread: an edge worker has no others"));
    }
  }));

test("what is not there on an edge worker is refused by name", async () => {
  for (const name of ["models/demo", "owner/name", "/models/demo"])
    await refused(Janus.load(name), "E_USAGE", /expected an http\(s\) URL or a WeightSource on an edge worker/);
  await refused(Janus.load({ nothing: 1 } as never), "E_USAGE", /opening a model/);
  const source = bytesSource(tinyFiles(NAME));
  await refused(Janus.load(source, { threads: 2 }), "E_UNSUPPORTED", /threads must be 1/);
  await refused(Janus.load(source, { variant: "relaxed" }), "E_UNSUPPORTED", /cannot run on/);
  for (const maxPixels of [0, 1.5, Number.NaN, "4"])
    await refused(
      Janus.load(source, { maxPixels: maxPixels as number }),
      "E_USAGE",
      /maxPixels must be a whole number/,
    );
});

test.run();
