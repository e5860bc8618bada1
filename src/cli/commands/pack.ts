import { Command } from "commander";
import { JanusError } from "../../errors.js";

/** `janus pack`: named so that it can be found; refused until packed checkpoints are built. */
export function packCommand(): Command {
  return new Command("pack")
    .summary("write a checkpoint in packed form (not built yet)")
    .description("Write a checkpoint in packed form (not built yet).")
    .allowUnknownOption()
    .argument("[anything...]", "flags are not read yet")
    .action(() => {
      throw new JanusError(
        "E_UNSUPPORTED",
        "pack: packed checkpoints are not built yet; embed and encode read the original checkpoint",
      );
    });
}
