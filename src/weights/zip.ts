import { quote } from "../errors.js";
import { malformed } from "./refusals.js";
import { recognise, SIGNATURE_BYTES } from "./signature.js";
import type { WeightSource } from "./source.js";

/** One stored file of an archive, as the central directory describes it. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  /** Where its local header begins. */
  readonly header: number;
  /** Where the next local header, or the central directory, begins: nothing of this entry may lie beyond. */
  readonly limit: number;
  readonly described: boolean;
}

/** torch.save writes one entry for each storage; a Janus checkpoint has about 1,000. */
const MAX_ENTRIES = 100_000;
/** 46 bytes an entry and names of up to 290. */
const MAX_DIRECTORY_BYTES = 32 * 2 ** 20;

const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const SATURATED_16 = 0xffff;
const SATURATED_32 = 0xffff_ffff;
const ZIP64_EXTRA = 0x0001;
const FLAG_DESCRIPTOR = 0x0008;
/** Bit 3: sizes follow the data, as torch.save writes them. Bit 11: the name is UTF-8. Bits 1 and 2 mean nothing for stored files. */
const KNOWN_FLAGS = 0x0006 | FLAG_DESCRIPTOR | 0x0800;

/**
 * Reads the central directory of a zip archive as torch.save writes them (PKWARE APPNOTE 6.3.9, zip64 included): files stored, neither
 * compressed nor encrypted, one disk, no comment, no name twice, every entry inside the file and apart from the others.
 */
export async function readZipDirectory(
  source: WeightSource,
  path: string,
  size: number,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await locateDirectory(source, path, size, signal);
  const bytes = await source.read(path, directory.begin, directory.end - directory.begin, signal);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: Omit<ZipEntry, "limit">[] = [];
  let at = 0;
  for (let i = 0; i < directory.count; i++) {
    const { entry, length } = centralEntry(view, at, path);
    found.push(entry);
    at += length;
  }
  if (at !== bytes.length)
    throw malformed(
      path,
      `expected ${directory.count} entries to fill the zip directory of ${bytes.length} bytes, found ${at} used`,
    );
  return separate(found, path, directory.begin);
}

/** Where a file's data begins, after its local header has been found to agree with the central directory. */
export async function dataOffset(
  source: WeightSource,
  path: string,
  entry: ZipEntry,
  signal?: AbortSignal,
): Promise<number> {
  const name = new TextEncoder().encode(entry.name);
  const bytes = await source.read(path, entry.header, LOCAL_BYTES + name.length, signal);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== 0x04034b50)
    throw malformed(path, `expected a local zip header of ${quote(entry.name)} at ${entry.header}, found none`);
  if (view.getUint16(26, true) !== name.length || name.some((byte, i) => bytes[LOCAL_BYTES + i] !== byte))
    throw malformed(path, `expected the local zip header to name ${quote(entry.name)}, found another name`);
  // With a descriptor the local sizes are zero; a zip64 archive saturates them.
  const sizes = [view.getUint32(18, true), view.getUint32(22, true)];
  const agreed = sizes.every((size) => size === entry.size || size === SATURATED_32 || (entry.described && size === 0));
  const described = (view.getUint16(6, true) & FLAG_DESCRIPTOR) !== 0;
  if (view.getUint16(8, true) !== 0 || described !== entry.described || !agreed)
    throw malformed(
      path,
      `expected the local and the central zip header of ${quote(entry.name)} to agree, found them different`,
    );
  const begin = entry.header + LOCAL_BYTES + name.length + view.getUint16(28, true);
  if (begin + entry.size > entry.limit)
    throw malformed(path, `expected ${quote(entry.name)} to end before the next entry at ${entry.limit}, found more`);
  return begin;
}

/** The directory must end where the end records begin, and they at the end of the file: nothing may hide between or behind. */
async function locateDirectory(
  source: WeightSource,
  path: string,
  size: number,
  signal: AbortSignal | undefined,
): Promise<{ begin: number; end: number; count: number }> {
  const tailBytes = Math.min(size, END_BYTES + LOCATOR_BYTES + END64_BYTES);
  const tail = await source.read(path, size - tailBytes, tailBytes, signal);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  const end = tailBytes - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) {
    const known = recognise(await source.read(path, 0, Math.min(size, SIGNATURE_BYTES), signal), "zip");
    const found = known ?? "none; the file is cut short or not a zip";
    throw malformed(path, `expected a PyTorch zip archive with its end record in the last 22 bytes, found ${found}`);
  }
  const disks = view.getUint32(end + 4, true);
  const count = view.getUint16(end + 10, true);
  const length = view.getUint32(end + 12, true);
  const begin = view.getUint32(end + 16, true);
  let place = { begin, end: begin + length, count, disks, records: size - END_BYTES };
  const locator = end - LOCATOR_BYTES;
  if (locator >= 0 && view.getUint32(locator, true) === 0x07064b50) {
    place = locateDirectory64(view, locator, path, size);
    const agreed =
      (count === place.count || count === SATURATED_16) &&
      (length === place.end - place.begin || length === SATURATED_32) &&
      (begin === place.begin || begin === SATURATED_32);
    if (!agreed) throw malformed(path, "expected both zip end records to agree, found them different");
  }
  if (disks !== 0 || place.disks !== 0) throw malformed(path, "expected a zip archive on one disk, found more");
  if (place.begin > place.end || place.end !== place.records)
    throw malformed(
      path,
      `expected the zip directory to end at ${place.records}, where its end record begins, found [${place.begin}, ${place.end}]`,
    );
  if (place.count > MAX_ENTRIES || place.end - place.begin > MAX_DIRECTORY_BYTES)
    throw malformed(
      path,
      `expected at most ${MAX_ENTRIES} zip entries in ${MAX_DIRECTORY_BYTES} bytes, found ${place.count} in ${place.end - place.begin}`,
    );
  return place;
}

