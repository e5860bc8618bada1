import { JanusError } from "../errors.js";
import {
  createTokenizer,
  type SpecialTokens,
  type Tokenizer,
  type TokenizerFiles,
  type TokenizerOptions,
} from "../text/tokenizer.js";
import type { WireError } from "../threads/protocol.js";
import type { MessageEnd } from "./message-worker.js";

/** The first message: what the tokenizer is made of. */
export interface Task {
  readonly files: TokenizerFiles;
  readonly options: TokenizerOptions;
}

/** A class does not survive structured cloning; what identifies a JanusError does. */
export type Failure = Omit<WireError, "stack">;

/** Sent once, when the tokenizer is there or could not be made. */
export type Started = { readonly special: SpecialTokens } | { readonly failure: Failure };

/** What is asked: texts. */
export type Texts = readonly string[];

/** Sent for every `Texts`: the ids of each. */
export type Encoded = { readonly ids: number[][] } | { readonly failure: Failure };

/** The worker that `tokenizer-thread.ts` asks: one tokenizer, one request at a time, one reply to each. */
export function serveTexts(end: MessageEnd): void {
  end.onMessage((message) => {
    const { files, options } = message as Task;
    let tokenizer: Tokenizer;
    try {
      tokenizer = createTokenizer(files, options);
    } catch (error) {
      end.post({ failure: failure(error) } satisfies Started);
      return;
    }
    end.onMessage((texts) => end.post(encoded(tokenizer, texts as Texts)));
    end.post({ special: tokenizer.special } satisfies Started);
  });
}

function encoded(tokenizer: Tokenizer, texts: Texts): Encoded {
  try {
    return { ids: texts.map(tokenizer.encode) };
  } catch (error) {
    return { failure: failure(error) };
  }
}

function failure(error: unknown): Failure {
  if (error instanceof JanusError) return { code: error.code, message: error.message, origin: error.origin };
  return { code: "E_INTERNAL", message: `the tokenizer failed: ${String(error)}` };
}
