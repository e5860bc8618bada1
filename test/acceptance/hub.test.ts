/** Checkpoints on a hub, through the command line: loaded, pulled, interrupted, by several processes at once, and shared with Python. */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CliOptions, type CliResult, janus, temporaryFolder } from "../support/cli.js";
import { closedPort, withEnvironment, withHub } from "../support/hub-home.js";
import type { HubServer } from "../support/hub-server.js";
import { golden, ROOT } from "../support/paths.js";
import { pythonTest, runPython } from "../support/python.js";
import { until } from "../support/waiting.js";

const test = suite("hub");

const DEMO = `${ROOT}models/demo`;
const ID = "owner/demo";

const withDemo = (work: (server: HubServer, home: string) => Promise<void>): Promise<void> =>
  withHub(
    { [ID]: { files: { directory: DEMO } }, "owner/secret": { files: { directory: DEMO }, token: "hf_secret" } },
    work,
  );

const offline = <T>(server: HubServer, home: string, work: () => Promise<T>): Promise<T> =>
  withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home, HF_HUB_OFFLINE: "1" }, work);

const output = (home: string, name: string): string => join(home, `${name}.safetensors`);

function embed(model: string, to: string, options?: CliOptions): Promise<CliResult> {
  const image = `${DEMO}/examples/06.png`;
  return janus(
    ["embed", "--model", model, "--question", "What is on the right?", "--image", image, "--output", to],
    options,
  );
}

async function done(running: Promise<CliResult>): Promise<CliResult> {
  const result = await running;
  assert.is(result.status, 0, result.stderr);
  return result;
}

/** The embeddings of the directory, to compare with. */
let expected = Buffer.alloc(0);

test.before(async () => {
  const to = join(temporaryFolder(), "direct.safetensors");
  await done(embed(DEMO, to));
  expected = readFileSync(to);
});

/** Files below a folder, without what a killed process may leave under a temporary name. */
function finalNames(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && !/^\.|\.incomplete$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Every range holds as many bytes as its name says, and every blob as many as the file it is of. */
function nothingHalf(home: string): void {
  const sizes = new Set(
    readdirSync(DEMO, { recursive: true, encoding: "utf8" })
      .filter((path) => /\.\w+$/.test(path))
      .map((path) => readFileSync(join(DEMO, path)).length),
  );
  for (const path of finalNames(home)) {
    const length = /\/\d+-(\d+)-[0-9a-f]{64}$/.exec(path)?.[1];
    if (length !== undefined) assert.is(readFileSync(path).length, Number(length), path);
    if (path.includes("/blobs/")) assert.ok(sizes.has(readFileSync(path).length), path);
  }
}

test("a hub id and a URL embed to the bytes of the directory; a second run transfers none", () =>
  withDemo(async (server, home) => {
    for (const [name, model] of [
      ["id", ID],
      ["url", server.plain(ID)],
    ] as const) {
      await done(embed(model, output(home, name)));
      assert.ok(readFileSync(output(home, name)).equals(expected));
      const before = server.sent();
      await done(embed(model, output(home, `${name}-again`)));
      assert.is(server.sent(), before);
      assert.ok(readFileSync(output(home, `${name}-again`)).equals(expected));
    }
    await offline(server, home, () => done(embed(ID, output(home, "offline"))));
  }));

test("inspect and pack take a hub id", () =>
  withDemo(async (server, home) => {
    const [here, there] = await Promise.all(
      [DEMO, ID].map((model) => done(janus(["inspect", "--model", model, "--json"]))),
    );
    assert.is(there!.stdout, here!.stdout);
    assert.ok(server.sent() < 20_000, "headers and configuration");
    for (const [name, model] of [
      ["here", DEMO],
      ["there", ID],
    ] as const)
      await done(janus(["pack", "--model", model, "--output", join(home, name)]));
    assert.ok(server.sent() < 2_200_000, "the tensors in use, and small files: a hub says the digest of the rest");
    for (const file of readdirSync(join(home, "here")))
      assert.ok(readFileSync(join(home, "here", file)).equals(readFileSync(join(home, "there", file))), file);
  }));

test("pull says what goes where before it fetches, and --json is one object", () =>
  withDemo(async (_, home) => {
    const dry = await done(janus(["pull", ID, "--dry-run"]));
    assert.match(
      dry.stderr,
      /^pulling owner\/demo at commit [0-9a-f]{40}\n {2}6 files: 3\d\.\d kB of 37\.\d kB go to /,
    );
    const pulled = await done(janus(["pull", ID]));
    assert.is(pulled.stdout, "");
    assert.match(
      pulled.stderr,
      new RegExp(`tensors in use: 2\\.0 MB of 2\\.0 MB go to ${home}/janus-wasm/ranges/.*\\nfetched 2\\.1 MB in`),
    );
    const again = await done(janus(["pull", ID, "--json"]));
    assert.match(again.stderr, /the tensors in use: all 2\.0 MB are in /);
    const report = JSON.parse(again.stdout);
    assert.equal(Object.keys(report).sort(), ["fetched", "label", "notes", "ranges", "revision", "timings", "whole"]);
    assert.is(report.fetched, 0);
    assert.is(again.stdout.split("\n").length, 2);
  }));

test("exit statuses: 6 network, 4 what is missing offline or cannot be kept, 2 usage", () =>
  withDemo(async (server, home) => {
    const fails = async (status: number, pattern: RegExp, args: string[]): Promise<void> => {
      const { status: got, stderr, stdout } = await janus(args);
      assert.is(got, status, stderr);
      assert.match(stderr, pattern);
      assert.is(stdout, "");
    };
    await fails(6, /^janus: E_NETWORK: .*status 401.*; there is no such repository, or it is private/, [
      "pull",
      "owner/none",
    ]);
    await fails(6, /^janus: E_NETWORK: .*status 404.*; there is no such branch/, ["inspect", "--model", `${ID}@v9`]);
    await fails(2, /^janus: E_USAGE: pull: expected a hub id/, ["pull", "./demo"]);
    await fails(2, /^janus: E_USAGE: missing required argument 'model'; see janus pull --help/, ["pull"]);
    await offline(server, home, () => fails(4, /^janus: E_IO: .*HF_HUB_OFFLINE is set/, ["inspect", "--model", ID]));
    const away = { HF_ENDPOINT: `http://127.0.0.1:${await closedPort()}`, HF_HOME: home };
    await withEnvironment(away, () => fails(6, /^janus: E_NETWORK: .*ECONNREFUSED/, ["pull", ID]));
    writeFileSync(join(home, "file"), "");
    await withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: join(home, "file/x") }, () =>
      fails(4, /^janus: E_IO: write .*ENOTDIR/, ["pull", ID]),
    );
  }));

