/**
 * A file about to be written, as chunks that are made when they are asked for: what `fs.writeFile`, a `Blob` and `ReadableStream.from`
 * take. Data that is stored as it lies in memory is a view of the tensor, nothing copied: leave it alone until the file is written.
 */
export class EncodedFile implements Iterable<Uint8Array<ArrayBuffer>> {
  readonly byteLength: number;
  readonly #chunks: () => Iterable<Uint8Array<ArrayBuffer>>;

  constructor(byteLength: number, chunks: () => Iterable<Uint8Array<ArrayBuffer>>) {
    this.byteLength = byteLength;
    this.#chunks = chunks;
  }

  /** The chunks, made anew each time. */
  [Symbol.iterator](): Iterator<Uint8Array<ArrayBuffer>> {
    return this.#chunks()[Symbol.iterator]();
  }

  /** The whole file in memory of its own. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.byteLength);
    let at = 0;
    for (const chunk of this) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  }
}
