import type { PixelArray, RgbImage } from "../image/pixels.js";
import type { SpecialTokens, TokenizerFiles, TokenizerOptions } from "../text/tokenizer.js";
import type { WorkerHandle } from "../threads/protocol.js";
import type { Variant } from "../wasm/variants.js";
import type { Blobs } from "../weights/blob-source.js";
import type { FileBytes } from "../weights/bytes-source.js";
import type { WeightSource } from "../weights/source.js";
import type { ProgressEvent } from "./options.js";

/** A tokenizer that runs where it can be stopped. */
export interface TokenizerHandle {
  special(signal?: AbortSignal): Promise<SpecialTokens>;
  encode(texts: readonly string[], signal?: AbortSignal): Promise<number[][]>;
  dispose(): Promise<void>;
}

/** A source that holds something open. */
export interface ModelSource extends WeightSource {
  /** Whether what is read comes from a server. */
  readonly remote?: boolean;
  /** What was not as expected, in words; it grows while the source is read. */
  readonly notes?: readonly string[];
  close(): Promise<void>;
}

/**
 * A checkpoint: a directory, an http(s) URL below which its files lie, a hub id (`owner/name`), the files themselves (Blobs, Files or bytes by path, or the list of Files
 * of an `<input webkitdirectory>`), or storage of the caller's own.
 */
export type ModelInput = string | URL | Blobs | FileBytes | WeightSource;

/**
 * A picture: a path, a URL (`file:` or `data:`; in a browser what can be fetched), the bytes of a JPEG, PNG or WebP (as they are, or in a Blob), or its 8-bit RGB or
 * RGBA pixels.
 */
export type ImageInput = string | URL | Blob | ArrayBufferLike | ArrayBufferView | PixelArray;

/** A flag of the engine, for the whole process, that holds for what is compiled after it was set. */
export interface EngineFlag {
  readonly name: string;
  set(on: boolean): void;
}

/** What a host (Node, a browser, an edge worker) gives; everything else is the same everywhere. */
export interface Host {
  /** Name and version, as `node 20.20.2`. */
  readonly engine: string;
  /** V8 flags and the like that are in force and change how kernels run. */
  engineFlags(): readonly string[];
  /** Flags that are not, and may make kernels faster. */
  offeredFlags(): readonly EngineFlag[];
  /** What `threads: "auto"` becomes. */
  availableThreads(): number;
  /** Why there can be one thread alone, in words; absent where there can be several. */
  readonly oneThread?: string | undefined;
  /** Whether caller and workers can share memory, and one wait for the other: not where they are one thread. Left out: where the engine has SharedArrayBuffer. */
  readonly sharesMemory?: boolean;
  /** A variant's binary: its bytes, or its module where the host compiles ahead of time and nothing else may. */
  binary(variant: Variant): Promise<Uint8Array<ArrayBuffer> | WebAssembly.Module>;
  startWorker(): WorkerHandle;
  /** `onProgress` hears of whole files that come from a server. */
  openModel(model: ModelInput, signal?: AbortSignal, onProgress?: (event: ProgressEvent) => void): Promise<ModelSource>;
  /** A prompt may come soon: starts what tokenizing needs besides the model's files. */
  expectPrompt(): void;
  startTokenizer(files: TokenizerFiles, options: TokenizerOptions): TokenizerHandle;
  /** Decodes a picture to packed RGB that the caller owns; `index` names it in errors when it has no path. */
  decode(image: ImageInput, index: number, signal?: AbortSignal): Promise<RgbImage>;
  /** Ends what decoding and the expectation of a prompt started. */
  dispose(): Promise<void>;
}
