import type { Host } from "#dist/entry/host.js";
import { type WatchedHost, watchedHost } from "./watched-host.js";

/** A watched host whose compute leader's answers to one program are held back until the test lets them go. */
export interface PacedHost extends WatchedHost {
  /** Lets one answer go, now or when it comes. */
  readonly letGo: () => void;
  /** Answers that were let go. */
  readonly gone: () => number;
}

/** What the host's clock would leave to chance (what goes on while `program` runs) is then certain. It says it grants `threads`. */
export function pacedHost(program: string, threads: number): PacedHost {
  const inner = watchedHost();
  const waiting: (() => void)[] = [];
  let free = 0;
  let gone = 0;
  let computes = false;

  function startWorker(): ReturnType<Host["startWorker"]> {
    const worker = inner.startWorker();
    const leads = !computes;
    computes = true;
    let running: string | undefined;
    return {
      ...worker,
      post(message, transfer) {
        running = message.kind === "run" ? message.program : undefined;
        worker.post(message, transfer);
      },
      onMessage(listener) {
        worker.onMessage((message) => {
          if (!leads || running !== program) return listener(message);
          const answer = (): void => {
            gone++;
            listener(message);
          };
          if (free > 0) {
            free--;
            answer();
          } else {
            waiting.push(answer);
          }
        });
      },
    };
  }

  const letGo = (): void => {
    const answer = waiting.shift();
    if (answer) answer();
    else free++;
  };
  return { ...inner, startWorker, availableThreads: () => threads, letGo, gone: () => gone };
}
