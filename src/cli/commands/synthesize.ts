import { Command, Option } from "commander";
import { withBar } from "../progress.js";
import { EXIT_STATUS, examples } from "./help.js";

interface SynthesizeFlags {
  readonly output: string;
  readonly dtype: "bf16" | "fp32";
  readonly force?: true;
}

/** `janus synthesize --output DIR`: a Janus-Pro-1B sized checkpoint of made-up weights, the same on every machine. */
export function synthesizeCommand(signal?: AbortSignal): Command {
  return new Command("synthesize")
    .summary("write a full-size checkpoint of made-up weights")
    .description("Write a full-size checkpoint of deterministic made-up weights, for tests and benchmarks.")
    .requiredOption("-o, --output <dir>", "directory to write, 1 GB (fp32: 2 GB)")
    .addOption(new Option("--preset <name>", "model to imitate").choices(["janus-pro-1b"]).default("janus-pro-1b"))
    .addOption(
      new Option("--dtype <type>", "stored type; fp32 is bf16 widened").choices(["bf16", "fp32"]).default("bf16"),
    )
    .option("--force", "overwrite an earlier output")
    .option("--verbose", "with an error, its stack")
    .addHelpText("after", examples("janus synthesize --output janus-pro-1b"))
    .addHelpText("after", EXIT_STATUS)
    .action(async ({ output, dtype, force }: SynthesizeFlags) => {
      const { synthesize } = await import("../../entry/node/synthesize.js");
      await withBar("synthesize", (onProgress) => synthesize(output, { dtype, force, signal, onProgress }));
    });
}
