import type { JanusConfig } from "#dist/model/config.js";

/** Where `columns` and `k` stand among the arguments of the gemm kernel. */
const COLUMNS = 6;
const K = 7;

/** The layer that a call of the gemm kernel works for, by the shape of its weights. */
export function productName(args: readonly number[], config: JanusConfig): string {
  const { width, mlpWidth, patchSize, dim } = config;
  const shape = `${args[COLUMNS]}x${args[K]}`;
  const names: Readonly<Record<string, string>> = {
    [`${dim}x${width}`]: "aligner",
    [`${dim}x${dim}`]: "aligner",
    [`${width}x${3 * patchSize ** 2}`]: "patch_embed",
    [`${3 * width}x${width}`]: "qkv",
    [`${width}x${width}`]: "proj",
    [`${mlpWidth}x${width}`]: "fc1",
    [`${width}x${mlpWidth}`]: "fc2",
  };
  return names[shape] ?? `gemm ${shape}`;
}
