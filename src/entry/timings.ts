/** Milliseconds by stage. */
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
