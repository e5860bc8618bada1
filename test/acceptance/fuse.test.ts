/** Every recorded fusion case through the public stages; the features and the table are small integers, so equality is exact. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Tensor } from "#dist/entry/node/index.js";
import { Janus, JanusError } from "#dist/entry/node/index.js";
import { RUNS } from "../support/engine.js";
import { fuseCheckpoint } from "../support/fuse-checkpoint.js";
import { golden } from "../support/paths.js";

interface Recorded {
  readonly dtype: "int64" | "float32" | "bool";
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface FuseCase {
  readonly name: string;
  readonly input_ids: Recorded;
  readonly features: Recorded;
  readonly images_seq_mask: Recorded;
  readonly images_emb_mask: Recorded;
  readonly expected: "fused" | "error";
  readonly fused?: Recorded;
}

const { cases }: { cases: readonly FuseCase[] } = JSON.parse(readFileSync(golden("fuse/cases.json"), "utf8"));

const ids = (t: Recorded): Tensor<"int64"> => ({
  type: "int64",
  dims: t.shape,
  data: BigInt64Array.from(t.data, (value) => BigInt(value)),
});
const floats = (t: Recorded): Tensor<"float32"> => ({
  type: "float32",
  dims: t.shape,
  data: Float32Array.from(t.data),
});
const mask = (t: Recorded): Tensor<"bool"> => ({ type: "bool", dims: t.shape, data: Uint8Array.from(t.data) });

for (const run of RUNS) {
  const test = suite(`fuse, ${run.title}`);
  test("the recorded cases", async () => {
    assert.ok(cases.length >= 20, "the recording is whole");
    const model = await Janus.load(fuseCheckpoint(), run);
    for (const c of cases) {
      const fuse = async (): Promise<Tensor<"float32">> =>
        model.fuse({
          textEmbeds: await model.embedTokens(ids(c.input_ids)),
          imageEmbeds: floats(c.features),
          imagesSeqMask: mask(c.images_seq_mask),
          imagesEmbMask: mask(c.images_emb_mask),
        });
      if (c.expected === "error") {
        await fuse().then(
          () => assert.unreachable(`${c.name} was accepted`),
          (error) => {
            assert.instance(error, JanusError, c.name);
            assert.is(error.code, "E_PROMPT", c.name);
            assert.match(error.message, /\d+.*\d+/, `${c.name}: both counts are said`);
          },
        );
      } else {
        const fused = await fuse();
        assert.equal(fused.dims, c.fused?.shape, c.name);
        assert.equal([...fused.data], c.fused?.data, c.name);
      }
    }
    await model.dispose();
  });
  test.run();
}
