import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import type { LoadOptions } from "../entry/options.js";
import { JanusError } from "../errors.js";

/** Flags that every command which computes takes. */
export interface ModelFlags {
  readonly model: string;
  readonly dtype: "auto" | "fp32" | "int8";
  readonly threads: "auto" | number;
  readonly variant?: "simd" | "relaxed";
  readonly engineFlags: "auto" | "none";
  readonly json?: boolean;
  readonly force?: boolean;
  readonly verbose?: boolean;
}

/** Adds --model and the flags of the runtime. */
export function addModelOptions(command: Command): Command {
  return command
    .requiredOption("-m, --model <model>", "checkpoint directory")
    .addOption(new Option("--dtype <dtype>", "how weights are kept").choices(["auto", "fp32", "int8"]).default("auto"))
    .option("-t, --threads <n>", "worker threads, 1 to 64, or auto", parseThreads, "auto")
    .addOption(new Option("--variant <variant>", "binary to run instead of the fastest").choices(["simd", "relaxed"]))
    .addOption(engineFlagsOption())
    .option("--json", "print one JSON object on stdout")
    .option("--force", "overwrite an existing output")
    .option("--verbose", "a stack trace with errors");
}

/** `--engine-flags`: here the process is ours, so what its engine gains by is taken unless told otherwise. */
export function engineFlagsOption(): Option {
  const description = "flags of the JavaScript engine that make a large model faster: try them, or leave them alone";
  return new Option("--engine-flags <flags>", description).choices(["auto", "none"]).default("auto");
}

/** Load options of these flags. */
export function loadOptions(flags: ModelFlags, signal: AbortSignal): LoadOptions {
  const { dtype, threads, engineFlags } = flags;
  return { dtype, threads, engineFlags, signal, ...(flags.variant && { variant: flags.variant }) };
}

function parseThreads(text: string): "auto" | number {
  if (text === "auto") return "auto";
  const threads = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (threads < 1 || threads > 64) throw new InvalidArgumentError("expected auto or a whole number from 1 to 64.");
  return threads;
}

/** E_USAGE with the way out. */
export function usage(message: string): JanusError {
  return new JanusError("E_USAGE", message, { origin: "usage" });
}
