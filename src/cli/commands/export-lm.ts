import { Command } from "commander";
import { byteSize } from "./byte-size.js";
import { EXIT_STATUS, examples } from "./help.js";
import { addModel } from "./model-options.js";

export interface ExportFlags {
  readonly model: string;
  readonly output: string;
  readonly shardSize?: number;
  readonly json?: boolean;
  readonly force?: boolean;
}

/** `janus export-lm`: the language model of a checkpoint as a plain Llama, for whatever runs those. */
export function exportCommand(signal: AbortSignal): Command {
  return addModel(
    new Command("export-lm")
      .summary("write the language model as a plain Llama checkpoint")
      .description(
        "Write the language model of a Janus checkpoint as a checkpoint of LlamaForCausalLM, which transformers, vLLM and llama.cpp's converter read: it answers the inputs_embeds that embed writes.",
      ),
  )
    .requiredOption("-o, --output <dir>", "directory to write")
    .option("--shard-size <bytes>", "keep every file of weights below this size: 25000000, or 25MB, 25MiB", byteSize)
    .option("--json", "print one JSON object on stdout: dtype, files, timings in ms, peakMemoryBytes")
    .option("--force", "overwrite an earlier output")
    .option("--verbose", "with an error, its stack")
    .addHelpText(
      "after",
      examples(
        "janus export-lm --model Janus-Pro-1B --output Janus-Pro-1B-LM",
        "janus embed --model Janus-Pro-1B --question 'What is this?' --image a.png --output prompt.safetensors",
      ),
    )
    .addHelpText("after", EXIT_STATUS)
    .action(async (flags: ExportFlags) => (await import("../export-lm.js")).exportLm(flags, signal));
}
