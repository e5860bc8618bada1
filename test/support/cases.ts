/** The recorded cases: what is asked, of which checkpoints, and what PyTorch's reference gave. */
import { readdirSync, readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { difference, differenceText, isWithin } from "#dist/cli/difference.js";
import type { EmbedRequest, EmbedResult, Janus, Tensor } from "#dist/entry/node/index.js";
import { golden } from "./paths.js";
import { bytesOf } from "./tensors.js";

/** What the cases ask of a model. */
export type CaseModel = Pick<Janus, "embed" | "prepareInputsEmbeds">;

interface Row {
  readonly prompt?: string;
  readonly images?: readonly string[];
  readonly conversation?: readonly { role: string; content: string; images?: readonly string[] }[];
  readonly rendered: string;
}

export interface Case {
  readonly name: string;
  readonly checkpoint: string;
  readonly equivalent_checkpoints: readonly string[];
  readonly mode: "processor" | "tensors";
  readonly rows: readonly Row[];
  readonly image_rows_used: readonly number[];
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** Stages that must be exact; the rest is held against the float32 bounds. */
export const EXACT = [
  "input_ids",
  "attention_mask",
  "images_seq_mask",
  "images_emb_mask",
  "pixel_values",
  "text_embeds",
];

export const CASES: readonly Case[] = readdirSync(golden("cases")).map((name) =>
  JSON.parse(readFileSync(golden(`cases/${name}/case.json`), "utf8")),
);
export const CHECKPOINTS = [...new Set(CASES.flatMap((c) => [c.checkpoint, ...c.equivalent_checkpoints]))];

export const image = (name: string): string => golden(`images/${name}`);

export function request(row: Row): EmbedRequest {
  if (row.prompt !== undefined) return { prompt: row.prompt, images: (row.images ?? []).map(image) };
  const conversation = (row.conversation ?? []).map((message) => ({
    ...message,
    images: (message.images ?? []).map(image),
  }));
  return { conversation };
}

/** Every tensor of a case, as a model gives it. */
export async function embed(
  model: CaseModel,
  c: Case,
  expected: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  if (c.mode === "processor") {
    const out = await model.embed(c.rows.map(request), { stages: true });
    return named(out);
  }
  const inputs = {
    inputIds: expected["input_ids"] as Tensor<"int64">,
    pixelValues: expected["pixel_values"] as Tensor<"float32">,
    imagesSeqMask: expected["images_seq_mask"] as Tensor<"bool">,
    imagesEmbMask: expected["images_emb_mask"] as Tensor<"bool">,
  };
  const before = bytesOf(inputs.inputIds).toString("hex");
  const out = await model.prepareInputsEmbeds(inputs, { stages: true });
  assert.is(bytesOf(inputs.inputIds).toString("hex"), before, "the caller's ids are untouched");
  const attentionMask = expected["attention_mask"] as Tensor<"int64">;
  return named({ ...inputs, ...out, attentionMask });
}

/** Tensors of a result, and its stages, by the names of the recordings. */
export function named(out: Omit<EmbedResult, "timings">): Record<string, Tensor> {
  return {
    input_ids: out.inputIds,
    attention_mask: out.attentionMask,
    images_seq_mask: out.imagesSeqMask,
    images_emb_mask: out.imagesEmbMask,
    inputs_embeds: out.inputsEmbeds,
    ...out.stages,
  };
}

/** The recorded rows of the images that were really encoded: the recording holds the zero images of the padding, too. */
function used(c: Case, tensor: Tensor, name: string): Tensor {
  if (!/^(vision\.|image_embeds)/.test(name)) return tensor;
  const [, tokens = 0, width = 0] = tensor.dims;
  const per = tokens * width;
  const data = new Float32Array(c.image_rows_used.length * per);
  c.image_rows_used.forEach((row, at) => {
    data.set(tensor.data.subarray(row * per, (row + 1) * per) as Float32Array, at * per);
  });
  return { type: "float32", dims: [c.image_rows_used.length, tokens, width], data };
}

/** Exact where the recording must be met exactly, within the float32 bounds elsewhere. */
export function check(c: Case, actual: Record<string, Tensor>, expected: Record<string, Tensor>): void {
  assert.equal(Object.keys(c.shapes).sort(), Object.keys(expected).sort(), "the recording is whole");
  for (const [name, recorded] of Object.entries(expected)) {
    const want = used(c, recorded, name);
    const got = actual[name === "vision.norm" ? "image_features" : name];
    assert.equal(got?.dims, want.dims, `${name}: dims`);
    if (EXACT.includes(name)) {
      assert.ok(bytesOf(got).equals(bytesOf(want)), `${name}: not equal to the recording`);
      continue;
    }
    const found = difference(got?.data as Float32Array, want.data as Float32Array, want.dims.at(-1));
    assert.ok(isWithin(found), `${name}: ${differenceText(found)}`);
  }
}
