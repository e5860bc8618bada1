import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryFolder } from "./cli.js";
import { type HubRepo, HubServer } from "./hub-server.js";

/** Everything that the environment may say of hubs and caches. */
const VARIABLES = [
  "HF_ENDPOINT",
  "HF_TOKEN",
  "HUGGING_FACE_HUB_TOKEN",
  "HF_TOKEN_PATH",
  "HF_HOME",
  "HF_HUB_CACHE",
  "HUGGINGFACE_HUB_CACHE",
  "XDG_CACHE_HOME",
  "JANUS_WASM_CACHE",
  "HF_HUB_OFFLINE",
  "TRANSFORMERS_OFFLINE",
  "HF_HUB_DISABLE_IMPLICIT_TOKEN",
] as const;

type Environment = Partial<Record<(typeof VARIABLES)[number], string>>;

/** Where `emptyHome` makes its folders. */
let homes: string | undefined;

/** From here on this process, and those that it starts, have an empty HF_HOME and know of no hub. It is removed when the process ends. */
export function emptyHome(): void {
  for (const name of VARIABLES) delete process.env[name];
  homes ??= temporaryFolder();
  process.env["HF_HOME"] = mkdtempSync(join(homes, "home-"));
}

/** Runs `work` with an environment that says this of hubs, and nothing else. */
export async function withEnvironment<T>(said: Environment, work: () => Promise<T>): Promise<T> {
  const before = VARIABLES.map((name) => [name, process.env[name]] as const);
  for (const name of VARIABLES) delete process.env[name];
  Object.assign(process.env, said);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** Runs `work` with a hub that the environment names, and an empty HF_HOME. */
export async function withHub<T>(
  repos: Readonly<Record<string, HubRepo>>,
  work: (server: HubServer, home: string) => Promise<T>,
): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), "janus-test-"));
  try {
    return await HubServer.with(repos, (server) =>
      withEnvironment({ HF_ENDPOINT: server.url, HF_HOME: home }, () => work(server, home)),
    );
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** A port of this machine that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
