/** Reads stored rows of the token table; rows that lie close together come in one read. */
export type RowReader = (first: number, count: number, signal?: AbortSignal) => Promise<Uint8Array>;

/** Reading this many unneeded bytes is cheaper than another read: about a disk's or a server's answer time. */
const GAP_BYTES = 16 << 10;

/** The longest read, so that a prompt of thousands of different tokens does not ask for the whole table at once. */
const RUN_BYTES = 1 << 20;

/** Reads under way at a time. */
const CONCURRENT_READS = 16;

/**
 * The stored rows `distinct` (ascending) of a table, one after another: the table itself is never read whole.
 * `rowBytes` is the size of a row as stored.
 */
export async function readTableRows(
  read: RowReader,
  distinct: readonly number[],
  rowBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const table = new Uint8Array(distinct.length * rowBytes);
  const runs = joinRuns(distinct, Math.floor(GAP_BYTES / rowBytes), Math.floor(RUN_BYTES / rowBytes));
  let next = 0;
  const drain = async (): Promise<void> => {
    for (let run = runs[next++]; run; run = runs[next++]) {
      const first = distinct[run.begin] ?? 0;
      const last = distinct[run.end - 1] ?? 0;
      const rows = await read(first, last - first + 1, signal).catch((error: unknown) => {
        next = runs.length; // Nobody waits for the rest.
        throw error;
      });
      for (let at = run.begin; at < run.end; at++) {
        const row = (distinct[at] ?? 0) - first;
        table.set(rows.subarray(row * rowBytes, (row + 1) * rowBytes), at * rowBytes);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENT_READS, runs.length) }, drain));
  return table;
}

/** Index ranges of `distinct` whose neighbours are at most `gap` rows apart, and which span at most `longest` rows. */
function joinRuns(distinct: readonly number[], gap: number, longest: number): { begin: number; end: number }[] {
  const runs: { begin: number; end: number }[] = [];
  for (const [at, row] of distinct.entries()) {
    const run = runs.at(-1);
    const close = row - (distinct[at - 1] ?? row) - 1 <= gap;
    if (run && close && row - (distinct[run.begin] ?? row) < longest) run.end = at + 1;
    else runs.push({ begin: at, end: at + 1 });
  }
  return runs;
}
