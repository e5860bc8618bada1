/** The caller's end of a worker that answers messages, as a host gives it. */
export interface MessageWorker {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called when the worker ends by itself, also where it did before anyone listened. */
  onEnd(listener: (error: unknown) => void): void;
  /** Ends the worker, whatever it is doing; may be asked again. */
  terminate(): Promise<void>;
  /** From now on the process waits for this worker; where no process ends by itself there is nothing to do. */
  hold?(): void;
  release?(): void;
}

/** The worker's end. */
export interface MessageEnd {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** There is one listener: another takes its place. */
  onMessage(listener: (message: unknown) => void): void;
}