function locateDirectory64(
  view: DataView,
  locator: number,
  path: string,
  size: number,
): { begin: number; end: number; count: number; disks: number; records: number } {
  const at = locator - END64_BYTES;
  const records = size - END_BYTES - LOCATOR_BYTES - END64_BYTES;
  const there = view.getBigUint64(locator + 8, true);
  if (at < 0 || there !== BigInt(records) || view.getUint32(at, true) !== 0x06064b50)
    throw malformed(path, `expected the zip64 end record at ${records}, found it said to be at ${there}`);
  if (view.getBigUint64(at + 4, true) !== BigInt(END64_BYTES - 12))
    throw malformed(path, "expected a zip64 end record of 56 bytes, found another length");
  const [count, length, begin] = [32, 40, 48].map((field) => view.getBigUint64(at + field, true)) as [
    bigint,
    bigint,
    bigint,
  ];
  if (begin + length > BigInt(size) || count > BigInt(MAX_ENTRIES))
    throw malformed(
      path,
      `expected at most ${MAX_ENTRIES} zip entries inside ${size} bytes, found ${count} in ${length} bytes at ${begin}`,
    );
  const disks = view.getUint32(at + 16, true) + view.getUint32(at + 20, true) + view.getUint32(locator + 4, true);
  return { begin: Number(begin), end: Number(begin + length), count: Number(count), disks, records };
}

function centralEntry(view: DataView, at: number, path: string): { entry: Omit<ZipEntry, "limit">; length: number } {
  if (at + CENTRAL_BYTES > view.byteLength || view.getUint32(at, true) !== 0x02014b50)
    throw malformed(path, `expected an entry at byte ${at} of the zip directory, found none`);
  const nameLength = view.getUint16(at + 28, true);
  const extraLength = view.getUint16(at + 30, true);
  const length = CENTRAL_BYTES + nameLength + extraLength + view.getUint16(at + 32, true);
  if (at + length > view.byteLength)
    throw malformed(path, `expected the zip entry at byte ${at} to end inside the directory, found ${length} bytes`);
  const name = entryName(new Uint8Array(view.buffer, view.byteOffset + at + CENTRAL_BYTES, nameLength), path);
  const flags = view.getUint16(at + 8, true);
  if ((flags & ~KNOWN_FLAGS) !== 0)
    throw malformed(
      path,
      `expected a plain zip entry ${quote(name)}, found flags 0x${flags.toString(16)} (encrypted?)`,
    );
  const method = view.getUint16(at + 10, true);
  if (method !== 0)
    throw malformed(
      path,
      `expected ${quote(name)} stored in the zip, found it compressed (method ${method}); save it again with torch.save`,
    );
  const extra = new DataView(view.buffer, view.byteOffset + at + CENTRAL_BYTES + nameLength, extraLength);
  const wide = zip64Fields(extra, name, path);
  const field = (position: number): number => {
    const value = view.getUint32(at + position, true);
    return value === SATURATED_32 ? wide() : value;
  };
  const size = field(24);
  const packed = field(20);
  const header = field(42);
  if (packed !== size || view.getUint16(at + 34, true) !== 0)
    throw malformed(
      path,
      `expected ${quote(name)} stored whole on one disk, found ${packed} bytes for ${size}; save it again with torch.save`,
    );
  return { entry: { name, size, header, described: (flags & FLAG_DESCRIPTOR) !== 0 }, length };
}

function entryName(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed(path, "expected zip entries with names in UTF-8, found other bytes");
  }
}

/** Gives the eight-byte values of the zip64 extra field one after another, for the header fields that are saturated. */
function zip64Fields(extra: DataView, name: string, path: string): () => number {
  let at = 0;
  let next = 0;
  let end = 0;
  while (at + 4 <= extra.byteLength && end === 0) {
    const length = extra.getUint16(at + 2, true);
    if (extra.getUint16(at, true) === ZIP64_EXTRA) {
      next = at + 4;
      end = Math.min(next + length, extra.byteLength);
    }
    at += 4 + length;
  }
  return () => {
    if (next + 8 > end) throw malformed(path, `expected a zip64 size or offset of ${quote(name)}, found none`);
    const value = Number(extra.getBigUint64(next, true));
    next += 8;
    return value;
  };
}

/** Orders the entries by place: each must lie before the next one's header, and the last before the directory. */
function separate(
  found: readonly Omit<ZipEntry, "limit">[],
  path: string,
  directory: number,
): ReadonlyMap<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  const ordered = [...found].sort((a, b) => a.header - b.header);
  for (const [i, entry] of ordered.entries()) {
    const limit = ordered[i + 1]?.header ?? directory;
    if (entries.has(entry.name))
      throw malformed(path, `expected every zip entry once, found ${quote(entry.name)} twice`);
    if (!(entry.header + LOCAL_BYTES + entry.name.length + entry.size <= limit))
      throw malformed(
        path,
        `expected ${quote(entry.name)} (${entry.size} bytes from ${entry.header}) to end before ${limit}, found an overlap`,
      );
    entries.set(entry.name, { ...entry, limit });
  }
  return entries;
}
