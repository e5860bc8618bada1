import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModelSource } from "#dist/entry/node/model-source.js";
import { withHub } from "../../../support/hub-home.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/model-source");

/** Runs `work` with an empty folder as the working directory. */
function inside(work: (folder: string) => Promise<void>): Promise<void> {
  const before = process.cwd();
  return inScratch(async (folder) => {
    process.chdir(folder);
    try {
      await work(folder);
    } finally {
      process.chdir(before);
    }
  });
}

test("an existing path wins over a URL and a hub id; L04: whatever it is called", () =>
  inside(async (folder) => {
    for (const name of [
      "owner/name",
      "https:/example.com",
      "with space",
      "模型 é😀",
      "new\nline",
      "-leading",
      "--model",
    ]) {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, "config.json"), "{}");
      for (const model of [name, `./${name}`, join(folder, name), `${name}/`]) {
        const source = await openModelSource(model);
        assert.is(await source.size("config.json"), 2, model);
        await source.close();
      }
    }
    const source = await openModelSource("https://example.com");
    assert.is(await source.size("config.json"), 2, "the folder https:/example.com");
    await source.close();
  }));

test("what does not exist is a URL, a hub id, or nothing", () =>
  inside((folder) =>
    withHub({ "owner/name": { files: { "config.json": "{}" } } }, async (server) => {
      const base = server.plain("owner/name");
      const models = [base, base.replace("http:", "HTTP:"), base.slice(0, -1), new URL(base)];
      for (const model of [...models, "owner/name", "owner/name@main", `owner/name@${server.commit("owner/name")}`]) {
        const source = await openModelSource(model);
        assert.is(await source.size("config.json"), 2, String(model));
        assert.equal(await source.read("config.json", 0, 2), new TextEncoder().encode("{}"));
        assert.ok(source.remote);
        await source.close();
      }
      const asked = server.requests.length;
      mkdirSync(join(folder, "owner/name"), { recursive: true });
      await openModelSource("owner/name").then((source) => source.close());
      await refused(
        openModelSource("owner/name@..").then((source) => source.close()),
        "E_USAGE",
        /after the @/,
      );
      const paths = ["/owner/none", "./owner/none", "../owner/none", ".owner/none", join(folder, "none")];
      for (const path of [
        ...paths,
        "name",
        "a/b/c",
        "",
        "ftp://a/b",
        "owner/name?x",
        "~/x",
        "a\0b",
        "x".repeat(5000),
      ]) {
        const error = await refused(openModelSource(path), "E_IO", /^opening ".*; name a checkpoint directory/);
        assert.is(error.origin, "model", path);
      }
      assert.is(server.requests.length, asked, "a path that is there, and what is no id, ask nobody");
    }),
  ));

test("a URL is called without what is secret in it, and one that is none is refused so", () =>
  inside(() =>
    withHub({}, async () => {
      // Longer than the name of a file may be.
      const signed = `https://user:secret@example.com/model?sig=secret&x=${"x".repeat(5000)}`;
      for (const [url, label] of [
        ["https://example.com/model", "https://example.com/model/"],
        ["HTTP://example.com", "http://example.com/"],
        [signed, "https://example.com/model/"],
        [new URL(signed), "https://example.com/model/"],
      ] as const) {
        const source = await openModelSource(url);
        assert.is(source.label, label);
        await source.close();
      }
      for (const url of ["https://", "http://a b/", "https://u:secret/@x?secret"]) {
        const error = await refused(
          openModelSource(url),
          "E_USAGE",
          /^opening a URL: expected http:\/\/ or https:\/\//,
        );
        assert.not.match(error.message, /secret/);
      }
      await refused(openModelSource(new URL("ftp://example.com/x")), "E_USAGE", /^opening a URL/);
    }),
  ));

test("a file: URL is its directory", () =>
  inside(async (folder) => {
    mkdirSync("a b");
    writeFileSync("a b/config.json", "{}");
    const source = await openModelSource(pathToFileURL(join(folder, "a b")));
    assert.is(await source.size("config.json"), 2);
    await source.close();
  }));

test("a file, and a path that cannot be followed, say so", () =>
  inside(async () => {
    writeFileSync("weights.safetensors", "");
    symlinkSync("loop", "loop");
    for (const [path, message] of [
      ["weights.safetensors", /expected a checkpoint directory, got a file; name the directory it lies in/],
      ["./weights.safetensors/x", /no such directory/],
      ["loop", /ELOOP/],
    ] as const) {
      const error = await openModelSource(path).catch((caught) => caught);
      assert.match(error.message, message);
    }
  }));

test("a source of the caller's own is used, and stays open", async () => {
  let closed = false;
  const own = {
    label: "mine",
    size: async () => 3,
    read: async (_: string, offset: number, length: number) => Uint8Array.of(1, 2, 3).subarray(offset, offset + length),
    close: async () => {
      closed = true;
    },
  };
  const source = await openModelSource(own);
  assert.is(source.label, "mine");
  assert.is(await source.size("x"), 3);
  assert.equal(await source.read("x", 1, 2), Uint8Array.of(2, 3));
  await source.close();
  assert.not(closed);
  assert.is(await openModelSource(own, AbortSignal.abort("stopped")).catch((reason) => reason), "stopped");
});

test("what is neither a name nor a source is refused", async () => {
  for (const wrong of [undefined, null, 5, {}, { size: async () => 0 }]) {
    await refused(
      openModelSource(wrong as never),
      "E_USAGE",
      /^opening a model: expected a directory, a URL, a hub id, files by path or a WeightSource, got/,
    );
  }
});

test.run();
