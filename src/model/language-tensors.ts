import type { TensorRequest } from "../weights/bound-tensor.js";
import type { LanguageConfig } from "./language-config.js";

/** What begins the role of every tensor of the language model; the rest is its name in a checkpoint of LlamaForCausalLM. */
export const LANGUAGE_MODEL = "language_model.";

/** Every tensor of the language model (transformers/models/llama/modeling_llama.py), by role and shape, in the order of the forward pass. */
export function languageTensors(config: LanguageConfig, head: boolean): TensorRequest[] {
  const { dim, mlpWidth, layers, heads, keyValueHeads, headDim, vocabRows, attentionBias, mlpBias } = config;
  const requests: TensorRequest[] = [];
  const add = (name: string, ...shape: number[]): void => {
    requests.push({ role: `${LANGUAGE_MODEL}${name}`, shape });
  };
  const linear = (name: string, out: number, into: number, bias: boolean): void => {
    add(`${name}.weight`, out, into);
    if (bias) add(`${name}.bias`, out);
  };
  add("model.embed_tokens.weight", vocabRows, dim);
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`;
    add(`${at}.input_layernorm.weight`, dim);
    linear(`${at}.self_attn.q_proj`, heads * headDim, dim, attentionBias);
    linear(`${at}.self_attn.k_proj`, keyValueHeads * headDim, dim, attentionBias);
    linear(`${at}.self_attn.v_proj`, keyValueHeads * headDim, dim, attentionBias);
    linear(`${at}.self_attn.o_proj`, dim, heads * headDim, attentionBias);
    add(`${at}.post_attention_layernorm.weight`, dim);
    linear(`${at}.mlp.gate_proj`, mlpWidth, dim, mlpBias);
    linear(`${at}.mlp.up_proj`, mlpWidth, dim, mlpBias);
    linear(`${at}.mlp.down_proj`, dim, mlpWidth, mlpBias);
  }
  add("model.norm.weight", dim);
  if (head) add("lm_head.weight", vocabRows, dim);
  return requests;
}
