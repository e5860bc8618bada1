import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isHttp, remoteName } from "#dist/entry/remote-name.js";

const test = suite("entry/remote-name");

test("an http(s) URL, in any case of letters, is a URL", () => {
  for (const url of ["https://host/models", "http://127.0.0.1:8000/", "HTTPS://host"]) {
    assert.ok(isHttp(url));
    assert.equal(remoteName(url), { url });
  }
});

test("owner/name is a hub id, with a revision or without", () => {
  assert.equal(remoteName("owner/name"), { hub: { repo: "owner/name", revision: "main" } });
  assert.equal(remoteName("owner/name@v1"), { hub: { repo: "owner/name", revision: "v1" } });
});

test("paths, other schemes and single words are neither", () => {
  for (const name of ["/models/demo", "./owner/name", "../name", "name", "file:///models", "ftp://host/a", "a/b/c", ""])
    assert.is(remoteName(name), undefined, name);
});

test.run();
