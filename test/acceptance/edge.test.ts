/** The recorded cases under the real workerd: the bytes of Node on the plain variant, within the float32 bounds on the relaxed one. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { nodeHost } from "#dist/entry/node/host.js";
import { Janus } from "#dist/entry/node/index.js";
import { CASES, CHECKPOINTS, check, embed } from "../support/cases.js";
import { temporaryFolder } from "../support/cli.js";
import { golden, ROOT } from "../support/paths.js";
import { refused } from "../support/refusal.js";
import { bytesOf, readTensors } from "../support/tensors.js";
import { bundleWorker, startWorkerd, type Workerd, workerdInstalled } from "../support/workerd.js";
import { workerdJanus } from "../support/workerd-janus.js";

const tests = suite("golden, workerd");
const host = nodeHost();
let workerd: Workerd;

tests.before(async () => {
  const folder = temporaryFolder();
  await bundleWorker(join(ROOT, "build/test/support/edge-worker.js"), folder);
  workerd = await startWorkerd({ folder, assets: { folder: golden("checkpoints") } });
});
tests.after(async () => {
  await workerd.kill();
  await host.dispose();
});

for (const checkpoint of CHECKPOINTS) {
  const cases = CASES.filter((c) => [c.checkpoint, ...c.equivalent_checkpoints].includes(checkpoint));

  tests(`${checkpoint}, simd: every stage of every case has the bytes of Node`, async () => {
    await using here = await Janus.load(golden(`checkpoints/${checkpoint}`), { variant: "simd", threads: 1 });
    const there = workerdJanus(workerd.url, host, checkpoint, { variant: "simd" });
    assert.ok(cases.length > 0);
    for (const c of cases) {
      const expected = await readTensors(golden(`cases/${c.name}/expected.safetensors`));
      const [a, b] = [await embed(here, c, expected), await embed(there, c, expected)];
      assert.equal(Object.keys(b), Object.keys(a));
      for (const name of Object.keys(a)) {
        assert.equal(b[name]?.dims, a[name]?.dims, `${c.name}: ${name}`);
        assert.ok(bytesOf(b[name]).equals(bytesOf(a[name])), `${c.name}: ${name}`);
      }
      check(c, b, expected);
    }
    assert.is(there.runtime?.variant, "simd");
    assert.is(there.runtime?.threads, 1);
  });

  tests(`${checkpoint}, relaxed: every case is within the bounds`, async () => {
    const there = workerdJanus(workerd.url, host, checkpoint, { variant: "relaxed" });
    for (const c of cases) {
      const expected = await readTensors(golden(`cases/${c.name}/expected.safetensors`));
      check(c, await embed(there, c, expected), expected);
    }
    assert.is(there.runtime?.variant, "relaxed");
    assert.is(there.runtime?.fma, true);
  });

  tests(`${checkpoint}, int8: the bytes of Node`, async () => {
    const options = { variant: "simd", dtype: "int8" } as const;
    await using here = await Janus.load(golden(`checkpoints/${checkpoint}`), { ...options, threads: 1 });
    const there = workerdJanus(workerd.url, host, checkpoint, options);
    const request = { question: "What is it?", images: [golden("images/china-150x100.png")] };
    const [a, b] = [await here.embed([request]), await there.embed([request])];
    assert.ok(bytesOf(b.inputsEmbeds).equals(bytesOf(a.inputsEmbeds)));
    assert.is(there.runtime?.dtype, "int8");
  });
}

tests("a checkpoint that is not there is an error with a name, and the next call works", async () => {
  const request = { question: "What is it?", images: [golden("images/china-150x100.png")] };
  const model = (checkpoint: string) => workerdJanus(workerd.url, host, checkpoint, { variant: "simd" });
  await refused(model("none").embed([request]), "E_CONFIG", /expected it in .*assets.local\/none/);
  assert.is((await model("tiny-hf").embed([request])).inputsEmbeds.dims[0], 1);
});

if (workerdInstalled()) tests.run();
