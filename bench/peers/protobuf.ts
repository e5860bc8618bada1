/** The little of protobuf's wire format that a ModelProto needs: varints, floats, and fields that hold bytes of a known length. */

/** Bytes that are made when they are written: the data of a tensor. */
export interface Payload {
  readonly bytes: number;
  read(): Promise<Uint8Array>;
}

/** A message: pieces in the order in which they are written. */
export type Message = readonly (Uint8Array | Payload)[];

const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

/** Length of a message in bytes. */
export function byteLength(message: Message): number {
  return message.reduce((sum, piece) => sum + (piece instanceof Uint8Array ? piece.byteLength : piece.bytes), 0);
}

/** An int32, int64 or enum of at least 0. */
export function integer(field: number, value: number): Message {
  return [Uint8Array.of(...varint(tag(field, VARINT)), ...varint(value))];
}

export function float(field: number, value: number): Message {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [Uint8Array.of(...varint(tag(field, FIXED32)), ...bytes)];
}

export function text(field: number, value: string): Message {
  return embedded(field, [new TextEncoder().encode(value)]);
}

/** Repeated int64, packed. */
export function integers(field: number, values: readonly number[]): Message {
  return embedded(field, [Uint8Array.from(values.flatMap(varint))]);
}

/** A message, or bytes, as a field of another. */
export function embedded(field: number, message: Message): Message {
  return [Uint8Array.of(...varint(tag(field, BYTES)), ...varint(byteLength(message))), ...message];
}

function tag(field: number, wireType: number): number {
  return field * 8 + wireType;
}

/** Base 128, low digits first. Negative int64 take ten bytes and are never -1 here but for a Reshape or an axis. */
function varint(value: number): number[] {
  if (!Number.isSafeInteger(value)) throw new RangeError(`varint: expected a safe integer, got ${value}`);
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return bytes;
}
