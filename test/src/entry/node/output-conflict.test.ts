import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refuseInputAsOutput } from "#dist/entry/node/output-conflict.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/output-conflict");

/** A folder with a model, a picture, a link and a second name of the picture, and an earlier output. */
function scene(work: (at: (name: string) => string) => Promise<void>): Promise<void> {
  return inScratch(async (folder) => {
    const at = (name: string): string => join(folder, name);
    mkdirSync(at("model"));
    for (const name of ["model/model.safetensors", "picture.png", "earlier"]) writeFileSync(at(name), name);
    symlinkSync(at("picture.png"), at("link.png"));
    linkSync(at("picture.png"), at("second.png"));
    symlinkSync(at("model"), at("model-link"));
    await work(at);
  });
}

test("L06: an input is never the output, under whatever path", () =>
  scene(async (at) => {
    const picture = at("picture.png");
    for (const input of [
      picture,
      relative("", picture),
      pathToFileURL(picture).href,
      at("link.png"),
      at("second.png"),
    ]) {
      const refusal = refuseInputAsOutput(picture, at("model"), [at("absent"), input]);
      await refused(refusal, "E_USAGE", /it is the input .*; name another output/);
    }
    await refused(refuseInputAsOutput(at("link.png"), at("model"), [at("link.png")]), "E_USAGE", /it is the input/);
  }));

test("nothing is replaced in the model's directory, where a new name is welcome", () =>
  scene(async (at) => {
    for (const model of [at("model"), `${at("model")}/`, at("model-link")]) {
      const refusal = refuseInputAsOutput(at("model/model.safetensors"), model, []);
      await refused(refusal, "E_USAGE", /it lies in the model's directory/);
    }
    await refuseInputAsOutput(at("model/new"), at("model"), []);
  }));

test("an earlier output, a new name, and a link to an input whose target stays are fine", () =>
  scene(async (at) => {
    const inputs = [
      at("picture.png"),
      at("absent"),
      undefined,
      { width: 1 },
      "data:image/png;base64,AA==",
      "file://host/x",
    ];
    for (const output of [at("earlier"), at("new"), at("link.png"), at("missing/new")]) {
      assert.is(await refuseInputAsOutput(output, at("model"), inputs), undefined);
    }
    await refuseInputAsOutput(at("earlier"), "owner/name", inputs);
  }));

test.run();
