import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Beyond this many threads the rows of one image are too few to share. */
const AUTO_THREADS_MAX = 16;

/**
 * Threads that this process may keep busy: the processors that it may run on, and no more than its control group's quota pays for. A container
 * with two processors' time on a machine of 64 sees 64 of them; 64 workers that wait for each other at barriers would stand still most of the time.
 */
export function availableThreads(
  processors = availableParallelism(),
  read: (path: string) => string | undefined = readSmall,
): number {
  return Math.min(AUTO_THREADS_MAX, processors, Math.max(1, Math.floor(quotaProcessors(read))));
}

/** The CPU quota in processors, of cgroup v2 or v1; Infinity where there is none. */
function quotaProcessors(read: (path: string) => string | undefined): number {
  const [quota, period] =
    read("/sys/fs/cgroup/cpu.max")?.trim().split(" ") ??
    ["quota", "period"].map((name) => read(`/sys/fs/cgroup/cpu/cpu.cfs_${name}_us`));
  const processors = Number(quota) / Number(period);
  return processors > 0 ? processors : Number.POSITIVE_INFINITY; // "max", -1, absent or anything else: no quota.
}

function readSmall(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
