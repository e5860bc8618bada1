import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { withSafetensors } from "#dist/entry/node/safetensors-file.js";
import { elements } from "#dist/tensor.js";
import { janusGraph } from "../peers/graph.js";

/** Heads of siglip_large_patch16_384 where the configuration names none. */
const DEFAULT_HEADS = 16;

/** Writes the peers' graph of a checkpoint directory (one safetensors file, original layout). The file is complete or absent. */
export async function writeGraph(checkpoint: string, path: string, int8 = false): Promise<void> {
  const { vision_config } = JSON.parse(await readFile(join(checkpoint, "config.json"), "utf8"));
  const { image_size: imageSize, heads = DEFAULT_HEADS } = vision_config.params;
  await withSafetensors(join(checkpoint, "model.safetensors"), undefined, async ({ tensors, readFloats }) => {
    const stored = {
      shape: (name: string) => tensors.get(name)?.shape,
      async read(name: string) {
        const entry = tensors.get(name)!;
        return Float32Array.from(await readFloats(entry, 0, elements(entry.shape)));
      },
    };
    const partial = `${path}.partial`;
    const out = await open(partial, "w");
    try {
      for (const piece of janusGraph(stored, { imageSize, heads, int8 })) {
        await out.writeFile(piece instanceof Uint8Array ? piece : await piece.read());
      }
    } finally {
      await out.close();
    }
    await rename(partial, path);
  });
}
