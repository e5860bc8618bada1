import { suite } from "uvu";
import * as assert from "uvu/assert";
import { huggingfaceConfig, originalConfig, parse } from "../../support/config-text.js";
import { refuses } from "../../support/refusal.js";

const test = suite("model/aligner-config");

const aligner = (overrides: Record<string, unknown>) => () => parse(originalConfig({ aligner: overrides }));

test("the projectors of one tower", () => {
  assert.equal(aligner({ depth: 3 })().aligner, { type: "mlp_gelu", depth: 3 });
  assert.equal(aligner({ projector_type: "linear" })().aligner, { type: "linear", depth: 1 });
  const identity = originalConfig({ aligner: { projector_type: "identity" }, top: { language_config: {} } });
  assert.equal(parse(identity, {}, [100, 1024]).aligner, { type: "identity", depth: 0 });
  assert.equal(parse(huggingfaceConfig({ depth: 4 })).aligner, { type: "mlp_gelu", depth: 4 });
  assert.equal(parse(huggingfaceConfig()).aligner, { type: "mlp_gelu", depth: 2 });
});

test("what is missing is said", () => {
  const noDepth = aligner({ depth: undefined })();
  assert.is(noDepth.aligner.depth, 1);
  assert.match(noDepth.warnings.join(), /depth is missing; the original's default 1/);
  const nothing = parse(originalConfig({ top: { aligner_config: undefined } }));
  assert.equal(nothing.aligner, { type: "mlp_gelu", depth: 2 });
  assert.match(nothing.warnings.join(), /aligner_config\.params is missing/);
});

test("other projectors are refused by name", async () => {
  await refuses(aligner({ projector_type: "low_high_hybrid_split_mlp_gelu" }), "E_UNSUPPORTED", /DeepSeek-VL-7B/);
  await refuses(aligner({ projector_type: "resampler" }), "E_UNSUPPORTED", /found "resampler"/);
  const config = originalConfig({ top: { aligner_config: { cls: "Perceiver" } } });
  await refuses(() => parse(config), "E_UNSUPPORTED", /found "Perceiver"/);
});

test("its sides are the tower's and the embedding's", async () => {
  await refuses(aligner({ input_dim: 1152 }), "E_CONFIG", /input_dim to be the tower's width 1024, got 1152/);
  await refuses(
    aligner({ projector_type: "identity" }),
    "E_CONFIG",
    /2048 columns from the identity aligner.*got 1024/,
  );
  for (const depth of [0, -1, 1e9, "2"]) await refuses(aligner({ depth }), "E_CONFIG", /aligner_config\.params\.depth/);
});

test.run();
