import type { WeightSource } from "#dist/weights/source.js";

/** Files in memory. A read beyond the end is a plain Error, which no test takes for a refusal: readers must check sizes first. */
export class MemorySource implements WeightSource {
  readonly label = "memory";
  readonly reads: { path: string; offset: number; length: number }[] = [];
  readonly #files: Map<string, Uint8Array>;

  constructor(files: Record<string, Uint8Array | string>) {
    this.#files = new Map(
      Object.entries(files).map(([path, content]) => [
        path,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      ]),
    );
  }

  async size(path: string, signal?: AbortSignal): Promise<number | undefined> {
    signal?.throwIfAborted();
    return this.#files.get(path)?.length;
  }

  async read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const file = this.#files.get(path);
    if (file === undefined) throw new Error(`read of ${path}, which is not there`);
    if (!(offset >= 0 && length >= 0 && offset + length <= file.length))
      throw new Error(`read of ${length} at ${offset} in ${path}, which has ${file.length}`);
    this.reads.push({ path, offset, length });
    return file.slice(offset, offset + length);
  }
}
