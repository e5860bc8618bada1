/** Where the command line meets its process: arguments, results on stdout, everything else on stderr, one exit status, Ctrl-C. */
import process from "node:process";
import { JanusError } from "../../errors.js";

/** Progress is redrawn at most this often: enough to look alive, too little to cost anything. */
const REDRAW_MS = 100;
const BAR_WIDTH = 30;
const CLEAR_LINE = "\r\x1b[2K";

/** A bar that is on the screen; the next line takes its place. */
let barIsDrawn = false;

/** What follows the program's name. */
export function commandLine(): readonly string[] {
  return process.argv.slice(2);
}

/** One line of a result. */
export function print(line: string): void {
  eraseBar();
  process.stdout.write(`${line}\n`);
}

/** One line that is not a result. */
export function printNote(line: string): void {
  eraseBar();
  process.stderr.write(`${line}\n`);
}

/** The status the process will exit with when it has nothing left to do. */
export function setExitStatus(status: number): void {
  process.exitCode = status;
}

/** Ends the process now. */
export function exit(status: number): never {
  process.exit(status);
}

export interface ProgressBar {
  update(done: number, total: number): void;
  /** Takes the bar off the screen. */
  end(): void;
}

/** A progress bar on stderr when that is a terminal; otherwise nothing at all. */
export function progressBar(label: string): ProgressBar {
  if (!process.stderr.isTTY) return { update: () => {}, end: () => {} };
  let drawn = Number.NEGATIVE_INFINITY;
  return {
    update(done, total) {
      if (performance.now() - drawn < REDRAW_MS) return;
      drawn = performance.now();
      const share = total > 0 ? Math.min(1, done / total) : 1;
      const filled = Math.round(share * BAR_WIDTH);
      const bar = "#".repeat(filled).padEnd(BAR_WIDTH, ".");
      process.stderr.write(`${CLEAR_LINE}${label} ${bar} ${Math.floor(share * 100)} %`);
      barIsDrawn = true;
    },
    end: eraseBar,
  };
}

function eraseBar(): void {
  if (barIsDrawn) process.stderr.write(CLEAR_LINE);
  barIsDrawn = false;
}

/** Largest resident set of this process so far, in bytes (the picture decoder is a process of its own and not in it). */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** The reason of an abort by a signal of the terminal. */
export class Interrupted extends Error {}

/** The reader of a result on stdout has gone (`| head`): nothing is left to do, and nothing went wrong. */
export class ReaderGone extends Error {}

/** Aborts on the first Ctrl-C or SIGTERM; the second ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Interrupted(`interrupted by ${name}`));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return controller.signal;
}

/**
 * A reader that has gone (`| head`) ends the printing, not the work: the output file is still written and the exit status still says how
 * it went. A stdout that fails otherwise (a full disk) is an error; a stderr that fails has nobody left to tell.
 */
export function outliveClosedPipes(): void {
  process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
    if (cause.code === "EPIPE") return;
    throw new JanusError("E_IO", `printing the result: ${cause.message}; send stdout elsewhere`, {
      cause,
      origin: "output",
    });
  });
  process.stderr.on("error", () => {});
}

/** Takes over what nobody caught: thrown by an event, or a rejection that nobody awaits. */
export function onUncaught(listener: (error: unknown) => void): void {
  process.on("uncaughtException", listener);
}
