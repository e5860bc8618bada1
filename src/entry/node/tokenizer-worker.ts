/** The thread that `tokenizer.ts` starts: one tokenizer, one request at a time, one reply to each. */
import { parentPort } from "node:worker_threads";
import { type ErrorCode, type ErrorOrigin, JanusError } from "../../errors.js";
import {
  createTokenizer,
  type SpecialTokens,
  type Tokenizer,
  type TokenizerFiles,
  type TokenizerOptions,
} from "../../text/tokenizer.js";

/** The first message: what the tokenizer is made of. */
export interface Task {
  readonly files: TokenizerFiles;
  readonly options: TokenizerOptions;
}

/** A class does not survive structured cloning; what identifies a JanusError does. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly origin: ErrorOrigin | undefined;
}

/** Sent once, when the tokenizer is there or could not be made. */
export type Started = { readonly special: SpecialTokens } | { readonly failure: Failure };

/** What is asked: texts. */
export type Texts = readonly string[];

/** Sent for every `Texts`: the ids of each. */
export type Encoded = { readonly ids: number[][] } | { readonly failure: Failure };

const port = parentPort;
if (port === null) throw new JanusError("E_INTERNAL", "tokenizer-worker.js runs as a worker thread only");

port.once("message", ({ files, options }: Task) => {
  let tokenizer: Tokenizer;
  try {
    tokenizer = createTokenizer(files, options);
  } catch (error) {
    port.postMessage({ failure: failure(error) } satisfies Started);
    return;
  }
  port.postMessage({ special: tokenizer.special } satisfies Started);
  port.on("message", (texts: Texts) => {
    let reply: Encoded;
    try {
      reply = { ids: texts.map(tokenizer.encode) };
    } catch (error) {
      reply = { failure: failure(error) };
    }
    port.postMessage(reply);
  });
});

function failure(error: unknown): Failure {
  if (error instanceof JanusError) return { code: error.code, message: error.message, origin: error.origin };
  return { code: "E_INTERNAL", message: `the tokenizer failed: ${String(error)}`, origin: undefined };
}
