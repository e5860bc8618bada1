/** models/recipes/onnxruntime.md, as it stands there, on the demo model and its language model in ONNX. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEMO, writeOnnxCheckpoint } from "../support/onnx-checkpoint.js";
import { readRecipe, runProgram } from "../support/recipe.js";
import { inScratch } from "../support/scratch.js";
import { packagesInstalled } from "../support/transformers-packages.js";

const test = suite("onnxruntime");

test("the recipe prints what it says, and the recorded answers", async () => {
  const examples = JSON.parse(readFileSync(`${DEMO}/examples/examples.json`, "utf8"));
  const { programs, prints } = readRecipe("onnxruntime");
  const [program = ""] = programs;
  await inScratch(async (folder) => {
    await writeOnnxCheckpoint(folder);
    for (const n of [6, 1]) {
      const { images, question, answer } = examples[n];
      const args = [DEMO, `${folder}/onnx`, `${DEMO}/examples/${images[0]}`, question];
      const printed = await runProgram(program, args);
      assert.is(printed, `${answer}\n`, question);
      if (n === 6) assert.is(printed, prints);
    }
  });
});

if (packagesInstalled()) test.run();
