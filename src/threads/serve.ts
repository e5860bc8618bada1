import { JanusError } from "../errors.js";
import type { WorkerPort } from "./protocol.js";
import { toWire } from "./protocol.js";
import type { Team } from "./team.js";
import { Stopped } from "./team.js";

/** What a program hands back: its output, and the buffers in it that change hands. */
export interface Reply {
  readonly output: unknown;
  readonly transfer?: readonly ArrayBuffer[];
}

/** The same function on every worker; `own` is defined on the leader alone, if the caller gave it something. */
export type Program<Context> = (
  context: Context,
  input: never,
  own: never,
) => Reply | undefined | Promise<Reply | undefined>;

/**
 * The worker's loop: builds its context from the start message, then runs programs by name, one at a time.
 *
 * A program that throws a JanusError leaves the worker usable; anything else (a trap, a bug) is reported as fatal.
 */
export function serve<Context extends { readonly team: Team }>(
  port: WorkerPort,
  start: (setup: never, index: number, count: number) => Context,
  programs: Readonly<Record<string, Program<Context>>>,
): void {
  let context: Context | undefined;
  port.onMessage(async (message) => {
    try {
      if (message.kind === "start") {
        context = start(message.setup as never, message.index, message.count);
        port.post({ kind: "ready" }, []);
        return;
      }
      const program = programs[message.program];
      if (!program || context === undefined) throw new Error(`no program ${message.program} here`);
      context.team.begin();
      const reply = await program(context, message.input as never, message.own as never);
      port.post({ kind: "done", output: reply?.output }, reply?.transfer ?? []);
    } catch (error) {
      if (error instanceof Stopped) port.post({ kind: "stopped" }, []);
      else port.post({ kind: "failed", error: toWire(error), fatal: !(error instanceof JanusError) }, []);
    }
  });
}
