import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { ROOT } from "./paths.js";

const INSTALLED = `${ROOT}.ci/python/venv/bin/python`;

/** A Python with .ci/python/requirements.in: the one that JANUS_PYTHON names, or that .ci/python/install brought; undefined without. */
export const PYTHON: string | undefined =
  process.env["JANUS_PYTHON"] || (existsSync(INSTALLED) ? INSTALLED : undefined);

/** No hub, and on stderr nothing but what went wrong. */
const QUIET = {
  HF_HUB_OFFLINE: "1",
  HF_HUB_DISABLE_PROGRESS_BARS: "1",
  TRANSFORMERS_VERBOSITY: "error",
  PYTHONUTF8: "1",
};

type Register = (name: string, body: () => Promise<void>) => void;

/** `pythonTest(test)("torch reads it", ...)`: the suite's own `test`, or its `test.skip` where there is no Python. */
export function pythonTest(test: Register & { readonly skip: Register }): Register {
  return PYTHON === undefined ? test.skip : test;
}

/** Runs a program text with `args` as sys.argv[1:], and returns what it prints. Nothing it does reaches a hub. Throws with its stderr when it fails. */
export function runPython(program: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(PYTHON ?? "", ["-", ...args], {
      env: { ...process.env, ...QUIET, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve(stdout);
      else reject(new Error(`Python ended with ${status}: ${stderr}`));
    });
    child.stdin.on("error", () => {}).end(program);
  });
}
