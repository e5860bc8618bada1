import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JanusError } from "#dist/errors.js";
import { CONTROL_BYTES } from "#dist/threads/control.js";
import type { FromWorker, ToWorker } from "#dist/threads/protocol.js";
import { serve } from "#dist/threads/serve.js";
import { Stopped, Team } from "#dist/threads/team.js";

const test = suite("threads/serve");

interface Posted {
  readonly message: FromWorker;
  readonly transfer: readonly ArrayBuffer[];
}

interface Context {
  readonly team: Team;
  readonly name: string;
}

let begun = 0;

/** A team that notes when a program begins. */
class NotedTeam extends Team {
  override begin(): void {
    begun++;
    super.begin();
  }
}

function context(name: string): Context {
  return { team: new NotedTeam(0, 1, new Int32Array(CONTROL_BYTES / 4), () => 0), name };
}

/** A worker without a thread: what is sent to it, and what it posts. */
function worker(programs: Parameters<typeof serve<Context>>[2], start = (setup: string) => context(setup)) {
  const posted: Posted[] = [];
  let listener: ((message: ToWorker) => void) | undefined;
  serve<Context>(
    {
      post: (message, transfer) => posted.push({ message, transfer }),
      onMessage: (given) => {
        listener = given;
      },
    },
    start as never,
    programs,
  );
  const send = async (message: ToWorker): Promise<Posted | undefined> => {
    const before = posted.length;
    listener?.(message);
    await new Promise((resolve) => setImmediate(resolve));
    assert.is(posted.length, before + 1, "one answer to one message");
    return posted.at(-1);
  };
  const started = (): Promise<Posted | undefined> => send({ kind: "start", index: 1, count: 2, setup: "setup" });
  const run = (program: string): Promise<Posted | undefined> => send({ kind: "run", program, input: 4, own: 5 });
  return { started, run };
}

test("a start message makes the context that programs are given, with input and own", async () => {
  const given: unknown[] = [];
  const { started, run } = worker(
    {
      note: (context, input, own) => {
        given.push(context.name, begun, input, own);
        return undefined;
      },
    },
    ((setup: string, index: number, count: number) => context(`${setup} ${index} of ${count}`)) as never,
  );
  assert.equal((await started())?.message, { kind: "ready" });
  assert.equal((await run("note"))?.message, { kind: "done", output: undefined });
  await run("note");
  assert.equal(given, ["setup 1 of 2", 1, 4, 5, "setup 1 of 2", 2, 4, 5], "the team begins before each program");
});

test("a reply, also a promised one, is posted with the buffers that change hands", async () => {
  const { buffer } = new Uint8Array(3);
  const { started, run } = worker({
    now: () => ({ output: 1, transfer: [buffer] }),
    later: () => Promise.resolve({ output: 2 }),
  });
  await started();
  assert.equal(await run("now"), { message: { kind: "done", output: 1 }, transfer: [buffer] });
  assert.equal(await run("later"), { message: { kind: "done", output: 2 }, transfer: [] });
});

test("an error of ours leaves the worker usable, any other is fatal, a stop is neither", async () => {
  const { started, run } = worker({
    ours: () => {
      throw new JanusError("E_NUMERIC", "not finite");
    },
    bug: () => Promise.reject(new TypeError("a bug")),
    stop: () => {
      throw new Stopped();
    },
  });
  await started();
  const ours = (await run("ours"))?.message;
  assert.ok(ours?.kind === "failed" && !ours.fatal && ours.error.code === "E_NUMERIC");
  const bug = (await run("bug"))?.message;
  assert.ok(bug?.kind === "failed" && bug.fatal && bug.error.code === "E_INTERNAL");
  assert.equal((await run("stop"))?.message, { kind: "stopped" });
});

test("a start that fails says why", async () => {
  const { started } = worker({}, () => {
    throw new JanusError("E_OOM", "no memory");
  });
  const message = (await started())?.message;
  assert.ok(message?.kind === "failed" && !message.fatal && message.error.code === "E_OOM");
});

test("a program that is not there, and one before the start, are bugs", async () => {
  const { started, run } = worker({ known: () => undefined });
  const early = (await run("known"))?.message;
  assert.ok(early?.kind === "failed" && early.fatal);
  await started();
  const unknown = (await run("unknown"))?.message;
  assert.ok(unknown?.kind === "failed" && unknown.fatal);
  assert.match(unknown.error.message, "no program unknown here");
});

test.run();
