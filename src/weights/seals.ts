import { JanusError, quote } from "../errors.js";
import { type BoundTensor, storedRowBytes } from "./bound-tensor.js";
import { sha256Bytes } from "./sha256.js";
import { allocate } from "./view.js";

/** Rows [first, first + count) of a bound tensor, by its role. */
export interface RowRange {
  readonly role: string;
  readonly first: number;
  readonly count: number;
}

/** Rows of a bound tensor, from `first` on: their bytes, and the file that they were read from. */
export interface VerifiedRows {
  readonly role: string;
  readonly first: number;
  readonly rowBytes: number;
  readonly content: Uint8Array;
  readonly file: string;
}

interface Sealed extends Pick<VerifiedRows, "role" | "first" | "file"> {
  readonly count: number;
  /** Rows of one digest; the last has what is left. */
  readonly group: number;
  readonly digests: Uint8Array;
}

/** Bytes of a SHA-256. */
const DIGEST = 32;

/**
 * SHA-256 of rows that are read again and again, taken when their tensor was compared with its checksum: a tensor's own says nothing of a part of it, and the tensor may
 * be more than there is room for. What does not have it any more is refused each time, so that damage between two images is no wrong number.
 */
export class Seals {
  readonly #sealed = new Map<string, Sealed[]>();

  /** Seals the rows, each `group` of them by itself. */
  async add(rows: VerifiedRows, group = rows.content.length / rows.rowBytes): Promise<void> {
    const { role, first, rowBytes, content, file } = rows;
    const bytes = group * rowBytes;
    const parts = Array.from({ length: Math.ceil(content.length / bytes) }, (_, at) =>
      content.subarray(at * bytes, (at + 1) * bytes),
    );
    const digests = new Uint8Array(parts.length * DIGEST);
    for (const [at, digest] of (await Promise.all(parts.map(sha256Bytes))).entries()) digests.set(digest, at * DIGEST);
    const sealed = { role, first, count: content.length / rowBytes, group, digests, file };
    const others = this.#sealed.get(role);
    if (others) others.push(sealed);
    else this.#sealed.set(role, [sealed]);
  }

  /** Whether rows of a role were sealed: all of them were, then. */
  has(role: string): boolean {
    return this.#sealed.has(role);
  }

  /**
   * Rows [first, first + count) of a sealed tensor into `target`, by `read`, which is asked for whole groups. E_INTEGRITY names file and tensor of a group that is not
   * as it was. Nothing is written to `target` any more when the promise has settled.
   */
  async read(
    tensor: BoundTensor,
    first: number,
    count: number,
    target: Uint8Array,
    read: (first: number, count: number, target: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const rowBytes = storedRowBytes(tensor);
    const end = first + count;
    const compared = async (sealed: Sealed, at: number): Promise<void> => {
      const begin = sealed.first + at * sealed.group;
      const rows = Math.min(sealed.group, sealed.first + sealed.count - begin);
      const within = first <= begin && begin + rows <= end;
      const part = within
        ? target.subarray((begin - first) * rowBytes, (begin + rows - first) * rowBytes)
        : allocate(rows * rowBytes, tensor.role);
      await read(begin, rows, part);
      const digest = await sha256Bytes(part);
      if (!digest.every((byte, index) => byte === sealed.digests[at * DIGEST + index]))
        throw broken(sealed, begin, rows);
      if (within) return;
      const from = Math.max(first, begin);
      const to = Math.min(end, begin + rows);
      target.set(part.subarray((from - begin) * rowBytes, (to - begin) * rowBytes), (from - first) * rowBytes);
    };
    const reads = (this.#sealed.get(tensor.role) ?? []).flatMap((sealed) => {
      const from = Math.max(0, Math.floor((first - sealed.first) / sealed.group));
      const to = Math.ceil(Math.min(end - sealed.first, sealed.count) / sealed.group);
      return Array.from({ length: Math.max(0, to - from) }, (_, at) => compared(sealed, from + at));
    });
    // All of them: one that goes on would write to memory that is used for something else by then.
    for (const result of await Promise.allSettled(reads)) if (result.status === "rejected") throw result.reason;
  }
}

function broken({ file, role }: Sealed, begin: number, rows: number): JanusError {
  return new JanusError(
    "E_INTEGRITY",
    `reading ${file}: expected rows ${begin} to ${begin + rows - 1} of ${quote(role)} as they were when they were verified, found others; the file was damaged or replaced since, load the model again`,
    { origin: "model" },
  );
}
