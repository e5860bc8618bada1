import { Command, Option } from "commander";
import { byteSize } from "./byte-size.js";
import { collect } from "./collect.js";
import { EXIT_STATUS, examples } from "./help.js";
import { addModel, threadsOption } from "./model-options.js";

export interface PackFlags {
  readonly model: string;
  readonly output: string;
  readonly dtype: "auto" | "fp32" | "int8";
  readonly shardSize?: number;
  readonly report?: string;
  readonly image?: readonly string[];
  readonly threads: "auto" | number;
  readonly json?: boolean;
  readonly force?: boolean;
}

/** `janus pack`: a checkpoint laid out as the kernels read it, in its own precision, widened or with its blocks in 8 bits. */
export function packCommand(signal: AbortSignal): Command {
  return addModel(
    new Command("pack")
      .summary("write a checkpoint in packed form, which loads at once")
      .description(
        "Write a checkpoint in packed form: laid out as it will lie in memory, with checksums, and nothing of the language model but its token table.",
      ),
  )
    .requiredOption("-o, --output <dir>", "directory to write")
    .addOption(
      new Option("--dtype <dtype>", "precision to pack: the checkpoint's own, widened, or the blocks in 8 bits")
        .choices(["auto", "fp32", "int8"])
        .default("auto"),
    )
    .option("--shard-size <bytes>", "keep every file of weights below this size: 25000000, or 25MB, 25MiB", byteSize)
    .option(
      "--report <file>",
      "with --dtype int8, write what 8 bits cost, by block and by linear, on the pictures of --image: JSON; minutes for a large model",
    )
    .option("-i, --image <path>", "a picture for --report; may be given several times", collect)
    .addOption(threadsOption())
    .option("--json", "print one JSON object on stdout: dtype, files, timings in ms, peakMemoryBytes")
    .option("--force", "overwrite an earlier output")
    .option("--verbose", "with an error, its stack")
    .addHelpText(
      "after",
      examples(
        "janus pack --model Janus-Pro-1B --output packed --dtype int8",
        "janus pack --model models/demo --output packed --dtype int8 --report report.json --image a.png",
        "janus embed --model packed --question 'What is this?' --image a.png --output out.safetensors",
      ),
    )
    .addHelpText("after", EXIT_STATUS)
    .action(async (flags: PackFlags) => (await import("../pack.js")).pack(flags, signal));
}
