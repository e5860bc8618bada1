import { CommanderError } from "commander";
import { Interrupted } from "../entry/node/terminal.js";
import { JanusError } from "../errors.js";

/** Exit status of the command line for what a command threw. */
export function exitStatus(error: unknown): number {
  if (error instanceof Interrupted) return 130;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (!(error instanceof JanusError)) return 1;
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

/** The one line that ends the search, with the stack only when asked for. */
export function errorText(error: unknown, verbose: boolean): string {
  const label = error instanceof JanusError ? `${error.code}: ` : "";
  const message = error instanceof Error ? error.message : String(error);
  const line = `janus: ${label}${message.replaceAll(/\s*[\r\n]+\s*/g, " ")}`;
  return verbose && error instanceof Error && error.stack ? `${line}\n${error.stack}` : line;
}
