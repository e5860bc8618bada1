/** Fetches a checkpoint from a server, so that loading it later needs none. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { JanusError, quote } from "../../errors.js";
import { COMPACT_FILE } from "../../text/compact-layout.js";
import { CONFIG_FILES } from "../../weights/config-files.js";
import type { Extent } from "../../weights/view.js";
import { openModel } from "../load.js";
import { TOKENIZER_FILES } from "../prepare.js";
import { type RemoteName, remoteName } from "../remote-name.js";
import { makeFolder } from "./make-folder.js";
import { openRemote } from "./open-remote.js";
import { refuseFullDisk } from "./output.js";
import { outputError } from "./output-error.js";
import type { RemoteModel } from "./remote-model.js";

export interface PullOptions {
  /** A branch, tag or commit of a hub's checkpoint. */
  readonly revision?: string | undefined;
  /** Every file in full, instead of what embedding reads. */
  readonly all?: boolean | undefined;
  /** Only the plan. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told before anything that is large is fetched. */
  readonly onPlan?: ((plan: PullPlan) => void) | undefined;
  /** Bytes fetched so far, of those that are missing. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** A file, the bytes of it that are wanted, and those of them that are not here. */
export interface PlannedFile {
  readonly path: string;
  readonly bytes: number;
  readonly missing: number;
}

/** What goes where. */
export interface PullPlan {
  /** What the checkpoint is called; of a URL, without what is secret in it. */
  readonly label: string;
  /** The commit of a hub's checkpoint. */
  readonly revision: string | undefined;
  readonly whole: { readonly folder: string; readonly files: readonly PlannedFile[] };
  /** Parts of weight files; none when files are fetched in full. */
  readonly ranges: { readonly folder: string; readonly files: readonly PlannedFile[] };
}

export interface PullResult extends PullPlan {
  /** Bytes of files that came from the server, what the plan needed included. */
  readonly fetched: number;
  /** What could not be done as asked, as a file that nothing can be compared with. */
  readonly notes: readonly string[];
}

/** A span is fetched, and kept, in pieces: the rows of a prompt are checked a piece at a time when they are read. */
const PIECE = 2 * 2 ** 20;
const CONCURRENT = 8;

/** What a checkpoint may have besides its weights, and embedding reads. */
const SMALL_FILES = [...CONFIG_FILES, ...TOKENIZER_FILES, COMPACT_FILE];

/**
 * Fetches what embedding reads of a checkpoint: configuration, tokenizer, the tensors in use and the token table. What is here already is checked, and fetched
 * again where it is damaged. An interrupted call has kept what it fetched.
 *
 * @throws JanusError E_USAGE for what is neither a URL nor a hub id; whatever opening the model throws; E_IO of origin "output"; the signal's reason.
 */
export async function pull(model: string, options: PullOptions = {}): Promise<PullResult> {
  const { all = false, dryRun = false, signal, onPlan, onProgress } = options;
  const source = await openRemote(namedRemote(model, options.revision), { signal, mustKeep: true });
  try {
    const spans = all ? [] : await spansInUse(source, signal);
    const plan = await planPull(source, await wholeFiles(source, all, signal), spans, signal);
    onPlan?.(plan);
    if (!dryRun) {
      await makeRoom(plan);
      await fetchAll(source, plan, spans, onProgress, signal);
    }
    return { ...plan, fetched: source.fetched, notes: [...(source.notes ?? [])] };
  } finally {
    await source.close();
  }
}

function namedRemote(model: string, revision: string | undefined): RemoteName {
  const name = remoteName(model);
  if (name && revision === undefined) return name;
  const revised = name && "hub" in name && !model.includes("@") && remoteName(`${model}@${revision}`);
  if (revised) return revised;
  // A URL may hold what is secret.
  const got = name === undefined ? quote(model, 200) : "url" in name ? "a URL" : quote(model, 200);
  const expected = name ? "a revision once, and of a hub id" : "a hub id (owner/name) or a URL";
  throw new JanusError("E_USAGE", `pull: expected ${expected}, got ${got}; see janus pull --help`, { origin: "usage" });
}

