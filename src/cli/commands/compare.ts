import { Command, InvalidArgumentError } from "commander";
import { print, setExitStatus } from "../../entry/node/terminal.js";
import { FLOAT32_BOUNDS } from "../difference.js";
import { collect } from "./collect.js";
import { EXIT_STATUS, examples } from "./help.js";

interface CompareFlags {
  readonly maxRel: number;
  readonly maxAbs: number;
  readonly minCosine: number;
  readonly only?: readonly string[];
}

/** `janus compare A B`: exit status 1 when a tensor of B is missing in A or differs. */
export function compareCommand(signal?: AbortSignal): Command {
  return new Command("compare")
    .summary("compare the tensors of two files")
    .description("Compare the tensors of two safetensors files: exit status 1 when they differ.")
    .argument("<A.safetensors>", "what was computed")
    .argument("<B.safetensors>", "what was expected: every tensor in it must be in A")
    .option("--max-rel <x>", "largest RMS-relative difference", atLeastZero, FLOAT32_BOUNDS.maxRelative)
    .option("--max-abs <x>", "largest difference of an element, times RMS(B)", atLeastZero, FLOAT32_BOUNDS.maxAbs)
    .option("--min-cosine <x>", "smallest cosine of a row", cosine, FLOAT32_BOUNDS.minCosine)
    .option("--only <name>", "compare only this tensor; may be given several times", collect)
    .option("--verbose", "with an error, its stack")
    .addHelpText("after", examples("janus compare out.safetensors expected.safetensors --only inputs_embeds"))
    .addHelpText("after", EXIT_STATUS)
    .action(async (actual: string, expected: string, flags: CompareFlags) => {
      const { maxRel: maxRelative, maxAbs, minCosine, only } = flags;
      const { compareFiles } = await import("../compare.js");
      const bounds = { maxRelative, maxAbs, minCosine };
      if (!(await compareFiles(actual, expected, { bounds, only, signal, print }))) setExitStatus(1);
    });
}

function atLeastZero(text: string): number {
  return checkedNumber(text, (value) => value >= 0, "a number of at least 0");
}

function cosine(text: string): number {
  return checkedNumber(text, (value) => value >= -1 && value <= 1, "a number from -1 to 1");
}

function checkedNumber(text: string, holds: (value: number) => boolean, expected: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (holds(value)) return value;
  throw new InvalidArgumentError(`expected ${expected}`);
}