test("a token is never printed, and never leaves for another origin", () =>
  withDemo((server, home) =>
    withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home, HF_TOKEN: "hf_secret" }, async () => {
      const runs = [
        await done(janus(["pull", "owner/secret", "--verbose"])),
        await done(janus(["pull", "owner/secret", "--all", "--json"])),
        await janus(["pull", "owner/none", "--verbose"]),
        await janus(["pull", "owner/secret@v9", "--verbose"]),
      ];
      for (const { stdout, stderr } of runs) assert.not.match(stdout + stderr, /hf_secret/);
      assert.ok(server.requests.some(({ at }) => at === "cdn"));
      for (const { at, headers } of server.requests)
        assert.is(headers.authorization, at === "hub" ? "Bearer hf_secret" : undefined);
    }),
  ));

test("F09: a disk that takes no file of size is said, and the run goes on from memory", () =>
  withDemo(async (_, home) => {
    const to = output(home, "limited");
    // Files of 4 KB and 60 KB at most: the header, and most tensors, do not fit into the store; the result does.
    const result = await janus(["inspect", "--model", ID], { shell: 'ulimit -f 8; exec "$@"' });
    assert.is(result.status, 0, result.stderr);
    const embedded = await embed(ID, to, { shell: 'ulimit -f 120; exec "$@"' });
    assert.is(embedded.status, 0, embedded.stderr);
    assert.match(embedded.stderr, /note: nothing can be kept in .*ranges.*EFBIG/);
    assert.ok(readFileSync(to).equals(expected));
    nothingHalf(home);
    const left = readdirSync(home, { recursive: true, encoding: "utf8" }).filter((path) =>
      /\.tmp\.|\.incomplete$/.test(path),
    );
    assert.equal(left, [], "nor anything that takes up the disk");
  }));

for (const [what, flags] of [
  ["ranges", []],
  ["--all", ["--all"]],
] as const) {
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    test(`pull, ${what}: ${signal} leaves nothing half under a final name, and the next one goes on`, () =>
      withDemo(async (server, home) => {
        const slow = { kind: "slow", bytes: 40_000, everyMs: 20 } as const;
        server.misbehave({ at: "cdn", method: "GET", path: "model.safetensors", skip: 2, fault: slow });
        const stop = async (child: ChildProcess): Promise<void> => {
          await until(() => server.sent(/model\.safetensors/) > 600_000, "half of it is there");
          process.kill(child.pid!, signal);
        };
        let stopping: Promise<void> | undefined;
        const result = await janus(["pull", ID, ...flags], {
          onStart: (child) => {
            stopping = stop(child);
          },
        });
        await stopping;
        if (signal === "SIGINT") {
          assert.is(result.status, 130, result.stderr);
          assert.match(result.stderr, /janus: interrupted by SIGINT\n$/);
        } else assert.is(result.signal, "SIGKILL");
        nothingHalf(home);
        server.behave();
        await done(janus(["pull", ID, ...flags]));
        nothingHalf(home);
        await offline(server, home, () => done(embed(ID, output(home, "offline"))));
        assert.ok(readFileSync(output(home, "offline")).equals(expected));
      }));
  }
}

