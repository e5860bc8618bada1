/** Ctrl-C at every stage of a full-size run: status 130 at once, and nothing left behind. And a model that changes while it is read. */
import { type ChildProcess, spawnSync } from "node:child_process";
import { cpSync, readdirSync, readlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CliResult, janus, temporaryFolder } from "../support/cli.js";
import { ROOT } from "../support/paths.js";

const test = suite("interrupt");

/**
 * From the signal to the end of the process, in milliseconds; or what four empty runs of this engine take on a machine that is busy with
 * something else. The fastest attempt counts.
 */
const AT_ONCE = 200;
const EMPTY_RUNS = 4;
const ATTEMPTS = 4;
/** A run that nobody stops would take far longer: every picture is a second or more of computing. */
const PICTURES = 40;

const folder = temporaryFolder();
const model = join(folder, "model");
const weights = join(model, "model.safetensors");
const picture = join(folder, "picture.png");
cpSync(`${ROOT}models/demo/examples/00.png`, picture);

const encode = (threads: number): string[] => {
  const images = Array.from({ length: PICTURES }, () => ["--image", picture]).flat();
  const output = join(folder, "output.safetensors");
  return ["encode", "--model", model, ...images, "--output", output, "--threads", String(threads), "--json"];
};

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What a stage is known by from outside, as a process is when it has come to it. */
const STAGES: Readonly<Record<string, (pid: number) => Promise<void>>> = {
  "before anything": async () => {},
  loading: async (pid) => {
    while (!openFiles(pid).includes(weights)) await sleep(2);
    await sleep(300);
  },
  // The decoder is the second process of the group, and stays for the next picture.
  decoding: async (pid) => {
    while (members(pid).length < 2) await sleep(2);
  },
  encoding: async (pid) => {
    while (members(pid).length < 2) await sleep(2);
    await sleep(2000);
  },
};

/** Milliseconds of a run that does nothing. */
function emptyRun(): number {
  const started = performance.now();
  spawnSync(process.execPath, ["-e", "0"]);
  return performance.now() - started;
}

function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(join(folder, name))];
    } catch {
      return []; // Closed meanwhile.
    }
  });
}

/** Living processes of a group. */
function members(group: number): string[] {
  const { stdout } = spawnSync("ps", ["-e", "-o", "pgid=,stat=,pid=,args="], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => new RegExp(`^\\s*${group}\\s+[^Z]`).test(line));
}

/** Runs a command and, at a stage, sends signals to all of its processes, as a terminal does. None may outlive it. */
async function interrupted(args: string[], stage: string, ...signals: NodeJS.Signals[]) {
  let sent = Promise.resolve(Number.NaN);
  let group = 0;
  const send = async ({ pid = 0 }: ChildProcess): Promise<number> => {
    group = pid;
    await STAGES[stage]?.(pid);
    const now = performance.now();
    for (const signal of signals) process.kill(-pid, signal);
    return now;
  };
  const result = await janus(args, {
    onStart: (child) => {
      sent = send(child);
    },
  });
  const took = performance.now() - (await sent);
  for (let tries = 0; tries < 20 && members(group).length > 0; tries++) await sleep(50);
  assert.equal(members(group), []);
  return { ...result, took };
}

function leavesNothing(): void {
  assert.equal(readdirSync(folder).sort(), ["model", "picture.png"]);
}

function isClean(result: CliResult): void {
  assert.is(result.status, 130, result.stderr);
  assert.is(result.stdout, "");
  assert.match(result.stderr, /^janus: interrupted by SIG(INT|TERM)\n$/);
  leavesNothing();
}

test.before(async () => {
  const made = await janus(["synthesize", "--output", model]);
  assert.is(made.status, 0, made.stderr);
});

for (const threads of [1, 2]) {
  for (const stage of ["loading", "decoding", "encoding"]) {
    test(`L10: ${stage}, ${threads === 1 ? "1 thread" : `${threads} threads`}`, async () => {
      const tries: string[] = [];
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const result = await interrupted(encode(threads), stage, "SIGINT");
        isClean(result);
        const bound = Math.max(AT_ONCE, EMPTY_RUNS * emptyRun());
        if (result.took <= bound) return;
        tries.push(`${Math.round(result.took)} of ${Math.round(bound)}`);
      }
      assert.unreachable(`ms from the signal to the end: ${tries.join(", ")}`);
    });
  }
}

test("L10: before the program has begun, the signal ends it as it ends anything", async () => {
  const result = await interrupted(encode(1), "before anything", "SIGINT");
  assert.ok(result.signal === "SIGINT" || result.status === 130);
  leavesNothing();
});

test("L10: twice", async () => {
  const result = await interrupted(encode(2), "encoding", "SIGINT", "SIGINT");
  assert.is(result.status, 130, result.stderr);
  leavesNothing();
});

test("L11: SIGTERM", async () => {
  isClean(await interrupted(encode(2), "encoding", "SIGTERM"));
});

test("exit 4: a checkpoint that is written to while it is read is E_INTEGRITY", async () => {
  let touched = Promise.resolve();
  const touch = async ({ pid = 0 }: ChildProcess): Promise<void> => {
    await STAGES["loading"]?.(pid);
    utimesSync(weights, new Date(), new Date());
  };
  const result = await janus(encode(1), {
    onStart: (child) => {
      touched = touch(child);
    },
  });
  await touched;
  assert.is(result.status, 4, result.stderr);
  assert.match(result.stderr, /^janus: E_INTEGRITY: [^\n]*model\.safetensors[^\n]*\n$/);
  leavesNothing();
});

test.run();
