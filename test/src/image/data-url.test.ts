import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decodeDataUrl, isDataUrl } from "#dist/image/data-url.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("image/data-url");
const decode = (url: string, max = 1000) => [...decodeDataUrl(url, "image 1", max)];

function refused(url: string, pattern: RegExp, max = 1000): void {
  refusedNow(() => decodeDataUrl(url, "image 1", max), "E_IMAGE", pattern);
}

test("the form of the reference, parameters and line ends included", () => {
  assert.equal(decode("data:image/png;base64,AQID"), [1, 2, 3]);
  assert.equal(decode("DATA:image/jpeg;base64,/+8="), [255, 239]);
  assert.equal(decode("data:image/png;name=a;base64,AQ\r\nID"), [1, 2, 3]);
  assert.equal(decode("data:image/webp;base64,"), []);
});

test("other forms", () => {
  refused("data:image/png,abc", /got "data:image\/png"/);
  refused("data:text/plain;base64,AQID", /got "data:text\/plain;base64"/);
  refused("data:;base64,AQID", /expected data:image/);
  refused("data:image/png;base64", /expected data:image/);
  refused(`data:${"x".repeat(1_000_000)}`, /1000007 characters/);
});

test("bytes that are not base64", () => {
  refused("data:image/png;base64,AQ*D", /expected base64 after the comma/);
  refused("data:image/png;base64,AQIDA", /expected base64 after the comma/);
  refused("data:image/png;base64,AQ==ID", /expected base64 after the comma/);
});

test("the limit holds before anything is decoded", () => {
  assert.is(decode(`data:image/png;base64,${"AAAA".repeat(100)}`, 300).length, 300);
  refused(`data:image/png;base64,${"AAAA".repeat(110)}`, /at most 300 bytes, got 440 characters/, 300);
});

test("what is a data: URL", () => {
  assert.ok(isDataUrl("data:image/png;base64,AQID"));
  assert.ok(isDataUrl("Data:x"));
  assert.not.ok(isDataUrl("./data:image.png"));
});

test.run();
