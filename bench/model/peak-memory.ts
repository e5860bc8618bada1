import { readFileSync } from "node:fs";

/**
 * The most memory this process has had resident, in bytes. Linux's own record of the process, because the one that
 * `resourceUsage` gives is inherited from the parent that forked it.
 */
export function peakMemory(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
