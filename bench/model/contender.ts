import { type ChildProcess, fork } from "node:child_process";
import type { Answer, Ask, RunAsk } from "./protocol.js";

export type Done = Extract<Answer, { kind: "done" }>;

/** The driver's end of a contender's process: one ask at a time, and no engine flags of ours. */
export class ContenderProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  #waiting: PromiseWithResolvers<Answer> | undefined;

  /** Starts `program` with the Node at `engine`. */
  constructor(name: string, program: URL, engine: string) {
    this.name = name;
    this.#child = fork(program, { execPath: engine, execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", (answer: Answer) => this.#waiting?.resolve(answer));
    this.#child.on("error", (error) => this.#waiting?.reject(error));
    this.#child.on("exit", (status, signal) =>
      this.#waiting?.reject(new Error(`${name}: its process ended with ${signal ?? `exit status ${status}`}`)),
    );
  }

  load(options: unknown): Promise<Done> {
    return this.#ask({ kind: "load", options });
  }

  run(ask: Omit<RunAsk, "kind">): Promise<Done> {
    return this.#ask({ kind: "run", ...ask });
  }

  /** Resolves when the process is gone and its memory free. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.disconnect();
    await gone;
  }

  async #ask(ask: Ask<unknown>): Promise<Done> {
    this.#waiting = withResolvers();
    this.#child.send(ask);
    const answer = await this.#waiting.promise;
    if (answer.kind === "failed") throw new Error(`${this.name}: ${answer.why}`);
    return answer;
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: Error) => void;
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((accept, refuse) => {
    resolve = accept;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
