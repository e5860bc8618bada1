/** Every recorded case, on every checkpoint it applies to, through the API on every variant and through the command line. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Janus } from "#dist/entry/node/index.js";
import { CASES, type Case, CHECKPOINTS, check, EXACT, embed, image, request } from "../support/cases.js";
import { janus, temporaryFolder } from "../support/cli.js";
import { RUNS } from "../support/engine.js";
import { golden } from "../support/paths.js";
import { bytesOf, readTensors } from "../support/tensors.js";

for (const run of RUNS) {
  const test = suite(`cases, API, ${run.title}`);
  for (const checkpoint of CHECKPOINTS) {
    test(checkpoint, async () => {
      const model = await Janus.load(golden(`checkpoints/${checkpoint}`), run);
      assert.is(model.runtime.variant, run.title);
      const cases = CASES.filter((c) => [c.checkpoint, ...c.equivalent_checkpoints].includes(checkpoint));
      assert.ok(cases.length > 0);
      for (const c of cases) {
        const expected = await readTensors(golden(`cases/${c.name}/expected.safetensors`));
        try {
          check(c, await embed(model, c, expected), expected);
        } catch (error) {
          (error as Error).message = `${c.name}: ${(error as Error).message}`;
          throw error;
        }
      }
      await model.dispose();
    });
  }
  test("equivalent checkpoints give identical bytes", async () => {
    const pairs = CASES.flatMap((c) => c.equivalent_checkpoints.map((other) => [c, other] as const));
    assert.ok(pairs.length > 0);
    const [, other = ""] = pairs[0] ?? [];
    const models = [
      await Janus.load(golden(`checkpoints/${pairs[0]?.[0].checkpoint}`), run),
      await Janus.load(golden(`checkpoints/${other}`), run),
    ] as const;
    for (const [c] of pairs) {
      const expected = await readTensors(golden(`cases/${c.name}/expected.safetensors`));
      const [a, b] = [await embed(models[0], c, expected), await embed(models[1], c, expected)];
      for (const name of Object.keys(a)) assert.ok(bytesOf(a[name]).equals(bytesOf(b[name])), `${c.name}: ${name}`);
    }
    for (const model of models) await model.dispose();
  });
  test.run();
}

const commandLine = suite("cases, command line");
const folder = temporaryFolder();

for (const c of CASES) {
  for (const checkpoint of [c.checkpoint, ...c.equivalent_checkpoints]) {
    commandLine(`${c.name} on ${checkpoint}`, async () => {
      const output = join(folder, `${c.name}.${checkpoint}.safetensors`);
      const expected = golden(`cases/${c.name}/expected.safetensors`);
      const model = ["--model", golden(`checkpoints/${checkpoint}`), "--output", output, "--stages"];
      const embedded = await janus(["embed", ...model, ...flags(c, expected)]);
      assert.is(embedded.status, 0, embedded.stderr);
      const images = c.shapes["images_emb_mask"]?.slice(0, 2).reduce((a, b) => a * b, 1);
      const whole = c.image_rows_used.length === images;
      const only = whole ? [] : [...EXACT, "inputs_embeds"].flatMap((name) => ["--only", name]);
      const compared = await janus(["compare", output, expected, ...only]);
      assert.is(compared.status, 0, compared.stdout + compared.stderr);
    });
  }
}

/** The flags a user would take for a case: prompt, conversation, requests or recorded inputs. */
function flags(c: Case, expected: string): string[] {
  if (c.mode === "tensors") return ["--inputs", expected];
  const [row] = c.rows;
  if (c.rows.length > 1) {
    const path = join(folder, `${c.name}.jsonl`);
    writeFileSync(path, c.rows.map((each) => `${JSON.stringify(request(each))}\n`).join(""));
    return ["--requests", path];
  }
  if (row?.prompt !== undefined) {
    return ["--prompt", row.prompt, ...(row.images ?? []).flatMap((name) => ["--image", image(name)])];
  }
  const path = join(folder, `${c.name}.json`);
  const messages = (row?.conversation ?? []).map((message) => ({
    ...message,
    images: (message.images ?? []).map(image),
  }));
  writeFileSync(path, JSON.stringify(messages));
  return ["--conversation", path];
}

commandLine.run();
