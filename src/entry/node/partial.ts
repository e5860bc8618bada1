/**
 * Temporary names of outputs that are being written, and the promise that none outlives the process: they are removed when it exits or
 * is interrupted. What a killed process left behind is swept by the next write of the same output.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** A file name holds 255 bytes; 48 UTF-16 units are at most 144 of them and leave room for the rest of the temporary name. */
const NAME_LENGTH = 48;
/** No write pauses for an hour, so an older temporary file of a process that is gone is nobody's. */
const STALE_MS = 3_600_000;

const partials = new Set<string>();

/** A new name beside `path`, in the same file system, which is removed unless `forgetPartial` comes first. Nothing is created. */
export function newPartial(path: string): string {
  const partial = join(dirname(path), `${prefix(path)}${process.pid}.${randomBytes(4).toString("hex")}`);
  if (partials.size === 0) listen();
  partials.add(partial);
  return partial;
}

/** Ends the watch over a partial output: it was moved to its place, or removed. */
export function forgetPartial(partial: string): void {
  partials.delete(partial);
  if (partials.size === 0) unlisten();
}

/** Removes what earlier processes left of these outputs. A folder that cannot be listed keeps its remains: the write itself will say why. */
export async function sweepPartials(...paths: readonly string[]): Promise<void> {
  const prefixes = new Set(paths.map((path) => join(dirname(path), prefix(path))));
  for (const folder of new Set(paths.map((path) => dirname(path)))) {
    for (const name of await readdir(folder).catch(() => [])) {
      const [, begin = "", pid] = /^(.*\.)(\d+)\.[0-9a-f]{8}$/s.exec(name) ?? [];
      const remains = join(folder, name);
      if (!pid || !prefixes.has(join(folder, begin)) || isAlive(Number(pid))) continue;
      const touched = await stat(remains).then(
        (found) => found.mtimeMs,
        () => Number.POSITIVE_INFINITY,
      );
      if (touched < Date.now() - STALE_MS) await rm(remains, { recursive: true, force: true }).catch(() => {});
    }
  }
}

function prefix(path: string): string {
  return `.${basename(path).slice(0, NAME_LENGTH)}.tmp.`;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function listen(): void {
  process.on("exit", removeAll);
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

function unlisten(): void {
  process.off("exit", removeAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

/** Synchronous: an exit handler has no time for anything else. */
function removeAll(): void {
  for (const partial of partials) rmSync(partial, { recursive: true, force: true });
}

/** Who else listens decides what an interrupt means. When nobody does, the process dies of it, as it would have without us. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeAll();
  unlisten();
  process.kill(process.pid, signal);
}
