import { JanusError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { batchify } from "../text/batch.js";
import { COMPACT_FILE } from "../text/compact-layout.js";
import type { PromptRequest } from "../text/request.js";
import { renderRequests } from "../text/request.js";
import type { TokenizerFiles } from "../text/tokenizer.js";
import { readJsonFile } from "../weights/config-files.js";
import { sizeIfAny, type WeightSource } from "../weights/source.js";
import { readCompactFile } from "./compact-file.js";
import type { Host, ImageInput, TokenizerHandle } from "./host.js";
import type { OpenModel } from "./load.js";

/** What to embed: a question about images, a prompt taken verbatim, or a conversation. */
export type EmbedRequest = PromptRequest<ImageInput>;

/** Requests as one left-padded batch. */
export interface Prepared {
  /** Prompts as they were tokenized, before placeholders were expanded (upstream's `sft_format`). */
  readonly prompts: readonly string[];
  /** int64 [B,T] */
  readonly inputIds: Tensor<"int64">;
  /** int64 [B,T] */
  readonly attentionMask: Tensor<"int64">;
  /** bool [B,T] */
  readonly imagesSeqMask: Tensor<"bool">;
  /** bool [B,N,P] */
  readonly imagesEmbMask: Tensor<"bool">;
  /** The pictures of every row, in the order of their placeholders. */
  readonly images: readonly (readonly ImageInput[])[];
}

/** What a tokenizer is made of, in the order of `TokenizerFiles`. */
export const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"] as const;

/** The most a tokenizer file may hold: eight times DeepSeek's. */
const TOKENIZER_BYTES = 64 << 20;

/** The file that prompts are tokenized with; undefined when there is none. Nothing is read. */
export async function tokenizerFile(
  source: WeightSource,
  packed: boolean,
  signal?: AbortSignal,
): Promise<string | undefined> {
  for (const path of packed ? [COMPACT_FILE, TOKENIZER_FILES[0]] : [TOKENIZER_FILES[0]])
    if ((await sizeIfAny(source, path, signal)) !== undefined) return path;
  return undefined;
}

/**
 * The files of the tokenizer; undefined without a tokenizer.json. Of a `packed` checkpoint that has the compact form of it, that is read instead, and
 * tokenizer.json may be absent.
 */
export async function readTokenizerFiles(
  source: WeightSource,
  packed: boolean,
  signal?: AbortSignal,
): Promise<TokenizerFiles | undefined> {
  const [whole, ...small] = TOKENIZER_FILES;
  const read = (path: string): Promise<Uint8Array | undefined> => readJsonFile(source, path, TOKENIZER_BYTES, signal);
  const readTokenizer = async (): Promise<Uint8Array | undefined> =>
    (packed ? await readCompactFile(source, signal) : undefined) ?? (await read(whole));
  const [tokenizerJson, tokenizerConfig, specialTokensMap] = await Promise.all([readTokenizer(), ...small.map(read)]);
  return tokenizerJson && { tokenizerJson, tokenizerConfig, specialTokensMap };
}

/** Renders, tokenizes, expands and batches: VLChatProcessor without its images. The tokenizer is started by the first prompt. */
export class Preparer {
  readonly #host: Host;
  readonly #model: OpenModel;
  #tokenizer: TokenizerHandle | undefined;

  constructor(host: Host, model: OpenModel) {
    this.#host = host;
    this.#model = model;
  }

  /** One request or several (one batch; an empty list is a batch of none). E_PROMPT, E_CONFIG or E_UNSUPPORTED. */
  async prepare(requests: EmbedRequest | readonly EmbedRequest[], signal?: AbortSignal): Promise<Prepared> {
    const list = Array.isArray(requests) ? requests : [requests];
    const { processor, tokens, maxPositions } = this.#model.config;
    const tokenizer = await this.#start(signal);
    const special = await tokenizer.special(signal);
    const { sftFormat, systemPrompt } = processor;
    const rows = renderRequests(list, { ...special, sftFormat, systemPrompt });
    const prompts = rows.map((row) => row.prompt);
    const ids = await tokenizer.encode(prompts, signal);
    const batch = batchify(
      rows.map((row, b) => ({ ids: ids[b] ?? [], images: row.images.length })),
      special,
      { tokensPerImage: tokens, maxPositions },
    );
    return { ...batch, prompts, images: rows.map((row) => row.images as readonly ImageInput[]) };
  }

  async dispose(): Promise<void> {
    await this.#tokenizer?.dispose();
  }

  async #start(signal?: AbortSignal): Promise<TokenizerHandle> {
    if (this.#tokenizer) return this.#tokenizer;
    const { source, config, checkpoint } = this.#model;
    const files = await readTokenizerFiles(source, checkpoint.packed !== undefined, signal);
    if (!files) {
      throw new JanusError(
        "E_CONFIG",
        `${source.label}: tokenizer.json is missing; a prompt needs it (encode and --inputs do not)`,
      );
    }
    const { generates, processor, vocabRows } = config;
    // Another call may have been here meanwhile.
    this.#tokenizer ??= this.#host.startTokenizer(files, { imageTag: processor.imageTag, generates, vocabRows });
    return this.#tokenizer;
  }
}
