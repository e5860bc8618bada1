import type { WeightSource } from "#dist/weights/source.js";

/** A source whose reads are counted, and may be made to do something else. */
export interface FaultySource extends WeightSource {
  /** Bytes that were read. */
  readonly bytes: () => number;
  /** Called before each read from now on, with its number, from 0; what it throws or waits for, the read does. */
  before(fault: (read: number, signal: AbortSignal | undefined) => Promise<void> | void): void;
}

export function faultySource(source: WeightSource): FaultySource {
  let bytes = 0;
  let reads = 0;
  let fault: (read: number, signal: AbortSignal | undefined) => Promise<void> | void = () => {};
  const faulty = async (length: number, signal: AbortSignal | undefined): Promise<void> => {
    bytes += length;
    await fault(reads++, signal);
  };
  return {
    label: source.label,
    bytes: () => bytes,
    before(next) {
      reads = 0;
      fault = next;
    },
    size: (path, signal) => source.size(path, signal),
    async read(path, offset, length, signal) {
      await faulty(length, signal);
      return source.read(path, offset, length, signal);
    },
    async readInto(path, offset, target, signal) {
      await faulty(target.length, signal);
      await source.readInto!(path, offset, target, signal);
    },
  };
}
