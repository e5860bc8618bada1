import { Command } from "commander";
import { EXIT_STATUS, examples } from "./help.js";

export interface PullFlags {
  readonly revision?: string;
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** `janus pull`: fetches a checkpoint, so that loading it later needs no server. */
export function pullCommand(signal: AbortSignal): Command {
  return new Command("pull")
    .summary("fetch a checkpoint from a hub or a URL")
    .description(
      "Fetch what embedding reads of a checkpoint, so that loading it later needs no server: configuration and tokenizer into Hugging Face's cache, the tensors in use into a store beside it. What is there already is not fetched again.",
    )
    .argument("<model>", "a hub id, as owner/name or owner/name@revision, or the URL of a checkpoint's directory")
    .option("--revision <revision>", "branch, tag or commit of a hub id; main otherwise")
    .option("--all", "every file in full, as Python's huggingface_hub has them")
    .option("--dry-run", "say what would be fetched, and fetch no more than it takes to know")
    .option("--json", "print one JSON object on stdout: revision, files and bytes, folders, timings in ms")
    .option("--verbose", "with an error, its stack")
    .addHelpText(
      "after",
      examples(
        "janus pull deepseek-ai/Janus-Pro-1B",
        "janus pull deepseek-ai/Janus-Pro-1B --revision main --all",
        "HF_HUB_OFFLINE=1 janus embed --model deepseek-ai/Janus-Pro-1B --question 'What is this?' --image a.png --output out.safetensors",
      ),
    )
    .addHelpText(
      "after",
      `
Environment:
  HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE as Python's huggingface_hub has them
  JANUS_WASM_CACHE    where parts of weights are kept; $HF_HOME/janus-wasm otherwise`,
    )
    .addHelpText("after", EXIT_STATUS)
    .action(async (model: string, flags: PullFlags) => (await import("../pull.js")).pull(model, flags, signal));
}
