/** Of deflated data, given at a time: what one such piece inflates to, up to a thousand times as much, is in memory at once, however little is read of it. */
const PIECE_BYTES = 4 << 10;

/** The inside of one zlib stream, in parts; cancelled when no more of it is wanted. */
export type Inflate = (parts: readonly Uint8Array<ArrayBuffer>[]) => ReadableStream<Uint8Array>;

/** By the platform, on hosts whose streams take no more than is read of them. */
export const inflated: Inflate = (parts) => {
  const pieces = piecesOf(parts);
  const deflated = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const { done, value } = pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  return deflated.pipeThrough(new DecompressionStream("deflate"));
};

/**
 * The same where streams take all that they are given: workerd inflates ahead without a bound, and 3 MB of a file became 3 GB of memory. A piece is given when nothing has come of
 * those before for a turn.
 */
export const inflatedByTurns: Inflate = (parts) => {
  const pieces = piecesOf(parts);
  const { readable, writable } = new DecompressionStream("deflate");
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  let reading: Promise<ReadableStreamReadResult<Uint8Array>> | undefined;
  let given: Promise<void> = Promise.resolve();
  let ended = false;
  const turn = async (): Promise<undefined> => {
    await given;
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return new ReadableStream(
    {
      async pull(controller) {
        for (;;) {
          reading ??= reader.read();
          const came = await (ended ? reading : Promise.race([reading, turn()]));
          if (came !== undefined) {
            reading = undefined;
            if (came.done) controller.close();
            else controller.enqueue(came.value);
            return;
          }
          const { done, value } = pieces.next();
          ended = done === true;
          given = done ? writer.close() : writer.write(value);
          given.catch(() => undefined); // The reader is told, too.
        }
      },
      async cancel() {
        reading?.catch(() => undefined);
        await Promise.allSettled([reader.cancel(), writer.abort()]);
      },
    },
    { highWaterMark: 0 },
  );
};

function* piecesOf(parts: readonly Uint8Array<ArrayBuffer>[]): Generator<Uint8Array<ArrayBuffer>, undefined> {
  for (const part of parts)
    for (let at = 0; at < part.length; at += PIECE_BYTES) yield part.subarray(at, at + PIECE_BYTES);
}
