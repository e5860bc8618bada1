import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listRepository } from "#dist/weights/hub-listing.js";
import { closedPort } from "../../support/hub-home.js";
import { HubServer } from "../../support/hub-server.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";

const test = suite("weights/hub-listing");

const FILES = { "config.json": "{}", "model.safetensors": "x", "sub/a b.txt": "y" };
const REPOS = { "owner/name": { files: FILES }, "owner/secret": { files: FILES, token: "hf_secret" } };
const ID = { repo: "owner/name", revision: "main" };
const QUICK = { stallMs: 500, backoffMs: 1 };

test("every file of a revision", () =>
  HubServer.with(REPOS, async (server) => {
    assert.equal(await listRepository(server.url, ID, {}), ["config.json", "model.safetensors", "sub/a b.txt"]);
    const headers = () => ({ authorization: "Bearer hf_secret" });
    assert.is((await listRepository(server.url, { ...ID, repo: "owner/secret" }, { headers })).length, 3);
  }));

test("a hub that refuses, and one that is not there", () =>
  HubServer.with(REPOS, async (server) => {
    await refused(listRepository(server.url, { ...ID, repo: "owner/secret" }, {}), "E_NETWORK", /status 401/);
    await refused(listRepository(server.url, { ...ID, revision: "v9" }, {}), "E_NETWORK", /status 404/);
    await refused(
      listRepository(`http://127.0.0.1:${await closedPort()}`, ID, {}),
      "E_NETWORK",
      /listing the files of "owner\/name"/,
    );
  }));

test("what is in trouble for a moment is asked again", () =>
  HubServer.with(REPOS, async (server) => {
    server.misbehave({ times: 1, fault: { kind: "status", status: 503, headers: { "retry-after": "0" } } });
    server.misbehave({ times: 1, skip: 1, fault: { kind: "cut", after: 5 } });
    server.misbehave({ times: 1, skip: 2, fault: { kind: "stall", after: 5 } });
    assert.is((await listRepository(server.url, ID, QUICK)).length, 3);
    assert.is(server.requests.length, 4);
  }));

test("a listing that is none", () =>
  HubServer.with(REPOS, async (server) => {
    server.misbehave({ fault: { kind: "page" } });
    await refused(listRepository(server.url, ID, QUICK), "E_NETWORK");
  }));

test("a path that leads elsewhere is refused: it would become a file's name here", async () => {
  for (const path of ["../x", "a/../../x", "/etc/x", "a//b", "C:x", "a\\b", "a\0b", "a\nb", "", "x".repeat(2000)])
    await HubServer.with({ "owner/name": { files: { [path]: "x" } } }, async (server) => {
      await refused(listRepository(server.url, ID, {}), "E_NETWORK", /expected paths inside the repository/);
    });
});

test("an abort rejects with its reason", () =>
  HubServer.with(REPOS, async (server) => {
    server.misbehave({ fault: { kind: "stall", after: 0, beforeHeaders: true } });
    const controller = new AbortController();
    const listing = rejection(listRepository(server.url, ID, {}, controller.signal));
    setTimeout(() => controller.abort("stopped"), 50);
    assert.is(await listing, "stopped");
  }));

test.run();
