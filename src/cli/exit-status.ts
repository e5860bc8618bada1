import { CommanderError } from "commander";
import { Interrupted, ReaderGone } from "../entry/node/terminal.js";
import { JanusError } from "../errors.js";

/** Exit status of the command line for what a command threw. */
export function exitStatus(error: unknown): number {
  if (error instanceof Interrupted) return 130;
  if (error instanceof ReaderGone) return 0;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (!(error instanceof JanusError)) return isAllocationFailure(error) ? 5 : 1;
  if (error.origin === "usage") return 2;
  switch (error.code) {
    case "E_USAGE":
      return 2;
    case "E_IMAGE":
    case "E_PROMPT":
      return 3;
    case "E_SHAPE":
      return error.origin === "model" ? 4 : 3;
    case "E_IO":
      return error.origin === "input" ? 3 : 4;
    case "E_FORMAT":
    case "E_CONFIG":
    case "E_INTEGRITY":
    case "E_UNSUPPORTED":
    case "E_NUMERIC":
      return 4;
    case "E_OOM":
      return 5;
    case "E_NETWORK":
      return 6;
    default:
      return 1;
  }
}

/** Longer than any sentence of ours with a path of 4096 bytes in it. */
const LINE_MAX = 6000;

export interface ErrorTextOptions {
  /** The command whose help says more about a usage error. */
  readonly command?: string | undefined;
  /** Adds the stack, and what caused it. */
  readonly verbose?: boolean;
}

/** The one line that ends the search, with the stack only when asked for. */
export function errorText(error: unknown, { command, verbose = false }: ErrorTextOptions = {}): string {
  const line = oneLine(`janus: ${sentence(error, command)}`);
  return verbose ? [line, ...stack(error)].join("\n") : line;
}

function sentence(error: unknown, command: string | undefined): string {
  if (error instanceof Interrupted) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CommanderError) {
    const help = command === undefined ? "janus --help" : `janus ${command} --help`;
    return `E_USAGE: ${message.replace(/^error: /, "").replace(/\.$/, "")}; see ${help}`;
  }
  if (isAllocationFailure(error)) return `E_OOM: ${message}; give fewer or shorter requests, or free memory`;
  return `${error instanceof JanusError ? error.code : "E_INTERNAL"}: ${message}`;
}

/** What V8 throws for an array that the host has no memory for, or that is beyond the length it allows. */
function isAllocationFailure(error: unknown): boolean {
  return (
    error instanceof RangeError && /allocation failed|invalid (typed array|array buffer) length/i.test(error.message)
  );
}

/** Nothing in a message, whatever file or flag it came from, begins a line or steers a terminal. */
function oneLine(text: string): string {
  const line = text.replaceAll(/\s*[\p{Cc}\p{Zl}\p{Zp}]+\s*/gu, " ").trim();
  return line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}…` : line;
}

/** Where an error came from, and what it was made of. */
function stack(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  if (error.cause === undefined) return frames;
  return [...frames, oneLine(`caused by ${String(error.cause)}`), ...stack(error.cause)];
}
