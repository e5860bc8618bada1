/** A body, piece by piece. */
export interface BodyReader {
  /** The next bytes, which are lent until more are asked for; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  cancel(): Promise<void>;
}

/** Few turns for a long body, and little to keep. */
const BUFFER_BYTES = 128 << 10;

/**
 * Reads a body; with `spare`, a list of buffers that no body is read to, into one of those over and over, where the body is a stream of bytes. Pieces of
 * their own, as streams give them otherwise, are garbage as soon as they are copied, and hosts with little memory collect it too late.
 */
export function bodyReader(body: ReadableStream<Uint8Array>, spare?: ArrayBuffer[]): BodyReader {
  const reader = spare && byteReader(body);
  return reader ? oneBuffer(reader, spare) : wholePieces(body);
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
function oneBuffer(reader: ReadableStreamBYOBReader, spare: ArrayBuffer[]): BodyReader {
  let buffer: ArrayBuffer | undefined;
  const release = (): void => {
    if (buffer) spare.push(buffer);
    buffer = undefined;
  };
  return {
    async read() {
      const given = buffer ?? spare.pop() ?? new ArrayBuffer(BUFFER_BYTES);
      buffer = undefined;
      const { done, value } = await reader.read(new Uint8Array(given));
      buffer = value?.buffer;
      if (!done) return value;
      release();
      return undefined;
    },
    cancel() {
      release();
      return reader.cancel();
    },
  };
}
