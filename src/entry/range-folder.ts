/** Bytes [begin, end) of a file. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** The files of one folder, on whatever a host keeps files. Others may write, read and remove them at the same time. */
export interface RangeFiles {
  /** Names of files that are there, complete or not; none where the folder is not there, or cannot be listed. */
  list(): Promise<readonly string[]>;
  /** Fills `target` from `offset` of a file that must be `size` bytes long; false when it is not, or cannot be read. */
  read(name: string, size: number, offset: number, target: Uint8Array): Promise<boolean>;
  /** Writes a file, and the folder; what is there under the name is replaced. @throws whatever the storage says. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Removes a file, if it can. */
  remove(name: string): Promise<void>;
  /** SHA-256 in hexadecimal. */
  sha256(bytes: Uint8Array): string | Promise<string>;
}

/** A span in a file of its own. */
interface Kept extends Span {
  readonly name: string;
  /** Its bytes were compared with its name in this process. */
  sound: boolean;
}

/** `first-length-digest`: the name says what the bytes must be. */
const NAME = /^(\d{1,16})-(\d{1,8})-([0-9a-f]{64})$/;
/** To check a byte of a span all of it is read. */
const MAX_SPAN = 8 * 2 ** 20;

/**
 * Ranges of one file that were fetched, each in a file that is named by its place, its length and the SHA-256 of its bytes. A file that does not hold what its
 * name says is deleted when it is met, so a file that is incomplete under its name is as good as none, and several may read and write one folder.
 */
export class RangeFolder {
  readonly #files: RangeFiles;
  /** Of two spans neither holds the other, so that both ends ascend. */
  readonly #kept: Kept[] = [];
  /** Files that are being written, by name: two reads of the same bytes write them once. */
  readonly #writing = new Map<string, Promise<void>>();

  private constructor(files: RangeFiles) {
    this.#files = files;
  }

  /** The ranges that are in a folder. */
  static async open(files: RangeFiles): Promise<RangeFolder> {
    const folder = new RangeFolder(files);
    for (const name of await files.list()) {
      const [, begin, length] = NAME.exec(name) ?? [];
      if (begin !== undefined) folder.#insert(Number(begin), Number(length), name, false);
    }
    return folder;
  }

  /** What of a span is not kept, in order. */
  missing({ begin, end }: Span): Span[] {
    const gaps: Span[] = [];
    for (let at = begin; at < end; ) {
      const kept = this.#covering(at);
      const next = kept ? Math.min(kept.end, end) : Math.min(this.#next(at), end);
      if (!kept) gaps.push({ begin: at, end: next });
      at = next;
    }
    return gaps;
  }

  /**
   * Fills `target` from byte `begin` on as far as what is kept reaches without a gap; returns the bytes filled. A damaged range is deleted, and missing from
   * then on.
   */
  async read(begin: number, target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const kept = this.#covering(begin + filled);
      if (!kept) break;
      const from = begin + filled - kept.begin;
      const piece = target.subarray(filled, filled + Math.min(kept.end - kept.begin - from, target.length - filled));
      if (await this.#readKept(kept, from, piece)) filled += piece.length;
      else await this.#drop(kept);
    }
    return filled;
  }

  /** Keeps the bytes from `begin` on. @throws whatever the storage says. */
  async write(begin: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_SPAN) {
      const piece = bytes.subarray(at, at + MAX_SPAN);
      const name = `${begin + at}-${piece.length}-${await this.#files.sha256(piece)}`;
      const writing = this.#writing.get(name) ?? this.#files.write(name, piece);
      this.#writing.set(name, writing);
      try {
        await writing;
      } finally {
        this.#writing.delete(name);
      }
      this.#insert(begin + at, piece.length, name, true);
    }
  }

  async #readKept(kept: Kept, from: number, target: Uint8Array): Promise<boolean> {
    const length = kept.end - kept.begin;
    const whole = kept.sound || target.length === length ? target : new Uint8Array(length);
    const start = whole === target ? from : 0;
    if (!(await this.#files.read(kept.name, length, start, whole))) return false;
    kept.sound ||= (await this.#files.sha256(whole)) === NAME.exec(kept.name)?.[3];
    if (whole !== target) target.set(whole.subarray(from, from + target.length));
    return kept.sound;
  }

  async #drop(kept: Kept): Promise<void> {
    const at = this.#kept.indexOf(kept);
    if (at >= 0) this.#kept.splice(at, 1);
    await this.#files.remove(kept.name);
  }

  #insert(begin: number, length: number, name: string, sound: boolean): void {
    const kept = { begin, end: begin + length, name, sound };
    let at = this.#after(begin);
    if (!Number.isSafeInteger(kept.end) || length === 0 || length > MAX_SPAN) return;
    if ((this.#kept[at - 1]?.end ?? 0) >= kept.end) return;
    if (this.#kept[at - 1]?.begin === begin) at--;
    let covered = at;
    while ((this.#kept[covered]?.end ?? Number.POSITIVE_INFINITY) <= kept.end) covered++;
    this.#kept.splice(at, covered - at, kept);
  }

  #covering(byte: number): Kept | undefined {
    const kept = this.#kept[this.#after(byte) - 1];
    return kept && kept.end > byte ? kept : undefined;
  }

  #next(byte: number): number {
    return this.#kept[this.#after(byte)]?.begin ?? Number.POSITIVE_INFINITY;
  }

  /** How many spans begin at or before a byte. */
  #after(byte: number): number {
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#kept[middle]!.begin <= byte) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
