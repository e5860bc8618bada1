import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { PIXELS_MAX } from "../../image/pixels.js";
import { FRAME, type Frame, FrameReader, frameHeader, REPLY_DESCRIPTOR } from "./decoder-protocol.js";

/** What a child reports. Nothing is reported after `end()`. */
export interface DecoderChildEvents {
  onFrame(frame: Frame): void;
  /** No process could be made. */
  onUnstarted(why: string): void;
  /** The process has gone, or what it sent is not a frame; `why` continues "the decoder process …". */
  onLost(why: string): void;
}

/** One child process. It keeps the parent alive only while held. */
export class DecoderChild {
  readonly #process: ChildProcess;
  /** Undefined when there are no descriptors left; `onUnstarted` follows then. */
  readonly #pictures: Socket | undefined;
  readonly #replies: Socket | undefined;
  readonly #gone: Promise<void>;
  #events: DecoderChildEvents | undefined;

  /** @throws what `spawn` throws, where processes are not allowed. */
  constructor(program: URL, events: DecoderChildEvents) {
    this.#events = events;
    const path = fileURLToPath(program);
    this.#process = spawn(process.execPath, ["--expose-gc", path], {
      // The parent's folder may have been removed, and Node does not start in a folder that is not there.
      cwd: dirname(path),
      env: childEnvironment(process.env),
      stdio: ["pipe", "ignore", "ignore", "pipe"],
      windowsHide: true,
    });
    this.#pictures = this.#process.stdin as Socket | undefined;
    this.#replies = this.#process.stdio[REPLY_DESCRIPTOR] as Socket | undefined;
    const reader = new FrameReader(PIXELS_MAX * 3, (frame) => this.#events?.onFrame(frame));
    this.#gone = new Promise((resolve) => {
      this.#process.once("error", (error) => {
        const events = this.#events;
        this.#events = undefined;
        events?.onUnstarted(error.message);
        resolve();
      });
      this.#process.once("close", (status, signal) => {
        this.#lose(signal === null ? `ended with status ${status}` : `was ended by ${signal}`);
        resolve();
      });
    });
    // A broken pipe is followed by "close", which says why.
    this.#pictures?.on("error", () => {});
    this.#replies?.on("error", () => {});
    this.#replies?.on("data", (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#lose(`sent ${(error as Error).message}`);
      }
    });
  }

  /** Sends one picture. The bytes must stay as they are until the answer. */
  send(picture: Uint8Array): void {
    this.#pictures?.write(frameHeader(FRAME.picture, 0, 0, picture.length));
    this.#pictures?.write(picture);
  }

  hold(): void {
    this.#process.ref();
    this.#replies?.ref();
  }

  release(): void {
    this.#process.unref();
    this.#replies?.unref();
  }

  /** Kills the process, whatever it is doing; settles when it has gone. */
  end(): Promise<void> {
    this.#events = undefined;
    this.#process.kill("SIGKILL");
    return this.#gone;
  }

  #lose(why: string): void {
    const events = this.#events;
    if (!events) return;
    void this.end();
    events.onLost(why);
  }
}

/** The parent's environment, less what would make the child open a debugger's port; `execArgv` is not passed on at all. */
function childEnvironment(parent: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const options = parent["NODE_OPTIONS"];
  return options === undefined ? parent : { ...parent, NODE_OPTIONS: options.replace(/(^|\s)--inspect\S*/g, "$1") };
}
