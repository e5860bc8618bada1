import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { ROOT } from "./paths.js";

/** The built command line. */
export const JANUS = `${ROOT}dist/cli/main.js`;

export interface CliResult {
  readonly status: number | null;
  /** The signal it died of. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface CliOptions {
  readonly cwd?: string;
  /** Another copy of the command line. */
  readonly program?: string;
  /** A line of sh that runs the command as `"$@"`: for redirections and limits. */
  readonly shell?: string;
  /** Called when it was started: to send a signal, or to close a pipe. It leads a process group of its own. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs `janus` with this engine. */
export function janus(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd = ROOT, program = JANUS, shell, onStart } = options;
  const command = [process.execPath, program, ...args];
  const [file, ...rest] = shell === undefined ? command : ["/bin/sh", "-c", shell, "sh", ...command];
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn(file as string, rest, { cwd, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    onStart?.(child);
    child.on("close", (status, signal) => {
      resolve({ status, signal, stdout, stderr, milliseconds: performance.now() - started });
    });
  });
}

/** A temporary folder that is removed when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "janus-test-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A run that is refused, with what it leaves as it was: this exit status, one line that matches, nothing on stdout, and the same `state` after as before. */
export async function refusedRun(
  status: number,
  line: RegExp,
  args: readonly string[],
  state: () => unknown,
  options?: CliOptions,
): Promise<CliResult> {
  const before = state();
  const result = await janus(args, options);
  const said = `${args.join(" ")}: ${result.stderr}`;
  assert.is(result.status, status, said);
  assert.match(result.stderr, /^janus: E_[A-Z]+: [^\n]+\n$/, said);
  assert.match(result.stderr, line);
  assert.is(result.stdout, "", said);
  assert.equal(state(), before, said);
  return result;
}
