import type { ChildProcess } from "node:child_process";
import { start } from "../child.js";
import type { Answer, Ask, RunAsk } from "./protocol.js";

export type Done = Extract<Answer, { kind: "done" }>;

/** The driver's end of a contender's process: one ask at a time, and no engine flags of ours. */
export class ContenderProcess {
  readonly name: string;
  readonly #child: ChildProcess;

  /** Starts `program` with the Node at `binary`. */
  constructor(name: string, program: URL, binary: string) {
    this.name = name;
    this.#child = start(program, binary);
  }

  load(options: unknown): Promise<Done> {
    return this.#ask({ kind: "load", options });
  }

  run(ask: Omit<RunAsk, "kind">): Promise<Done> {
    return this.#ask({ kind: "run", ...ask });
  }

  /** Resolves when the process is gone and its memory free. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (child.connected) child.disconnect();
    await gone;
  }

  #ask(ask: Ask<unknown>): Promise<Done> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`${this.name}: ${why}`));
      const onExit = (status: number | null, signal: NodeJS.Signals | null): void =>
        fail(`its process ended with ${signal ?? `exit status ${status}`}`);
      child.once("exit", onExit);
      child.once("message", (answer: Answer) => {
        child.off("exit", onExit);
        if (answer.kind === "failed") fail(answer.why);
        else resolve(answer);
      });
      child.send(ask, (error) => error && fail(error.message));
    });
  }
}
