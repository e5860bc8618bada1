import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inspectModel } from "#dist/entry/inspect.js";
import { nodeHost } from "#dist/entry/node/host.js";
import { startModel } from "#dist/entry/start.js";
import { golden } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";
import { watchedHost } from "../../support/watched-host.js";

const test = suite("entry/inspect");

const host = nodeHost();

for (const [checkpoint, layout, format, dtype, dims] of [
  ["tiny-orig-safetensors", "original", "safetensors", "fp32", [64, 16, 16, 64, 3, 4, 256, 96, 608]],
  ["tiny-orig-bin", "original", "pytorch", "bf16", [96, 16, 36, 80, 2, 5, 200, 72, 624]],
  ["tiny-hf", "huggingface", "safetensors", "bf16", [96, 16, 36, 80, 2, 5, 200, 72, 624]],
] as const) {
  test(checkpoint, async () => {
    const found = await inspectModel(host, golden(`checkpoints/${checkpoint}`));
    assert.equal([found.layout, found.dtype], [layout, dtype]);
    assert.match(found.format, format === "pytorch" ? /torch|bin/ : /safetensors/);
    const { imageSize, patchSize, tokens, width, blocks, heads, mlpWidth, dim, vocabRows, maxPositions } = found.dims;
    assert.equal([imageSize, patchSize, tokens, width, blocks, heads, mlpWidth, dim, vocabRows], dims);
    assert.is(maxPositions, 16_384);
    assert.is(found.tokenizer, "tokenizer.json");
    const { used, skipped } = found.tensors;
    assert.ok(used.length > 30 && skipped.length > 0);
    assert.ok(used.some(({ name }) => name.endsWith("embed_tokens.weight")));
    assert.not.ok(skipped.some(({ name }) => used.some((tensor) => tensor.name === name)));
    assert.ok(skipped.some(({ name }) => /lm_head|gen_|vqmodel/.test(name)));
    assert.equal(JSON.parse(JSON.stringify(found)).tensors.used[0], { ...JSON.parse(JSON.stringify(used[0])) });
  });
}

test("the bytes are those that loading takes with one thread", async () => {
  const path = golden("checkpoints/tiny-hf");
  const { bytes } = await inspectModel(host, path);
  const { engine, runtime, close } = await startModel(host, path, { threads: 1 });
  assert.is(bytes.weights, runtime.weightBytes);
  assert.ok(bytes.activations > 0);
  await engine.dispose();
  await close();
});

test("headers and configuration alone are read, and the source is closed, also after an error", async () => {
  const watched = watchedHost();
  await inspectModel(watched, golden("checkpoints/tiny-hf"));
  assert.equal(watched.held(), { sources: 0, workers: 0, tokenizers: 0 });
  assert.not.ok(
    watched.events.some((event) => /start|run:|tokenizer/.test(event)),
    `${watched.events}`,
  );
  const failing = watchedHost();
  await refused(inspectModel(failing, golden("cases")), "E_CONFIG", /config.json: expected it in/);
  assert.is(failing.held().sources, 0);
  const controller = new AbortController();
  const aborting = watchedHost((event) => {
    if (event === "read:config.json") controller.abort("enough");
  });
  assert.is(await rejection(inspectModel(aborting, golden("checkpoints/tiny-hf"), controller.signal)), "enough");
  assert.is(aborting.held().sources, 0);
});

test.run();
