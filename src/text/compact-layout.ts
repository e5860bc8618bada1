/** Where things lie in tokenizer.janus: models/FORMAT.md, to the byte. */
import { JanusError } from "../errors.js";
import { crc32 } from "../weights/crc32.js";

/** What `janus pack` writes beside tokenizer.json. Not `.bin`: that is PyTorch's, which hubs scan and cut into ranges as weights. */
export const COMPACT_FILE = "tokenizer.janus";

/** The first bytes of the file, "JANUSTOK": no JSON begins so. */
export const MAGIC = Uint8Array.from("JANUSTOK", (letter) => letter.charCodeAt(0));

export const VERSION = 1;

/** Bytes before the header: magic, version, checksum, and the four sizes. */
export const PREFIX_BYTES = 32;

/** The checksum is of everything behind this. */
export const CHECKED_FROM = 16;

/** Tokens, and merges: rank and position of a pair share the 53 bits of a number. The largest published vocabularies have 2^18. */
export const MAX_ENTRIES = 2 ** 21;

/** The sizes that the file gives of itself. */
export interface CompactSizes {
  /** V: tokens of the vocabulary. */
  readonly tokens: number;
  /** M */
  readonly merges: number;
  /** Bytes of the JSON header, a multiple of 4. */
  readonly header: number;
  /** Bytes of all tokens' texts. */
  readonly texts: number;
}

/** The parts of the file, as views of it. */
export interface CompactLayout {
  readonly header: Uint8Array;
  /** [V+1] where the texts of tokens begin and end. */
  readonly offsets: Uint32Array;
  /** [V] ids in the order of their texts' bytes. */
  readonly order: Uint32Array;
  /** [V+1] where the merges of each left token begin and end. */
  readonly first: Uint32Array;
  /** [M] right tokens, ascending for each left one. */
  readonly right: Uint32Array;
  /** [M] positions in `model.merges`, the lower the earlier. */
  readonly rank: Uint32Array;
  /** [M] what the pairs make. */
  readonly result: Uint32Array;
  readonly texts: Uint8Array;
}

export function compactBytes({ tokens, merges, header, texts }: CompactSizes): number {
  return PREFIX_BYTES + header + 4 * (3 * tokens + 2 + 3 * merges) + texts;
}

export function isCompact(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte);
}

/**
 * The parts of a whole file, whose magic, version, length and checksum are right; what they hold is still to be checked.
 *
 * @throws JanusError E_FORMAT, E_INTEGRITY for another checksum, E_UNSUPPORTED for another version; all name the file.
 */
export function compactLayout(file: Uint8Array): CompactLayout {
  const bytes = aligned(file);
  if (bytes.length < PREFIX_BYTES || !isCompact(bytes)) {
    throw refuse(
      `expected ${PREFIX_BYTES} bytes that begin with JANUSTOK, got ${bytes.length} bytes of something else`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (index: number): number => view.getUint32(4 * index, true);
  if (word(2) !== VERSION) {
    throw new JanusError(
      "E_UNSUPPORTED",
      `reading ${COMPACT_FILE}: expected version ${VERSION}, got ${word(2)}; pack the checkpoint again`,
      { origin: "model" },
    );
  }
  const sizes = { tokens: word(4), merges: word(5), header: word(6), texts: word(7) };
  if (sizes.tokens > MAX_ENTRIES || sizes.merges > MAX_ENTRIES || sizes.header % 4 !== 0) {
    throw refuse(
      `expected at most ${MAX_ENTRIES} tokens and merges and a header of whole words, got ${sizes.tokens}, ${sizes.merges} and ${sizes.header} bytes`,
    );
  }
  if (compactBytes(sizes) !== bytes.length) {
    throw refuse(`expected ${compactBytes(sizes)} bytes, got ${bytes.length}; the file is cut short or damaged`);
  }
  const sum = crc32(bytes.subarray(CHECKED_FROM));
  if (sum !== word(3)) {
    throw new JanusError(
      "E_INTEGRITY",
      `reading ${COMPACT_FILE}: expected CRC-32 ${hex(word(3))}, got ${hex(sum)}; the file is damaged, copy it or pack the checkpoint again`,
      { origin: "model" },
    );
  }
  return partsOf(bytes, sizes);
}

/** The parts of `bytes`, which are as many as `sizes` say and begin at a multiple of 4. */
export function partsOf(bytes: Uint8Array, { tokens, merges, header }: CompactSizes): CompactLayout {
  let at = PREFIX_BYTES + header;
  const words = (count: number): Uint32Array => {
    const part = new Uint32Array(bytes.buffer, bytes.byteOffset + at, count);
    at += 4 * count;
    return part;
  };
  return {
    header: bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + header),
    offsets: words(tokens + 1),
    order: words(tokens),
    first: words(tokens + 1),
    right: words(merges),
    rank: words(merges),
    result: words(merges),
    texts: bytes.subarray(at),
  };
}

export function refuse(reason: string): JanusError {
  return new JanusError("E_FORMAT", `reading ${COMPACT_FILE}: ${reason}`, { origin: "model" });
}

/** Views of 32-bit words begin at multiples of 4. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}