/** The pieces of weight files that hold a tensor in use, in order. */
async function spansInUse(source: RemoteModel, signal?: AbortSignal): Promise<Extent[]> {
  const { checkpoint, bound } = await openModel(source, signal);
  const extents = await Promise.all([...bound.values()].map((tensor) => checkpoint.extents(tensor, signal)));
  const sorted = extents.flat().sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.begin - b.begin));
  const joined: { path: string; begin: number; end: number }[] = [];
  for (const extent of sorted) {
    const last = joined.at(-1);
    if (last?.path === extent.path && extent.begin <= last.end) last.end = Math.max(last.end, extent.end);
    else joined.push({ ...extent });
  }
  return joined.flatMap(({ path, begin, end }) =>
    Array.from({ length: Math.ceil((end - begin) / PIECE) }, (_, n) => ({
      path,
      begin: begin + n * PIECE,
      end: Math.min(begin + (n + 1) * PIECE, end),
    })),
  );
}

/** Every file that the server lists; where it lists none, those that a checkpoint consists of. */
async function wholeFiles(source: RemoteModel, all: boolean, signal?: AbortSignal): Promise<readonly string[]> {
  if (!all) return SMALL_FILES;
  const listed = await source.list(signal);
  if (listed) return listed;
  const { checkpoint } = await openModel(source, signal);
  return [...SMALL_FILES, ...checkpoint.files];
}

async function planPull(
  source: RemoteModel,
  paths: readonly string[],
  spans: readonly Extent[],
  signal?: AbortSignal,
): Promise<PullPlan> {
  const files: PlannedFile[] = [];
  for (const path of paths) {
    const bytes = await source.size(path, signal);
    if (bytes === undefined) continue;
    files.push({ path, bytes, missing: (await source.hasWhole(path, signal)) ? 0 : bytes });
  }
  const parts = new Map<string, { bytes: number; missing: number }>();
  for (const span of spans) {
    const part = parts.get(span.path) ?? { bytes: 0, missing: 0 };
    part.bytes += span.end - span.begin;
    for (const gap of await source.missing(span.path, span, signal)) part.missing += gap.end - gap.begin;
    parts.set(span.path, part);
  }
  const { label, revision, folders } = source;
  const ranges = [...parts].map(([path, part]) => ({ path, ...part }));
  return {
    label,
    revision,
    whole: { folder: folders.whole, files },
    ranges: { folder: folders.ranges, files: ranges },
  };
}

/** Bytes of a part of a plan that are not here. */
export function missingBytes({ files }: { readonly files: readonly PlannedFile[] }): number {
  return files.reduce((sum, { missing }) => sum + missing, 0);
}

/** Creates the folders, and refuses a disk that is too small: two folders on one disk share it. */
async function makeRoom({ whole, ranges }: PullPlan): Promise<void> {
  const needs = new Map<number, { folder: string; bytes: number }>();
  for (const part of [whole, ranges]) {
    const bytes = missingBytes(part);
    if (bytes === 0) continue;
    try {
      await makeFolder(part.folder);
      const { dev } = await stat(part.folder);
      needs.set(dev, { folder: part.folder, bytes: bytes + (needs.get(dev)?.bytes ?? 0) });
    } catch (error) {
      throw outputError(part.folder, error);
    }
  }
  for (const { folder, bytes } of needs.values()) await refuseFullDisk(join(folder, "ranges"), bytes);
}

async function fetchAll(
  source: RemoteModel,
  plan: PullPlan,
  spans: readonly Extent[],
  onProgress: PullOptions["onProgress"],
  signal: AbortSignal | undefined,
): Promise<void> {
  const total = missingBytes(plan.whole) + missingBytes(plan.ranges);
  let done = 0;
  for (const { path, missing } of plan.whole.files) {
    const before = done;
    const onBytes = (bytes: number): void => onProgress?.(before + bytes, total);
    if (missing > 0) await source.fetchWhole(path, { signal, onBytes });
    done += missing;
  }
  const failing = new AbortController();
  const ending = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let span = spans[next++]; span; span = spans[next++]) {
      const before = source.fetched;
      await source.fetchSpan(span.path, span, ending);
      if (source.fetched > before) done += span.end - span.begin;
      onProgress?.(Math.min(done, total), total);
    }
  };
  const workers = Array.from({ length: CONCURRENT }, () =>
    work().catch((error: unknown) => {
      next = spans.length;
      failing.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  signal?.throwIfAborted();
  await Promise.all(workers);
}
