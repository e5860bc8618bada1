/**
 * Milliseconds by stage: the sum of what each took. A picture is made ready while the one before is encoded, so with several of them the
 * stages overlap, and `total`, by the clock, may be less than their sum.
 */
export interface Timings {
  decode: number;
  preprocess: number;
  text: number;
  encode: number;
  project: number;
  fuse: number;
  total: number;
}

export function newTimings(): Timings {
  return { decode: 0, preprocess: 0, text: 0, encode: 0, project: 0, fuse: 0, total: 0 };
}

/** Adds what `work` takes to one stage, also when it fails. */
export async function timed<T>(timings: Timings, stage: keyof Timings, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    timings[stage] += performance.now() - started;
  }
}

/** Adds what another call took, stage by stage. */
export function addTimings(timings: Timings, more: Timings): void {
  for (const stage of Object.keys(timings) as (keyof Timings)[]) timings[stage] += more[stage];
}
