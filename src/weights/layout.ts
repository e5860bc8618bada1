import { quote } from "../errors.js";
import { malformed, unsupported } from "./refusals.js";

/** How a checkpoint names its tensors: as DeepSeek's own code does, or as transformers' port. */
export type LayoutName = "original" | "huggingface";

/** The layout of this name, if there is one. */
export function layoutNamed(name: string | undefined): LayoutName | undefined {
  return name === "original" || name === "huggingface" ? name : undefined;
}

/**
 * Translates the roles that the model knows into stored names. A role is what the original calls the tensor inside its vision tower
 * (`blocks.3.norm1.weight`), `aligner.layers.K.*` counting linears, or `embed_tokens.weight`; of the language model what the original
 * calls it, `language_model.model.layers.3.mlp.up_proj.weight`.
 */
export interface Layout {
  readonly name: LayoutName;
  /** The stored tensors that, stacked along dimension 0, are the role. Throws a RangeError for a role that does not exist. */
  stored(role: string): readonly string[];
}

/** Families that share the names but not the architecture; each is refused by its own name. */
const FOREIGN: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  {
    pattern: /^(?:vision_und_enc_model\.|vision_und_enc_aligner\.|beg_of_und_embed$)/,
    what: "JanusFlow (another aligner and a learned begin-of-image row)",
  },
  {
    pattern: /^(?:vision_model\.vision_tower_(?:high|low)\.|aligner\.(?:high|low)_up_proj\.)/,
    what: "DeepSeek-VL-7B (a hybrid tower with SAM)",
  },
  {
    pattern: /^(?:model\.)?(?:low|high)_res_vision_encoder\.|^model\.vision_model\.vision_model\./,
    what: "transformers' own port of DeepSeek-VL; use the original checkpoint of DeepSeek-VL-1.3B",
  },
];

const ORIGINAL_TOWER = "vision_model.vision_tower.";
const HUGGINGFACE_TOWER = /^(model\.)?vision_model\.(?:embeddings|encoder|post_layernorm)\./;

/**
 * Recognises the layout by the names alone. Throws E_UNSUPPORTED for a related family that this package does not run, E_FORMAT when
 * nothing of Janus is there; `where` is the checkpoint's name in messages.
 */
export function detectLayout(names: Iterable<string>, where: string): Layout {
  let first: string | undefined;
  let found: Layout | undefined;
  const all = new Set(names);
  for (const name of all) {
    first ??= name;
    const foreign = FOREIGN.find(({ pattern }) => pattern.test(name));
    if (foreign !== undefined)
      throw unsupported(where, `expected a Janus or DeepSeek-VL-1.3B checkpoint, found ${foreign.what}`);
    if (name.startsWith(ORIGINAL_TOWER)) found ??= original(all.has("aligner.layers.weight"));
    const prefix = HUGGINGFACE_TOWER.exec(name);
    if (prefix !== null) found ??= huggingface(prefix[1] ?? "");
  }
  if (found === undefined)
    throw malformed(
      where,
      `expected the tensors of a Janus vision tower among ${all.size}, found none${first === undefined ? "" : ` but such as ${quote(first)}`}; is this another model?`,
    );
  return found;
}

const ROLE =
  /^(?:patch_embed\.(?:weight|bias)|pos_embed|norm\.(?:weight|bias)|embed_tokens\.weight|aligner\.layers\.(?<linear>\d+)\.(?<kind>weight|bias)|blocks\.(?<block>\d+)\.(?<part>norm1|qkv|proj|norm2|fc1|fc2)\.(?<param>weight|bias)|language_model\.(?:lm_head|model\.(?:embed_tokens|norm|layers\.\d+\.\w+(?:\.\w+)?))\.(?:weight|bias))$/;

function parts(role: string): Record<string, string | undefined> {
  const match = ROLE.exec(role);
  if (match === null) throw new RangeError(`no tensor has the role ${quote(role)}`);
  return match.groups ?? {};
}

/** janus/models/siglip_vit.py and projector.py; with projector_type "linear" the one linear has no index (`singleLinear`). */
function original(singleLinear: boolean): Layout {
  const inBlock: Readonly<Record<string, string>> = {
    qkv: "attn.qkv",
    proj: "attn.proj",
    fc1: "mlp.fc1",
    fc2: "mlp.fc2",
  };
  const stored = (role: string): readonly string[] => {
    const { linear, kind, block, part, param } = parts(role);
    if (linear !== undefined) {
      // Odd indices of the Sequential are activations.
      return [
        singleLinear && linear === "0" ? `aligner.layers.${kind}` : `aligner.layers.${2 * Number(linear)}.${kind}`,
      ];
    }
    if (block !== undefined) return [`${ORIGINAL_TOWER}blocks.${block}.${inBlock[part!] ?? part}.${param}`];
    if (role === "embed_tokens.weight") return ["language_model.model.embed_tokens.weight"];
    if (role.startsWith("language_model.")) return [role];
    return [`${ORIGINAL_TOWER}${role.replace("patch_embed.", "patch_embed.proj.")}`];
  };
  return { name: "original", stored };
}

/** transformers' modeling_janus.py; a save of the inner JanusModel lacks the leading `model.`. */
function huggingface(prefix: string): Layout {
  const inBlock: Readonly<Record<string, readonly string[]>> = {
    norm1: ["layer_norm1"],
    qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    proj: ["self_attn.projection_layer"],
    norm2: ["layer_norm2"],
    fc1: ["mlp.fc1"],
    fc2: ["mlp.fc2"],
  };
  const elsewhere: Readonly<Record<string, string>> = {
    "patch_embed.weight": "vision_model.embeddings.patch_embedding.weight",
    "patch_embed.bias": "vision_model.embeddings.patch_embedding.bias",
    pos_embed: "vision_model.embeddings.position_embedding.weight",
    "norm.weight": "vision_model.post_layernorm.weight",
    "norm.bias": "vision_model.post_layernorm.bias",
    "embed_tokens.weight": "language_model.embed_tokens.weight",
  };
  const stored = (role: string): readonly string[] => {
    const { linear, kind, block, part, param } = parts(role);
    if (linear !== undefined) {
      const index = Number(linear);
      return [`${prefix}aligner.${index === 0 ? "fc1" : `hidden_layers.${index - 1}`}.${kind}`];
    }
    if (block !== undefined)
      return inBlock[part!]!.map((name) => `${prefix}vision_model.encoder.layers.${block}.${name}.${param}`);
    if (role === "language_model.lm_head.weight") return ["lm_head.weight"];
    if (role.startsWith("language_model.")) return [`${prefix}${role.replace(".model.", ".")}`];
    return [`${prefix}${elsewhere[role]}`];
  };
  return { name: "huggingface", stored };
}
