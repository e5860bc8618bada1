/** Where the command line meets its terminal: results on stdout, progress on stderr, one exit status. */
import process from "node:process";

/** Progress is redrawn at most this often: enough to look alive, too little to cost anything. */
const REDRAW_MS = 100;
const BAR_WIDTH = 30;

/** One line of a result. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The status the process will exit with when it has nothing left to do. */
export function setExitStatus(status: number): void {
  process.exitCode = status;
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
      process.stderr.write(`\r\x1b[2K${label} ${bar} ${Math.floor(share * 100)} %`);
    },
    end: () => process.stderr.write("\r\x1b[2K"),
  };
}
