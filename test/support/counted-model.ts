import type { EmbeddingModel } from "#dist/entry/transformers/index.js";

/** A model that counts the pictures it encodes, and may be made to wait before each. */
export function countedModel(
  model: EmbeddingModel,
  before: (signal: AbortSignal | undefined) => Promise<void> = async () => {},
): { readonly model: EmbeddingModel; readonly encoded: () => number } {
  let encoded = 0;
  const counted: EmbeddingModel = {
    config: model.config,
    async encode(pixelValues, options = {}) {
      encoded += pixelValues.dims[0] ?? 0;
      await before(options.signal);
      return model.encode(pixelValues, options);
    },
    project: (features, options) => model.project(features, options),
    embedTokens: (inputIds, options) => model.embedTokens(inputIds, options),
    fuse: (inputs, options) => model.fuse(inputs, options),
  };
  return { model: counted, encoded: () => encoded };
}
