import { Command } from "commander";
import { EXIT_STATUS } from "./help.js";
import { engineFlagsOption } from "./model-options.js";

export interface DoctorFlags {
  readonly engineFlags: "auto" | "none";
  readonly json?: boolean;
}

/** `janus doctor`: the engine, which variants it runs, what their instructions do, and what would be taken. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .summary("what this engine runs, and why")
    .description("Say what this engine runs: variants, features, threads and tiles, and why.")
    .addOption(engineFlagsOption())
    .option("--json", "print one JSON object on stdout: engine, variants, features, threads, tiles, notes")
    .option("--verbose", "with an error, its stack")
    .addHelpText("after", EXIT_STATUS)
    .action(async (flags: DoctorFlags) => (await import("../doctor.js")).doctor(flags));
}