test("F14: processes that fetch the same at once all end with a good store", () =>
  withDemo(async (server, home) => {
    const runs = [
      embed(ID, output(home, "a")),
      embed(ID, output(home, "b")),
      janus(["pull", ID]),
      janus(["pull", ID, "--all"]),
      janus(["pull", ID, "--all"]),
    ];
    for (const run of runs) await done(run);
    nothingHalf(home);
    for (const name of ["a", "b"]) assert.ok(readFileSync(output(home, name)).equals(expected));
    await offline(server, home, () => done(embed(ID, output(home, "c"))));
    assert.ok(readFileSync(output(home, "c")).equals(expected));
  }));

/** The real package speaks to the same server. */
const python = (program: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> =>
  runPython(program, args, {
    HF_HUB_OFFLINE: "",
    HF_HUB_DISABLE_TELEMETRY: "1",
    HF_HUB_DISABLE_PROGRESS_BARS: "1",
    ...env,
  });

pythonTest(test)("what huggingface_hub downloaded is found, and nothing of it is fetched again", () =>
  withDemo(async (server, home) => {
    const files = readdirSync(DEMO).filter((path) => /\.(json|safetensors)$/.test(path));
    const download = `
import sys
from huggingface_hub import hf_hub_download
for path in sys.argv[2:]: hf_hub_download(sys.argv[1], path)
`;
    await python(download, [ID, ...files]);
    const sent = server.sent();
    await done(embed(ID, output(home, "out")));
    assert.ok(readFileSync(output(home, "out")).equals(expected));
    assert.is(server.sent(), sent);
    await offline(server, home, () => done(embed(ID, output(home, "offline"))));
    const { fetched } = JSON.parse((await done(janus(["pull", ID, "--json"]))).stdout);
    assert.is(fetched, 0);
  }),
);

pythonTest(test)("what we fetched is found by huggingface_hub, and nothing of it is fetched again", () =>
  withDemo(async (server) => {
    await done(janus(["pull", ID, "--all"]));
    const find = `
import json, os, sys
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
repo, revision, *paths = sys.argv[1:]
folder = snapshot_download(repo, local_files_only=True)
assert snapshot_download(repo, revision=revision, local_files_only=True) == folder
found = {path: try_to_load_from_cache(repo, path) for path in paths}
for path in paths:
    assert found[path] == os.path.join(folder, path), path
    assert hf_hub_download(repo, path, local_files_only=True) == found[path]
    assert hf_hub_download(repo, path) == found[path]
report = scan_cache_dir()
assert not report.warnings, report.warnings
(scanned,) = report.repos
print(json.dumps({"folder": folder, "size": scanned.size_on_disk, "files": scanned.nb_files}))
`;
    const paths = readdirSync(DEMO, { recursive: true, encoding: "utf8" }).filter((path) => /\.\w+$/.test(path));
    const sent = server.sent();
    const found = JSON.parse(await python(find, [ID, server.commit(ID), ...paths]));
    assert.is(server.sent(), sent);
    assert.is(found.files, paths.length);
    assert.is(
      found.size,
      paths.reduce((sum, path) => sum + readFileSync(join(DEMO, path)).length, 0),
    );
    for (const path of paths)
      assert.ok(readFileSync(join(found.folder, path)).equals(readFileSync(join(DEMO, path))), path);
  }),
);

pythonTest(test)(
  "of a model that was only loaded huggingface_hub finds the small files, and no part of the weights",
  () =>
    withDemo(async (_, home) => {
      await done(embed(ID, output(home, "out")));
      const look = `
import json, sys
from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache
def state(path):
    found = try_to_load_from_cache(sys.argv[1], path)
    return "absent" if found is _CACHED_NO_EXIST else found and open(found).read()
print(json.dumps([state(path) for path in sys.argv[2:]]))
`;
      const paths = ["config.json", "tokenizer.json", "processor_config.json", "model.safetensors"];
      const expected = paths.slice(0, 3).map((path) => readFileSync(join(DEMO, path), "utf8"));
      assert.equal(JSON.parse(await python(look, [ID, ...paths])), [...expected, null]);
    }),
);

pythonTest(test)("a file that the repository lacks is known to huggingface_hub as such", () =>
  withHub({ [ID]: { files: { directory: golden("checkpoints/tiny-hf") } } }, async (server) => {
    await done(janus(["inspect", "--model", ID]));
    const look = `
import sys
from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache
print(try_to_load_from_cache(sys.argv[1], "model.safetensors") is _CACHED_NO_EXIST)
`;
    assert.is((await python(look, [ID])).trim(), "True");
    const sent = server.requests.length;
    await done(janus(["inspect", "--model", ID]));
    assert.is(server.requests.length, sent + 1, "the commit of main");
    rmSync(join(process.env["HF_HOME"]!, "hub"), { recursive: true });
  }),
);

test.run();
