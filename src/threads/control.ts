/**
 * Words of the control block, i32: what the barrier kernel counts with, the word by which a caller stops a running program, and the tasks
 * claimed since the program began, on a cache line of their own (who waits at the barrier reads the first one all the time).
 * In threaded variants it is the beginning of shared memory; a single worker without shared memory gets one of its own.
 */
export const WORD = { arrived: 0, generation: 1, stop: 2, claimed: 16 } as const;

/** Bytes of the control block: two cache lines. */
export const CONTROL_BYTES = 128;

/** Values of the stop word. */
export const STOP = { run: 0, cancelled: 1, failed: 2 } as const;

/** Tells every worker to leave its program: those that compute see the word at their next poll, those that wait are woken. */
export function stopProgram(control: Int32Array, why: number): void {
  Atomics.store(control, WORD.stop, why);
  Atomics.add(control, WORD.generation, 1);
  Atomics.notify(control, WORD.generation);
}

/** Makes the block ready for the next program. Only when no worker is inside one. */
export function resetControl(control: Int32Array): void {
  Atomics.store(control, WORD.arrived, 0);
  Atomics.store(control, WORD.claimed, 0);
  Atomics.store(control, WORD.stop, STOP.run);
}
