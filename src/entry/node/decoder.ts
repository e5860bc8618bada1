import { JanusError } from "../../errors.js";
import { describeContent, imageFormat } from "../../image/format.js";
import type { RgbImage } from "../../image/pixels.js";
import { DecoderChild } from "./decoder-child.js";
import { DECODE_SECONDS, FRAME, type Frame, PICTURE_BYTES_MAX } from "./decoder-protocol.js";

/** Decodes JPEG, PNG and WebP in a child process, one picture after the other. */
export interface Decoder {
  /**
   * The RGB bytes that Pillow's `convert("RGB")` gives: first frame, no EXIF rotation, no colour profile, alpha dropped.
   *
   * `label` is what messages call the picture; `bytes` must be plain memory that nobody changes before the promise settles.
   * Rejects with JanusError E_IMAGE (also when the process dies of the picture; the next call starts another), E_UNSUPPORTED where
   * the process cannot work at all, E_DISPOSED, or with the signal's reason.
   */
  decode(bytes: Uint8Array, label: string, signal?: AbortSignal): Promise<RgbImage>;
  /** Ends the process and rejects what is queued with E_DISPOSED. */
  dispose(): Promise<void>;
}

export interface DecoderOptions {
  /** The child's program, when not decoder-process.js. */
  program?: URL;
  /** After this many milliseconds the child is killed. */
  deadline?: number;
}

/** libvips' own limit ends most pictures; it is only looked at between rows, so the process has a harder one. */
const DEADLINE_MS = (DECODE_SECONDS + 10) * 1000;

/** What is shown of a reason; libvips' are a line or a few. */
const REASON_MAX = 200;

/** The next step when the process failed rather than the picture's content. */
const RETRY = "try once more, or save the picture anew";

/** A decoder whose process starts with the first picture and does not keep the caller's process alive while idle. */
export function createDecoder(options: DecoderOptions = {}): Decoder {
  return new ChildDecoder(options);
}

interface Job {
  readonly bytes: Uint8Array;
  readonly label: string;
  resolve(image: RgbImage): void;
  reject(reason: unknown): void;
  /** Takes the job's listener off its signal. */
  unlisten(): void;
}

class ChildDecoder implements Decoder {
  readonly #program: URL;
  readonly #deadline: number;
  readonly #queue: Job[] = [];
  #active: Job | undefined;
  #child: DecoderChild | undefined;
  #timer: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor({ program, deadline }: DecoderOptions) {
    this.#program = program ?? new URL("./decoder-process.js", import.meta.url);
    this.#deadline = deadline ?? DEADLINE_MS;
  }

  async decode(bytes: Uint8Array, label: string, signal?: AbortSignal): Promise<RgbImage> {
    signal?.throwIfAborted();
    if (this.#disposed) throw disposedError(label);
    checkContent(bytes, label);
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#abort(job, signal?.reason);
      const unlisten = () => signal?.removeEventListener("abort", onAbort);
      const job: Job = { bytes, label, resolve, reject, unlisten };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#queue.push(job);
      this.#next();
    });
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const job of this.#queue.splice(0)) {
      job.unlisten();
      job.reject(disposedError(job.label));
    }
    const child = this.#child;
    this.#child = undefined;
    this.#settle((job) => job.reject(disposedError(job.label)));
    child?.hold();
    await child?.end();
  }

  #next(): void {
    if (this.#active) return;
    const job = this.#queue.shift();
    if (!job) return;
    this.#active = job;
    this.#timer = setTimeout(() => {
      this.#drop();
      this.#refuse(`no answer within ${this.#deadline / 1000} s`, RETRY);
    }, this.#deadline);
    try {
      this.#child ??= this.#start();
      this.#child.hold();
      this.#child.send(job.bytes);
    } catch (error) {
      this.#settle(() => job.reject(unusableError((error as Error).message)));
    }
  }

  #start(): DecoderChild {
    return new DecoderChild(this.#program, {
      onFrame: (frame) => this.#receive(frame),
      onUnstarted: (why) => {
        this.#child = undefined;
        this.#settle((job) => job.reject(unusableError(why)));
      },
      onLost: (why) => {
        this.#child = undefined;
        this.#refuse(`the decoder process ${why}`, RETRY);
      },
    });
  }

  #receive(frame: Frame): void {
    const { kind, width, height, payload } = frame;
    if (!this.#active) {
      this.#drop();
    } else if (kind === FRAME.pixels && payload.length > 0 && payload.length === width * height * 3) {
      this.#settle((job) => job.resolve({ width, height, data: payload }));
    } else if (kind === FRAME.refused) {
      this.#refuse(firstLine(payload), "give a complete JPEG, PNG or WebP");
    } else if (kind === FRAME.unusable) {
      this.#drop();
      this.#settle((job) => job.reject(unusableError(firstLine(payload))));
    } else {
      this.#drop();
      this.#refuse(`the decoder process sent kind ${kind}, ${width}x${height}, ${payload.length} bytes`, RETRY);
    }
  }

  #abort(job: Job, reason: unknown): void {
    if (this.#active === job) {
      this.#drop();
      this.#settle(() => job.reject(reason));
    } else {
      this.#queue.splice(this.#queue.indexOf(job), 1);
      job.reject(reason);
    }
  }

  /** Ends the active job, if there is one, and goes on with the next. */
  #settle(finish: (job: Job) => void): void {
    const job = this.#active;
    if (!job) return;
    clearTimeout(this.#timer);
    this.#active = undefined;
    this.#child?.release();
    job.unlisten();
    finish(job);
    this.#next();
  }

  #refuse(why: string, nextStep: string): void {
    this.#settle((job) =>
      job.reject(new JanusError("E_IMAGE", `${job.label}: cannot be decoded: ${why}; ${nextStep}`)),
    );
  }

  /** Kills the process; the next picture starts another. */
  #drop(): void {
    const child = this.#child;
    this.#child = undefined;
    child?.release();
    void child?.end();
  }
}

/** Refuses what no decoder is needed for: nothing but the three formats ever reaches libvips. */
function checkContent(bytes: Uint8Array, label: string): void {
  if (bytes.length > PICTURE_BYTES_MAX) {
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected at most ${PICTURE_BYTES_MAX} bytes, got ${bytes.length}; give a smaller picture`,
    );
  }
  if (imageFormat(bytes) === undefined) {
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected a JPEG, PNG or WebP, got ${describeContent(bytes)}; give it in one of these formats`,
    );
  }
}

function disposedError(label: string): JanusError {
  return new JanusError("E_DISPOSED", `${label}: not decoded, the decoder has been disposed; create another`);
}

function unusableError(why: string): JanusError {
  return new JanusError(
    "E_UNSUPPORTED",
    `pictures cannot be decoded here: ${why}; install sharp, or give pixels as { width, height, data }`,
    { origin: "input" },
  );
}

/** A message from libvips as part of a sentence: its first line, printable, bounded. */
function firstLine(payload: Uint8Array): string {
  const text = new TextDecoder().decode(payload.subarray(0, REASON_MAX * 4));
  const line = text.split(/[\r\n]/).find((candidate) => candidate.trim() !== "") ?? "no reason given";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal.
  const printable = line.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ").trim();
  return printable.length > REASON_MAX ? `${printable.slice(0, REASON_MAX)}…` : printable;
}
