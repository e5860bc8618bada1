import { Fields, misconfigured, notRunnable } from "./fields.js";

/** How the text side marks an image. */
export interface ProcessorConfig {
  /** The text that stands for one image in a prompt; transformers' port has it in tokenizer_config.json instead. */
  readonly imageTag: string | undefined;
  /** Positions that an image takes in the sequence: P. */
  readonly numImageTokens: number;
  /** The template of conversations, by the original's name for it. */
  readonly sftFormat: string;
  /** `system_prompt`, an extension of the file: the text before the first message, instead of the reference's. */
  readonly systemPrompt: string | undefined;
  /** `image_token_id` of transformers' config.json; the original has it in the tokenizer alone. */
  readonly imageTokenId: number | undefined;
}

/** processor_config.json, against the tower's tokens; what it lacks is as in every Janus. */
export function parseProcessor(
  bytes: Uint8Array | undefined,
  tokens: number,
  imageTokenId: number | undefined,
): ProcessorConfig {
  const file = "processor_config.json";
  const fields = bytes === undefined ? Fields.absent(file) : Fields.parse(file, bytes);
  const numImageTokens = fields.integer("num_image_tokens", { min: 1, max: Number.MAX_SAFE_INTEGER }) ?? tokens;
  if (numImageTokens !== tokens)
    throw misconfigured(
      file,
      `expected num_image_tokens to be ${tokens}, the patches that config.json implies, got ${numImageTokens}`,
    );
  // The original then keeps one placeholder more in the sequence than it has features, and fails.
  if (fields.boolean("add_special_token") === true)
    throw notRunnable(file, "expected add_special_token false, found true, which the original cannot run either");
  const imageTag = fields.string("image_tag");
  if (imageTag === "") throw fields.wrong("image_tag", "a text of at least one character");
  const sftFormat = fields.string("sft_format") ?? "deepseek";
  return { imageTag, numImageTokens, sftFormat, systemPrompt: fields.string("system_prompt"), imageTokenId };
}
