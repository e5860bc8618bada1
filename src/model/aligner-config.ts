import { quote } from "../errors.js";
import { type Fields, misconfigured, notRunnable } from "./fields.js";

/** The projector from the tower's width W to the language model's D: `depth` linears with GELU between them, or nothing. */
export interface AlignerConfig {
  readonly type: "identity" | "linear" | "mlp_gelu";
  /** Linears: 0 for identity, 1 for linear. */
  readonly depth: number;
}

/** Janus has two; the bound keeps a hostile file from asking for millions of tensors. */
const DEPTH = { min: 1, max: 100 };
const DIMENSION = { min: 1, max: 2 ** 20 };

/** `aligner_config` of the original (janus/models/projector.py, MlpProjector). */
export function originalAligner(config: Fields, width: number, dim: number, warnings: string[]): AlignerConfig {
  const { file } = config;
  const section = config.child("aligner_config");
  const cls = section?.string("cls");
  if (cls !== undefined && !cls.includes("MlpProjector"))
    throw notRunnable(file, `expected aligner_config.cls "MlpProjector", found ${quote(cls)}`);
  const params = section?.child("params");
  if (params === undefined) {
    warnings.push(`${file}: aligner_config.params is missing; a GELU MLP of depth 2 is used`);
    return { type: "mlp_gelu", depth: 2 };
  }
  const type = params.string("projector_type") ?? "mlp_gelu";
  if (type === "low_high_hybrid_split_mlp_gelu")
    throw notRunnable(
      file,
      "expected a projector of one tower, found the hybrid one of DeepSeek-VL-7B, which is not supported",
    );
  if (type !== "identity" && type !== "linear" && type !== "mlp_gelu")
    throw notRunnable(
      file,
      `expected ${params.key("projector_type")} identity, linear or mlp_gelu, found ${quote(type)}`,
    );
  if (type === "identity") {
    if (width !== dim)
      throw misconfigured(file, `expected ${dim} columns from the identity aligner, as embed_tokens has, got ${width}`);
    return { type, depth: 0 };
  }
  const input = params.integer("input_dim", DIMENSION);
  if (input !== undefined && input !== width)
    throw misconfigured(file, `expected ${params.key("input_dim")} to be the tower's width ${width}, got ${input}`);
  const output = params.integer("n_embed", DIMENSION);
  if (output !== undefined && output !== dim)
    throw misconfigured(
      file,
      `expected ${params.key("n_embed")} to be ${dim}, the columns of embed_tokens, got ${output}`,
    );
  if (type === "linear") return { type, depth: 1 };
  const depth = params.integer("depth", DEPTH);
  if (depth === undefined)
    warnings.push(`${file}: ${params.key("depth")} is missing; the original's default 1 is used`);
  return { type, depth: depth ?? 1 };
}

/** The aligner of transformers' port, described inside `vision_config` (modeling_janus.py, JanusVisionAlignerMLP). */
export function huggingfaceAligner(config: Fields, dim: number): AlignerConfig {
  const section = config.child("vision_config");
  const output = section?.integer("projection_dim", DIMENSION);
  if (output !== undefined && output !== dim)
    throw misconfigured(
      config.file,
      `expected vision_config.projection_dim to be ${dim}, the columns of embed_tokens, got ${output}`,
    );
  return { type: "mlp_gelu", depth: section?.integer("depth", DEPTH) ?? 2 };
}
