/** One entry of a made zip; what is stated overrides what would be right. */
export interface MadeEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly localName?: string;
  readonly method?: number;
  readonly flags?: number;
  readonly size?: number;
  readonly packedSize?: number;
  readonly localSize?: number;
  readonly header?: number;
  readonly centralExtra?: Uint8Array;
}

/** Overrides of the end record. */
export interface MadeEnd {
  readonly count?: number;
  readonly begin?: number;
  readonly length?: number;
  readonly disk?: number;
  readonly zip64?: boolean;
  readonly comment?: Uint8Array;
  readonly prefix?: Uint8Array;
}

/** A zip archive as torch.save lays it out, or as it should not be. */
export function zipBytes(entries: readonly MadeEntry[], end: MadeEnd = {}): Uint8Array {
  const parts: Uint8Array[] = [end.prefix ?? new Uint8Array(0)];
  let at = parts[0]!.length;
  const append = (bytes: Uint8Array): void => {
    parts.push(bytes);
    at += bytes.length;
  };
  const central: Uint8Array[] = [];
  for (const entry of entries) {
    const header = entry.header ?? at;
    const flags = entry.flags ?? 0x0800;
    const size = entry.size ?? entry.data.length;
    const localName = new TextEncoder().encode(entry.localName ?? entry.name);
    append(
      record(
        [4, 0x04034b50],
        [2, 20],
        [2, flags],
        [2, entry.method ?? 0],
        [4, 0],
        [4, 0],
        [4, entry.localSize ?? size],
        [4, entry.localSize ?? size],
        [2, localName.length],
        [2, 0],
      ),
    );
    append(localName);
    append(entry.data);
    const name = new TextEncoder().encode(entry.name);
    const extra = entry.centralExtra ?? new Uint8Array(0);
    central.push(
      record(
        [4, 0x02014b50],
        [4, 0],
        [2, flags],
        [2, entry.method ?? 0],
        [4, 0],
        [4, 0],
        [4, entry.packedSize ?? size],
        [4, size],
        [2, name.length],
        [2, extra.length],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, header],
      ),
      name,
      extra,
    );
  }
  const begin = end.begin ?? at;
  const length = end.length ?? central.reduce((sum, bytes) => sum + bytes.length, 0);
  const count = end.count ?? entries.length;
  for (const bytes of central) append(bytes);
  if (end.zip64) {
    const there = at;
    append(record([4, 0x06064b50], [8, 44], [4, 0], [4, 0], [4, 0], [8, count], [8, count], [8, length], [8, begin]));
    append(record([4, 0x07064b50], [4, 0], [8, there], [4, 1]));
  }
  const short = (value: number, limit: number): number => (end.zip64 ? limit : value);
  append(
    record(
      [4, 0x06054b50],
      [2, end.disk ?? 0],
      [2, 0],
      [2, short(count, 0xffff)],
      [2, short(count, 0xffff)],
      [4, short(length, 0xffffffff)],
      [4, short(begin, 0xffffffff)],
      [2, end.comment?.length ?? 0],
    ),
  );
  if (end.comment !== undefined) append(end.comment);
  return concat(parts);
}

/** Little-endian fields of [bytes, value]. */
export function record(...fields: readonly (readonly [number, number])[]): Uint8Array {
  return concat(
    fields.map(([width, value]) => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
      return bytes.subarray(0, width);
    }),
  );
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
