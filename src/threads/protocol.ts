import type { ErrorCode, ErrorOrigin } from "../errors.js";
import { JanusError } from "../errors.js";

/** Caller to worker. `own` is for the worker it is sent to (its buffers are transferred), `input` is the same for all. */
export type ToWorker =
  | { readonly kind: "start"; readonly index: number; readonly count: number; readonly setup: unknown }
  | { readonly kind: "run"; readonly program: string; readonly input: unknown; readonly own: unknown };

/** Worker to caller. */
export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly output: unknown }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly error: WireError; readonly fatal: boolean };

/** An error as it crosses a thread. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly origin?: ErrorOrigin | undefined;
  readonly stack?: string | undefined;
}

/** What a worker caught, made sendable. A trap or any other surprise is E_INTERNAL: the instance is not to be trusted again. */
export function toWire(error: unknown): WireError {
  if (error instanceof JanusError)
    return { code: error.code, message: error.message, origin: error.origin, stack: error.stack };
  const reason = error instanceof Error ? error.message : String(error);
  const message = `a worker failed: ${reason.replace(/\.$/, "")}; load the model again`;
  return { code: "E_INTERNAL", message, stack: error instanceof Error ? error.stack : undefined };
}

export function fromWire(wire: WireError): JanusError {
  const error = new JanusError(wire.code, wire.message, wire.origin ? { origin: wire.origin } : {});
  if (wire.stack) error.stack = wire.stack;
  return error;
}

/** The caller's end of one worker, as a host gives it. */
export interface WorkerHandle {
  post(message: ToWorker, transfer: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** Called when the worker ends by itself, with the reason in words. */
  onEnd(listener: (reason: string) => void): void;
  /** Ends the worker, whatever it is doing; may be asked again. */
  terminate(): Promise<void>;
}

/** The worker's end. */
export interface WorkerPort {
  post(message: FromWorker, transfer: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: ToWorker) => void): void;
}
