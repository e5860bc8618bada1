import { Command } from "commander";
import { EXIT_STATUS, examples } from "./help.js";
import { addModel } from "./model-options.js";

export interface InspectFlags {
  readonly model: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** `janus inspect`: what a checkpoint is, which tensors are used and skipped, what memory it needs. Reads headers alone. */
export function inspectCommand(signal: AbortSignal): Command {
  return addModel(
    new Command("inspect")
      .summary("what a checkpoint is and needs")
      .description("Say what a checkpoint is, which of its tensors are used and skipped, and the memory it needs."),
  )
    .option("--json", "print one JSON object on stdout: layout, dtype, dims, tensors, bytes")
    .option("--verbose", "list the tensors in use, too; with an error, its stack")
    .addHelpText("after", examples("janus inspect --model models/demo", "janus inspect --model models/demo --json"))
    .addHelpText("after", EXIT_STATUS)
    .action(async (flags: InspectFlags) => (await import("../inspect.js")).inspect(flags, signal));
}
