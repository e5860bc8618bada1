import { JanusError } from "../errors.js";
import { crc32 } from "./crc32.js";
import { EncodedFile } from "./encoded-file.js";

/** A file of an archive: its name in ASCII, and bytes that are made when they are written. */
export interface ZipMember {
  readonly name: string;
  readonly byteLength: number;
  readonly chunks: () => Iterable<Uint8Array<ArrayBuffer>>;
}

/** Where the data of every member begins, in multiples: what torch.save does, so that it can be mapped into memory. */
const ALIGNMENT = 64;
/** Sizes and offsets of a plain zip are 32 bits, and the last of them means zip64. */
const MAX_BYTES = 0xffff_ffff;
const LOCAL_BYTES = 30;
const DESCRIPTOR_BYTES = 16;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const VERSION = 20;
/** Bit 3: the sum follows the data, so one pass is enough. Bit 11: the name is UTF-8. */
const FLAGS = 0x0808;
/** 1 January 1980, the first day of zip: the same members give the same bytes on every day. */
const DATE = 0x0021;
/** The extra field that torch.save pads with. */
const PADDING_ID = 0x4246;

interface Placed extends ZipMember {
  readonly encodedName: Uint8Array<ArrayBuffer>;
  readonly header: number;
  readonly padding: number;
}

/**
 * Members as the bytes of a zip archive, stored, laid out as torch.save does.
 *
 * @throws JanusError E_UNSUPPORTED of origin "output" for 4 GB and more, which would need zip64.
 */
export function encodeZip(members: readonly ZipMember[]): EncodedFile {
  const placed: Placed[] = [];
  let at = 0;
  for (const member of members) {
    const encodedName = new TextEncoder().encode(member.name);
    const unpadded = at + LOCAL_BYTES + encodedName.length + 4;
    const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
    placed.push({ ...member, encodedName, header: at, padding });
    at = unpadded + padding + member.byteLength + DESCRIPTOR_BYTES;
  }
  const directory = at;
  const directoryBytes = placed.reduce((sum, { encodedName }) => sum + CENTRAL_BYTES + encodedName.length, 0);
  const bytes = directory + directoryBytes + END_BYTES;
  if (!(bytes < MAX_BYTES)) {
    throw new JanusError(
      "E_UNSUPPORTED",
      `write a PyTorch archive: expected less than ${MAX_BYTES} bytes, got ${bytes}; write safetensors, or fewer positions`,
      { origin: "output" },
    );
  }
  return new EncodedFile(bytes, function* () {
    const sums: number[] = [];
    for (const member of placed) {
      yield localHeader(member);
      let sum = 0;
      for (const chunk of member.chunks()) {
        sum = crc32(chunk, sum);
        yield chunk;
      }
      sums.push(sum);
      yield record([4, 0x08074b50], [4, sum], [4, member.byteLength], [4, member.byteLength]);
    }
    for (const [i, member] of placed.entries()) yield* centralEntry(member, sums[i]!);
    yield record(
      [4, 0x06054b50],
      [4, 0],
      [2, placed.length],
      [2, placed.length],
      [4, directoryBytes],
      [4, directory],
      [2, 0],
    );
  });
}

/** Sum and sizes are zero here: they follow the data. */
function localHeader({ encodedName, padding }: Placed): Uint8Array<ArrayBuffer> {
  const fixed = record(
    [4, 0x04034b50],
    [2, VERSION],
    [2, FLAGS],
    [4, 0],
    [2, DATE],
    [4, 0],
    [4, 0],
    [4, 0],
    [2, encodedName.length],
    [2, 4 + padding],
  );
  const header = new Uint8Array(LOCAL_BYTES + encodedName.length + 4 + padding);
  header.set(fixed);
  header.set(encodedName, LOCAL_BYTES);
  header.set(record([2, PADDING_ID], [2, padding]), LOCAL_BYTES + encodedName.length);
  return header;
}

function* centralEntry({ encodedName, byteLength, header }: Placed, sum: number): Generator<Uint8Array<ArrayBuffer>> {
  yield record(
    [4, 0x02014b50],
    [2, VERSION],
    [2, VERSION],
    [2, FLAGS],
    [4, 0],
    [2, DATE],
    [4, sum],
    [4, byteLength],
    [4, byteLength],
    [2, encodedName.length],
    // No extra field, no comment, disk 0, no attributes.
    [4, 0],
    [4, 0],
    [4, 0],
    [4, header],
  );
  yield encodedName;
}

/** Little-endian fields of two or four bytes. */
function record(...fields: readonly (readonly [bytes: 2 | 4, value: number])[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(fields.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return bytes;
}
