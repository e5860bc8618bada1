/** The thread that `tokenizer.ts` starts. */
import { parentPort } from "node:worker_threads";
import { JanusError } from "../../errors.js";
import { serveTexts } from "../serve-texts.js";

const port = parentPort;
if (port === null) throw new JanusError("E_INTERNAL", "tokenizer-worker.js runs as a worker thread only");

let onMessage: ((message: unknown) => void) | undefined;
port.on("message", (message) => onMessage?.(message));
serveTexts({
  post: (message) => port.postMessage(message),
  onMessage(listener) {
    onMessage = listener;
  },
});
