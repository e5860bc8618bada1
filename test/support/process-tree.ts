/** This process and all below it, as Linux counts them: what a browser takes of the machine, whose processes are many. */
import { readdirSync, readFileSync } from "node:fs";

export interface CountedProcess {
  readonly pid: number;
  readonly command: string;
  /** In clock ticks of a hundredth of a second, with those of children that ended. */
  readonly ticks: number;
  readonly residentBytes: number;
}

const PAGE_BYTES = 4096;

export function processTree(): CountedProcess[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => read(Number(name)) ?? []);
  const ours = new Set([process.pid]);
  for (let size = 0; size !== ours.size; ) {
    size = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  return all.filter(({ pid }) => ours.has(pid));
}

/** Undefined for one that has just ended. */
function read(pid: number): (CountedProcess & { readonly parent: number }) | undefined {
  try {
    // The program's name, in brackets, may hold blanks and brackets. What follows it: state, parent, and from the 12th on utime, stime, cutime, cstime; the 22nd is rss.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      pid,
      parent: Number(fields[1]),
      command: readFileSync(`/proc/${pid}/cmdline`, "latin1"),
      ticks: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0),
      residentBytes: Number(fields[21]) * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}

/** How the time of all processors was spent since the machine began: on this process and those below it, on others (and other machines on the same hardware), or not at all. */
export function machineTicks(): { ours: number; others: number; all: number } {
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0] = readFileSync(
    "/proc/stat",
    "latin1",
  )
    .split("\n", 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const ours = processTree().reduce((sum, { ticks }) => sum + ticks, 0);
  const busy = user + nice + system + irq + softirq + steal;
  return { ours, others: busy - ours, all: busy + idle + wait };
}
