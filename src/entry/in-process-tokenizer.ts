import { JanusError } from "../errors.js";
import { createTokenizer, type Tokenizer, type TokenizerFiles, type TokenizerOptions } from "../text/tokenizer.js";
import type { TokenizerHandle } from "./host.js";

/**
 * A tokenizer in the caller's own thread, for hosts without others: it is made by the first call. Nothing ends an expression of a hostile
 * tokenizer.json here but the time that the host grants a request: load checkpoints whose files you know.
 */
export function startInProcessTokenizer(files: TokenizerFiles, options: TokenizerOptions): TokenizerHandle {
  // Let go of when the tokenizer is there, which is large enough.
  let parts: Parameters<typeof createTokenizer> | undefined = [files, options];
  let tokenizer: Tokenizer | undefined;
  const started = (signal: AbortSignal | undefined): Tokenizer => {
    signal?.throwIfAborted();
    if (parts) tokenizer = createTokenizer(...parts);
    parts = undefined;
    if (tokenizer === undefined) throw new JanusError("E_DISPOSED", "the tokenizer was disposed; load the model again");
    return tokenizer;
  };
  return {
    special: async (signal) => started(signal).special,
    encode: async (texts, signal) => texts.map(started(signal).encode),
    async dispose() {
      parts = undefined;
      tokenizer = undefined;
    },
  };
}
