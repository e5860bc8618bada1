import { writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readHubSettings } from "#dist/entry/node/hub-settings.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/hub-settings");

test("folders and endpoint, by huggingface_hub's rules", async () => {
  const { endpoint, hubCache, ranges, offline } = await readHubSettings({ HF_TOKEN: "hf_x" });
  const home = join(homedir(), ".cache/huggingface");
  assert.equal(
    { endpoint, hubCache, ranges, offline },
    {
      endpoint: "https://huggingface.co",
      hubCache: `${home}/hub`,
      ranges: `${home}/janus-wasm/ranges`,
      offline: false,
    },
  );
  for (const [env, hubCache, ranges] of [
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub", "/x/huggingface/janus-wasm/ranges"],
    [{ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }, "/h/hub", "/h/janus-wasm/ranges"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }, "/old", "/h/janus-wasm/ranges"],
    [{ HF_HOME: "/h", HF_HUB_CACHE: "/c", HUGGINGFACE_HUB_CACHE: "/old" }, "/c", "/h/janus-wasm/ranges"],
    [{ HF_HOME: "/h", JANUS_WASM_CACHE: "/own" }, "/h/hub", "/own/ranges"],
    [{ HF_HOME: "~/h" }, join(homedir(), "h/hub"), join(homedir(), "h/janus-wasm/ranges")],
    [{ HF_HOME: "  ", XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub", "/x/huggingface/janus-wasm/ranges"],
  ] as const) {
    const read = await readHubSettings(env);
    assert.equal([read.hubCache, read.ranges], [hubCache, ranges], JSON.stringify(env));
  }
  assert.is((await readHubSettings({ HF_ENDPOINT: "https://mirror/hf//" })).endpoint, "https://mirror/hf");
});

test("HF_HUB_OFFLINE", async () => {
  for (const value of ["1", "ON", "yes", "True"]) {
    assert.ok((await readHubSettings({ HF_HUB_OFFLINE: value })).offline, value);
    assert.ok((await readHubSettings({ TRANSFORMERS_OFFLINE: value })).offline, value);
  }
  for (const value of ["", "0", "off", "no"])
    assert.not((await readHubSettings({ HF_HUB_OFFLINE: value })).offline, value);
});

test("an endpoint that is none is refused, its password unsaid", async () => {
  for (const HF_ENDPOINT of ["hub", "ftp://hub", "https://hub/?x", "https://hub/#x", "https://me:secret@hub"]) {
    const error = await refused(readHubSettings({ HF_ENDPOINT }), "E_USAGE", /in HF_ENDPOINT/);
    assert.not.match(error.message, /secret/);
  }
});

test("the token: HF_TOKEN, or a file; for the endpoint's own origin alone", () =>
  inScratch(async (folder) => {
    const HF_ENDPOINT = "https://hub.test/api";
    const sent = async (env: NodeJS.ProcessEnv, url = "https://hub.test/x"): Promise<string | undefined> =>
      (await readHubSettings({ HF_ENDPOINT, HF_HOME: folder, ...env })).headers(new URL(url))["authorization"];
    assert.is(await sent({}), undefined, "none");
    writeFileSync(join(folder, "token"), " hf_file\n");
    writeFileSync(join(folder, "other"), "hf_other");
    assert.is(await sent({}), "Bearer hf_file");
    assert.is(await sent({ HF_TOKEN_PATH: join(folder, "other") }), "Bearer hf_other");
    assert.is(await sent({ HF_TOKEN_PATH: join(folder, "absent") }), undefined);
    assert.is(await sent({ HF_TOKEN_PATH: folder }), undefined, "a folder");
    assert.is(await sent({ HF_TOKEN: "hf_said" }), "Bearer hf_said");
    assert.is(await sent({ HUGGING_FACE_HUB_TOKEN: "hf_legacy" }), "Bearer hf_legacy");
    assert.is(await sent({ HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }), undefined);
    for (const url of ["https://cdn.test/x", "http://hub.test/x", "https://hub.test:8443/x", "https://hub.test.evil/x"])
      assert.is(await sent({}, url), undefined, url);
  }));

test("a token that no header can hold is refused, unsaid", async () => {
  for (const HF_TOKEN of ["hf secret", "hf\nsecret", "hf_sécret", `secret${"x".repeat(2000)}`]) {
    const error = await refused(readHubSettings({ HF_TOKEN }), "E_USAGE", /HF_TOKEN/);
    assert.not.match(error.message, /s[eé]cret/);
  }
});

test("settings say no token, however they are printed", async () => {
  const settings = await readHubSettings({ HF_TOKEN: "hf_secret" });
  assert.not.match(JSON.stringify(settings) + String(settings.headers), /hf_secret/);
});

test.run();
