/**
 * A decoder process that does what the picture says after its JPEG signature: the ways in which a native decoder can fail, on order.
 */
import { Socket } from "node:net";
import { FRAME, FrameReader, frameHeader } from "#dist/entry/node/decoder-protocol.js";

const replies = new Socket({ fd: 3, readable: false, writable: true });

const faults: Record<string, () => void> = {
  exit: () => process.exit(1),
  kill: () => process.kill(process.pid, "SIGKILL"),
  segfault: () => process.kill(process.pid, "SIGSEGV"),
  hang: () => {},
  deaf: () => {
    process.stdin.destroy();
    setTimeout(() => process.exit(), 10_000);
    pixels();
  },
  "half an answer": () => {
    replies.write(frameHeader(FRAME.pixels, 2, 2, 12));
    replies.write(new Uint8Array(5), () => process.exit(0));
  },
  "wrong size": () => {
    replies.write(frameHeader(FRAME.pixels, 2, 2, 11));
    replies.write(new Uint8Array(11));
  },
  "no pixels": () => replies.write(frameHeader(FRAME.pixels, 0, 7, 0)),
  "too much": () => replies.write(frameHeader(FRAME.pixels, 65535, 65535, 2 ** 32 - 1)),
  "unknown kind": () => replies.write(frameHeader(77, 0, 0, 0)),
  noise: () => {
    process.stdout.write("on stdout");
    process.stderr.write("on stderr");
    pixels();
  },
  twice: () => {
    pixels();
    pixels();
  },
  refuse: () => text(FRAME.refused, "\n\u001b[31mred\u0007 bell\nsecond line\n"),
  flood: () => text(FRAME.refused, "x".repeat(100_000)),
  unusable: () => text(FRAME.unusable, "sharp 0.30.0 is installed"),
  arguments: () => text(FRAME.refused, `${process.execArgv.join(" ")} ${process.env["NODE_OPTIONS"] ?? "none"}`),
  pixels,
};

function pixels(): void {
  replies.write(frameHeader(FRAME.pixels, 1, 1, 3));
  replies.write(new Uint8Array([1, 2, 3]));
}

function text(kind: number, message: string): void {
  const payload = Buffer.from(message);
  replies.write(frameHeader(kind, 0, 0, payload.length));
  replies.write(payload);
}

const reader = new FrameReader(2 ** 26, ({ payload }) => faults[Buffer.from(payload).toString("latin1", 3)]?.());
process.stdin.on("data", (data: Buffer) => reader.push(data));
process.stdin.on("end", () => process.kill(process.pid, "SIGKILL"));
