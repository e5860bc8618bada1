/** A body, piece by piece. */
export interface BodyReader {
  /** The next bytes, which are lent until more are asked for; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  cancel(): Promise<void>;
}

/** Few turns for a long body, and little to keep. */
const BUFFER_BYTES = 256 << 10;

/**
 * Reads a body. `sparing`: into one buffer over and over, where the body is a stream of bytes. Pieces of their own, as streams give them otherwise, are
 * garbage as soon as they are copied, and hosts with little memory collect it too late.
 */
export function bodyReader(body: ReadableStream<Uint8Array>, sparing = false): BodyReader {
  const reader = sparing ? byteReader(body) : undefined;
  return reader === undefined ? wholePieces(body) : oneBuffer(reader);
}

/** Undefined for a stream that is none of bytes: those are refused. */
function byteReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}

function wholePieces(body: ReadableStream<Uint8Array>): BodyReader {
  const reader = body.getReader();
  return {
    read: async () => (await reader.read()).value,
    cancel: () => reader.cancel(),
  };
}

/** The buffer goes to the stream with every read, and comes back with the answer, under another name. */
function oneBuffer(reader: ReadableStreamBYOBReader): BodyReader {
  let buffer: ArrayBuffer | undefined;
  return {
    async read() {
      const given = new Uint8Array(buffer ?? new ArrayBuffer(BUFFER_BYTES));
      buffer = undefined;
      const { done, value } = await reader.read(given);
      buffer = value?.buffer;
      return done ? undefined : value;
    },
    cancel: () => reader.cancel(),
  };
}
