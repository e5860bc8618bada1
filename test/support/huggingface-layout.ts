import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withSafetensors } from "#dist/entry/node/safetensors-file.js";
import { encodeSafetensorsHeader } from "#dist/weights/safetensors.js";
import { temporaryFolder } from "./cli.js";
import { golden } from "./paths.js";

interface Stored {
  name: string;
  shape: readonly number[];
  bytes: Uint8Array;
}

/**
 * Writes an original-layout bf16 checkpoint in Hugging Face's layout, as convert_janus_weights_to_hf.py does: tensors renamed, qkv split
 * in thirds, the positions squeezed, the image generator left out. The configuration files are recorded ones.
 */
export async function huggingFaceLayout(original: string): Promise<string> {
  const folder = temporaryFolder();
  for (const name of readdirSync(golden("demo-model-hf")))
    copyFileSync(golden(`demo-model-hf/${name}`), join(folder, name));
  copyFileSync(`${original}/tokenizer.json`, join(folder, "tokenizer.json"));
  const tensors: Stored[] = [];
  await withSafetensors(`${original}/model.safetensors`, undefined, async (file) => {
    for (const [name, entry] of file.tensors) {
      const bytes = await file.readBytes(entry, 0, entry.end - entry.begin);
      tensors.push(...renamed({ name, shape: entry.shape, bytes }));
    }
  });
  const header = encodeSafetensorsHeader(tensors.map(({ name, shape }) => ({ name, dtype: "BF16", shape })));
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat([header, ...tensors.map(({ bytes }) => bytes)]));
  return folder;
}

const TOWER: readonly (readonly [RegExp, string])[] = [
  [/^vision_model\.vision_tower\.patch_embed\.proj\./, "model.vision_model.embeddings.patch_embedding."],
  [/^vision_model\.vision_tower\.pos_embed$/, "model.vision_model.embeddings.position_embedding.weight"],
  [/^vision_model\.vision_tower\.blocks\.(\d+)\.norm([12])\./, "model.vision_model.encoder.layers.$1.layer_norm$2."],
  [
    /^vision_model\.vision_tower\.blocks\.(\d+)\.attn\.proj\./,
    "model.vision_model.encoder.layers.$1.self_attn.projection_layer.",
  ],
  [/^vision_model\.vision_tower\.blocks\.(\d+)\.mlp\./, "model.vision_model.encoder.layers.$1.mlp."],
  [/^vision_model\.vision_tower\.norm\./, "model.vision_model.post_layernorm."],
  [/^aligner\.layers\.0\./, "model.aligner.fc1."],
  [/^aligner\.layers\.2\./, "model.aligner.hidden_layers.0."],
  [/^language_model\.model\./, "model.language_model."],
  [/^language_model\.lm_head\./, "lm_head."],
];

function renamed(tensor: Stored): Stored[] {
  const { name, shape, bytes } = tensor;
  const qkv = /^vision_model\.vision_tower\.blocks\.(\d+)\.attn\.qkv\.(\w+)$/.exec(name);
  if (qkv) {
    const third = bytes.length / 3;
    return ["q", "k", "v"].map((part, n) => ({
      name: `model.vision_model.encoder.layers.${qkv[1]}.self_attn.${part}_proj.${qkv[2]}`,
      shape: [(shape[0] ?? 0) / 3, ...shape.slice(1)],
      bytes: bytes.subarray(n * third, (n + 1) * third),
    }));
  }
  const rule = TOWER.find(([pattern]) => pattern.test(name));
  if (!rule) return [];
  return [{ name: name.replace(rule[0], rule[1]), shape: name.endsWith("pos_embed") ? shape.slice(1) : shape, bytes }];
}
