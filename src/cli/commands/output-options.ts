import { type Command, Option } from "commander";

/** Flags that say where a result goes, and as what. */
export interface OutputFlags {
  readonly output: string;
  readonly outputFormat?: "safetensors" | "npy" | "pt";
  readonly outputDtype: "fp32" | "bf16";
  readonly stages?: boolean;
}

/** Adds --output and what goes with it. @param rows what a .npy or .pt file holds. */
export function addOutput(command: Command, rows: string): Command {
  return command
    .requiredOption(
      "-o, --output <file>",
      `file to write, by its extension: .safetensors (or none) with everything; .npy or .pt with ${rows} alone, a file each (name.0.pt); - is stdout`,
    )
    .addOption(
      new Option("--output-format <format>", "with --output -, what is written there (default: safetensors)").choices([
        "safetensors",
        "npy",
        "pt",
      ]),
    )
    .addOption(
      new Option("--output-dtype <dtype>", "what the float tensors of the output are stored as; .npy has no bf16")
        .choices(["fp32", "bf16"])
        .default("fp32"),
    );
}
