import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import type { LoadOptions } from "../../entry/options.js";
import { byteSize } from "./byte-size.js";

/** Flags that every command which computes takes. */
export interface ModelFlags {
  readonly model: string;
  readonly dtype: "auto" | "fp32" | "int8";
  readonly threads: "auto" | number;
  readonly variant?: "simd" | "relaxed";
  readonly engineFlags: "auto" | "none";
  readonly verify?: boolean;
  readonly residency?: "resident" | "stream";
  readonly memoryBudget?: number;
  readonly json?: boolean;
  readonly force?: boolean;
  readonly verbose?: boolean;
}

const MAX_THREADS = 64;

/** Adds --model. */
export function addModel(command: Command): Command {
  return command.requiredOption(
    "-m, --model <model>",
    "checkpoint, as its authors published it or packed: a directory, the http(s) URL that its files lie below, or a hub id (owner/name, owner/name@revision)",
  );
}

/** Adds how to run, and how to report. */
export function addRuntime(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--dtype <dtype>",
        "precision of the weights in memory: the checkpoint's own, widened, or those of the blocks in 8 bits",
      )
        .choices(["auto", "fp32", "int8"])
        .default("auto"),
    )
    .addOption(threadsOption())
    .addOption(
      new Option("--variant <variant>", "binary to run instead of the fastest; refused where it cannot run").choices([
        "simd",
        "relaxed",
      ]),
    )
    .addOption(engineFlagsOption())
    .addOption(
      new Option(
        "--residency <residency>",
        "keep all weights in memory, or read those that do not fit the budget for every image, each while the one before is computed",
      )
        .choices(["resident", "stream"])
        .default("resident"),
    )
    .option(
      "--memory-budget <bytes>",
      "what WebAssembly memory and weights under way may take: 128000000, or 128MB, 128MiB; refused where it is too small",
      byteSize,
    )
    .option("--verify", "compare a packed checkpoint with its checksums first: every byte is read")
    .option("--json", "print one JSON object on stdout: dims, runtime, timings in ms, peakMemoryBytes")
    .option("--force", "overwrite an existing output")
    .option("--verbose", "with an error, its stack");
}

export function threadsOption(): Option {
  return new Option("-t, --threads <n>", "worker threads: 1 to 64, or auto").argParser(threads).default("auto");
}

/** `--engine-flags`: this process is ours, so what its engine gains by is taken unless told otherwise. */
export function engineFlagsOption(): Option {
  const description = "flags of the JavaScript engine that make large models faster: try them, or leave them alone";
  return new Option("--engine-flags <flags>", description).choices(["auto", "none"]).default("auto");
}

/** Load options of these flags. */
export function loadOptions(flags: ModelFlags, signal: AbortSignal): LoadOptions {
  const { dtype, threads, engineFlags, verify = false, variant, residency = "resident", memoryBudget } = flags;
  return {
    dtype,
    threads,
    engineFlags,
    verify,
    residency,
    signal,
    ...(variant && { variant }),
    ...(memoryBudget !== undefined && { memoryBudget }),
  };
}

function threads(text: string): "auto" | number {
  if (text === "auto") return "auto";
  const count = /^[1-9]\d?$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_THREADS) {
    throw new InvalidArgumentError(`expected auto or a whole number from 1 to ${MAX_THREADS}`);
  }
  return count;
}
