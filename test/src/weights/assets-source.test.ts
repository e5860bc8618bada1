import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assetsSource } from "#dist/weights/assets-source.js";
import { HubServer } from "../../support/hub-server.js";
import { golden } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";

const test = suite("weights/assets-source");

const DIRECTORY = golden("checkpoints/tiny-orig-safetensors");
const FILE = "model.safetensors";

/** Assets that lie on a server, whatever host they are asked of. */
const withAssets = (work: (source: ReturnType<typeof assetsSource>, server: HubServer) => Promise<void>) => () =>
  HubServer.with({ "owner/tiny": { files: { directory: DIRECTORY }, lfs: () => false } }, async (server) => {
    const assets = {
      fetch: (request: Request) => fetch(new Request(`${server.url}${new URL(request.url).pathname}`, request)),
    };
    await work(assetsSource(assets, "/plain/owner/tiny"), server);
  });

for (const ranges of [true, false]) {
  test(
    `${ranges ? "with" : "without"} ranges: sizes, reads, reads into place, absent files`,
    withAssets(async (source, server) => {
      if (!ranges) {
        server.misbehave({ method: "GET", fault: { kind: "whole" } });
        server.misbehave({ method: "HEAD", fault: { kind: "no-length" } });
      }
      const size = (await source.size(FILE)) ?? 0;
      assert.ok(size > 100_000);
      assert.is(await source.size("none.json"), undefined);
      const whole = await source.read(FILE, 0, size);
      server.requests.length = 0;
      const parts = await Promise.all([
        source.read(FILE, 0, 1000),
        source.read(FILE, 5000, 2000),
        source.read(FILE, 90_000, 10),
      ]);
      for (const [at, begin] of [0, 5000, 90_000].entries())
        assert.equal(parts[at], whole.subarray(begin, begin + (parts[at]?.length ?? 0)));
      if (!ranges) assert.is(server.requests.length, 1, "one pass");
      const target = new Uint8Array(64);
      await source.readInto?.(FILE, 100, target);
      assert.equal(target, whole.subarray(100, 164));
      await refused(source.read(FILE, size - 1, 2), "E_IO", /is it cut short/);
      await refused(source.read("../secret", 0, 1), "E_IO", /relative path/);
    }),
  );
}

test(
  "a service that fails for a moment is asked again, a file that changes is E_INTEGRITY",
  withAssets(async (source, server) => {
    server.misbehave({ path: FILE, method: "GET", times: 2, fault: { kind: "status", status: 503 } });
    assert.is((await source.read(FILE, 0, 100)).length, 100);
    server.misbehave({ path: FILE, fault: { kind: "etag", etag: '"other"' } });
    await refused(source.read(FILE, 0, 100), "E_INTEGRITY", /unchanged since it was opened/);
  }),
);

test.run();
