import { suite } from "uvu";
import * as assert from "uvu/assert";
import { printNote, progressBar } from "#dist/entry/node/terminal.js";

const test = suite("entry/node/terminal");

/** What `work` writes to a stderr that is, or is not, a terminal. */
function onStderr(isTTY: boolean, work: () => void): string {
  const { stderr } = process;
  const originals = { isTTY: stderr.isTTY, write: stderr.write };
  let written = "";
  stderr.isTTY = isTTY;
  stderr.write = (text: string | Uint8Array) => {
    written += text;
    return true;
  };
  try {
    work();
  } finally {
    Object.assign(stderr, originals);
  }
  return written;
}

test("a terminal gets one line that is redrawn now and then, and taken away", () => {
  const written = onStderr(true, () => {
    const bar = progressBar("loading");
    for (let done = 0; done <= 1000; done++) bar.update(500 + done / 1000, 1000);
    bar.end();
  });
  const clear = "\r\u001b[2K";
  assert.ok(written.startsWith(`${clear}loading ${"#".repeat(15)}${".".repeat(15)} 50 %`));
  assert.ok(written.endsWith(clear));
  assert.not.match(written, /\n/);
  assert.ok(written.split("\r").length < 20);
});

test("shares outside of 0 to 1 stay within the bar", () => {
  for (const [done, total] of [
    [0, 0],
    [3, 2],
  ] as const) {
    assert.match(
      onStderr(true, () => progressBar("x").update(done, total)),
      /x #{30} 100 %$/,
    );
  }
});

test("the next line takes the place of a bar, once", () => {
  const written = onStderr(true, () => {
    progressBar("loading").update(1, 4);
    printNote("janus: first");
    printNote("second");
  });
  assert.ok(written.endsWith(" 25 %\r\u001b[2Kjanus: first\nsecond\n"), JSON.stringify(written));
});

test("anything else gets nothing", () => {
  const written = onStderr(false, () => {
    const bar = progressBar("loading");
    bar.update(1, 2);
    bar.end();
  });
  assert.is(written, "");
});

test.run();
