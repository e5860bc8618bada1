import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Frame, FrameReader, frameHeader } from "#dist/entry/node/decoder-protocol.js";

const test = suite("entry/node/decoder-protocol");

test("frames come out whole, however the stream is cut", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 });
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, cuts) => {
      const stream = Buffer.concat(
        sent.flatMap((payload, i) => [frameHeader(i + 1, i * 7, 2 ** 32 - 1, payload.length), payload]),
      );
      const frames: Frame[] = [];
      const reader = new FrameReader(40, (frame) => frames.push(frame));
      for (let at = 0, i = 0; at < stream.length; i++) {
        const length = cuts[i % cuts.length]!;
        reader.push(stream.subarray(at, at + length));
        at += length;
      }
      assert.is(frames.length, sent.length);
      for (const [i, frame] of frames.entries()) {
        assert.equal([frame.kind, frame.width, frame.height], [i + 1, i * 7, 2 ** 32 - 1]);
        assert.equal([...frame.payload], [...sent[i]!]);
        assert.is(frame.payload.buffer.byteLength, sent[i]!.length);
      }
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("a claim beyond the limit is refused at the header", () => {
  const reader = new FrameReader(40, () => assert.unreachable());
  assert.throws(() => reader.push(frameHeader(1, 0, 0, 41)), /a frame of 41 bytes, limit 40/);
});

test.run();
