import { suite } from "uvu";
import * as assert from "uvu/assert";
import { huggingfaceConfig, originalConfig, parse, preprocessor } from "../../support/config-text.js";
import { refuses } from "../../support/refusal.js";

const test = suite("model/preprocessor-config");

const original = (overrides: Record<string, unknown>) => () =>
  parse(originalConfig(), { preprocessor: preprocessor(overrides) });
const port = (overrides: Record<string, unknown>) => () =>
  parse(huggingfaceConfig(), { preprocessor: preprocessor({ image_size: undefined, ...overrides }) });

test("without the file Janus' own values are used, with a warning", () => {
  const { preprocess, warnings } = parse(originalConfig(), { preprocessor: undefined });
  assert.equal(preprocess, parse(originalConfig()).preprocess);
  assert.match(warnings.join(), /preprocessor_config\.json is missing/);
});

test("missing keys take the original's defaults: those of CLIP for mean and std, with a warning", () => {
  const { preprocess, warnings } = parse(originalConfig(), { preprocessor: { image_size: 384 } });
  assert.equal(preprocess.mean, [0.48145466, 0.4578275, 0.40821073]);
  assert.equal(preprocess.background, [122, 116, 104]);
  assert.equal([preprocess.minSize, preprocess.rescaleFactor, preprocess.doNormalize], [14, 1 / 255, true]);
  assert.is(warnings.length, 2);
});

test("the pad colour is trunc(mean * 255), whatever the file says", () => {
  const config = original({ image_mean: [0.999, 0, 1], background_color: [1, 2, 3] })();
  assert.equal(config.preprocess.background, [254, 0, 255]);
  assert.match(config.warnings.join(), /background_color \[1, 2, 3\] is not trunc/);
});

test("a null mean is for pixels that are not normalised", async () => {
  const { preprocess } = original({ image_mean: null, image_std: null, do_normalize: false })();
  assert.equal([preprocess.doNormalize, preprocess.background], [false, [127, 127, 127]]);
  await refuses(
    original({ image_mean: null }),
    "E_CONFIG",
    /image_mean to be three numbers, because do_normalize is true, got null/,
  );
});

test("the sizes are those of the tower", async () => {
  await refuses(
    original({ image_size: 448 }),
    "E_CONFIG",
    /image_size to be 384, the image size of config\.json, got 448/,
  );
  await refuses(port({ size: { height: 384, width: 448 } }), "E_CONFIG", /size\.width to be 384.*got 448/);
  await refuses(port({ size: { height: 448, width: 384 } }), "E_CONFIG", /size\.height to be 384.*got 448/);
  await refuses(original({ min_size: 385 }), "E_CONFIG", /min_size to be at most the image size 384, got 385/);
  await refuses(original({ min_size: 0 }), "E_CONFIG", /min_size to be an integer from 1/);
});

test("C09 image_mean length 1/4, std 0", async () => {
  for (const mean of [[0.5], [0.5, 0.5, 0.5, 0.5], 0.5, [0.5, 0.5, "0.5"], [0.5, 0.5, null], [-1, 0, 0], [0, 0, 1.1]])
    await refuses(
      original({ image_mean: mean }),
      "E_CONFIG",
      /preprocessor_config\.json: expected image_mean to be three numbers/,
    );
  for (const std of [[0.5, 0, 0.5], [0.5], [1, 1, -1], [1, 1, 1e9]])
    await refuses(original({ image_std: std }), "E_CONFIG", /expected image_std to be three numbers/);
});
test("C10 rescale_factor null", async () => {
  await refuses(
    original({ rescale_factor: null }),
    "E_CONFIG",
    /preprocessor_config\.json: expected rescale_factor to be a number, got null/,
  );
  for (const factor of [0, -1, "1/255", 1e9])
    await refuses(original({ rescale_factor: factor }), "E_CONFIG", /rescale_factor/);
});
test("C11 background_color out of 0..255", async () => {
  for (const colour of [[256, 0, 0], [-1, 0, 0], [0, 0], "grey"])
    await refuses(
      original({ background_color: colour }),
      "E_CONFIG",
      /expected background_color to be three numbers from 0 to 255/,
    );
});

test("transformers' steps that would change the picture are refused; the original ignores their names", async () => {
  for (const step of ["do_resize", "do_rescale", "do_pad"]) {
    await refuses(port({ [step]: false }), "E_UNSUPPORTED", new RegExp(`${step} true, found false`));
    assert.is(original({ [step]: false })().imageSize, 384);
  }
  await refuses(port({ resample: 2 }), "E_UNSUPPORTED", /resample 3 \(bicubic\), found 2/);
  await refuses(original({ do_normalize: "yes" }), "E_CONFIG", /do_normalize to be true or false, got "yes"/);
});

test.run();
