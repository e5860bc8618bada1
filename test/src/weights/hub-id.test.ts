import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hubIdText, isCommit, listingUrl, parseHubId, resolveUrl } from "#dist/weights/hub-id.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("weights/hub-id");

test("owner/name, with or without a revision", () => {
  for (const [text, repo, revision] of [
    ["deepseek-ai/Janus-Pro-1B", "deepseek-ai/Janus-Pro-1B", "main"],
    ["deepseek-ai/Janus-Pro-1B@main", "deepseek-ai/Janus-Pro-1B", "main"],
    ["a/b@v1.0", "a/b", "v1.0"],
    ["a/b.c_d-e@refs/pr/109", "a/b.c_d-e", "refs/pr/109"],
    [`a/b@${"0f".repeat(20)}`, "a/b", "0f".repeat(20)],
    [`${"a".repeat(96)}/b`, `${"a".repeat(96)}/b`, "main"],
  ] as const) {
    assert.equal(parseHubId(text), { repo, revision }, text);
  }
});

test("what is no hub id: paths, and names that no hub gives out", () => {
  const paths = ["/a/b", "./a/b", "../a", "~/a", "a", "a/b/c", "a\\b", "C:/a", ".a/b", "a/.b", "a/..", "../b"];
  const names = ["a--b/c", "a/b..c", "-a/b", "a/b-", "a/b.", "a/b.git", "a /b", "a/b c", "a/b?x", "a/b\n", "ä/b", ""];
  for (const text of [...paths, ...names, `${"a".repeat(97)}/b`]) assert.is(parseHubId(text), undefined, text);
});

test("a revision that could lead out of a folder, or is none, is refused", () => {
  for (const revision of [
    "",
    "..",
    "../x",
    "a/../b",
    "a/./b",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a b",
    "a\nb",
    "a\\b",
    "a@b",
    "a%2e",
    "a.lock",
    "x".repeat(300),
  ])
    refusedNow(() => parseHubId(`owner/name@${revision}`), "E_USAGE", /expected a branch, tag or commit after the @/);
});

test("a commit is 40 hexadecimal digits", () => {
  assert.ok(isCommit("0123456789abcdef0123456789abcdef01234567"));
  for (const text of [
    "main",
    "",
    "0".repeat(39),
    "0".repeat(41),
    "0".repeat(64),
    `${"0".repeat(39)}G`,
    `${"0".repeat(40)}\n`,
  ])
    assert.not(isCommit(text), text);
});

test("URLs: a revision is one segment", () => {
  const id = { repo: "a/b", revision: "refs/pr/1" };
  assert.is(resolveUrl("https://hub", id), "https://hub/a/b/resolve/refs%2Fpr%2F1/");
  assert.is(listingUrl("https://hub", id), "https://hub/api/models/a/b/revision/refs%2Fpr%2F1");
  assert.is(hubIdText(id), "a/b@refs/pr/1");
  assert.is(hubIdText({ repo: "a/b", revision: "main" }), "a/b");
});

test.run();
