/**
 * Waits until `count` workers have arrived, and returns the stop word.
 *
 *   control  i32 [3] in shared memory: arrived, generation, stop
 *
 *   worker                                      host, to stop a program
 *   g = generation                              stop = reason (not 0)
 *   stop? return                                generation += 1
 *   arrived += 1; the last one:                 notify all waiting on generation
 *     arrived = 0; generation += 1; notify
 *   others: until generation !== g, wait on it
 *   return stop
 *
 * The last to arrive clears `arrived` before it opens the next generation, so a quick worker cannot be counted twice. A worker that reads
 * a generation from before the host's addition sees it change, or finds its wait refused; one that reads a later generation also sees the stop word, which
 * was stored earlier: so nobody hangs. After a stop the host sets `arrived` and `stop` back to 0 when all workers have left the program.
 *
 * Waiting spins first: the parts of an op end within microseconds of each other, sooner than the system wakes a thread. In builds without
 * threads there is nobody to wait for: the stop word is returned at once, 0 when `control` is 0.
 */
const GENERATION: usize = 4;
const STOP: usize = 8;

/** Loads of the generation before the worker sleeps: some microseconds. */
const SPINS: i32 = 2000;

export function barrier(control: usize, count: i32): i32 {
  if (ASC_FEATURE_THREADS) return arrive(control, count);
  return control === 0 ? 0 : load<i32>(control, STOP);
}

function arrive(control: usize, count: i32): i32 {
  const generation = atomic.load<i32>(control, GENERATION);
  const stop = atomic.load<i32>(control, STOP);
  if (stop !== 0) return stop;
  if (atomic.add<i32>(control, 1) + 1 === count) {
    atomic.store<i32>(control, 0);
    atomic.add<i32>(control, 1, GENERATION);
    atomic.notify(control + GENERATION);
    return atomic.load<i32>(control, STOP);
  }
  for (let spin = 0; spin < SPINS; spin++) {
    if (atomic.load<i32>(control, GENERATION) !== generation) return atomic.load<i32>(control, STOP);
  }
  while (atomic.load<i32>(control, GENERATION) === generation) {
    atomic.wait<i32>(control + GENERATION, generation, -1);
  }
  return atomic.load<i32>(control, STOP);
}
