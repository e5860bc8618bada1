/** The real workerd on loopback, with workers of ours in it. */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { build, type Plugin } from "esbuild";
import { ROOT } from "./paths.js";
import { within } from "./waiting.js";

/** The example's packages: it is run with them, too. */
export const EXAMPLE = `${ROOT}examples/edge`;
const WORKERD = `${EXAMPLE}/node_modules/@cloudflare/workerd-linux-64/bin/workerd`;
const START_MS = 20_000;

/** Whether workerd is there; if not, says what the suite is missing, which the runner reports. */
export function workerdInstalled(): boolean {
  const installed = existsSync(WORKERD);
  if (!installed) console.log("SKIPPED: npm ci --prefix examples/edge --ignore-scripts was not run");
  return installed;
}

export interface WorkerdOptions {
  /** Where worker.js and the modules beside it lie. */
  readonly folder: string;
  /** What the worker's ASSETS are: a folder, or a server at this address. */
  readonly assets: { readonly folder: string } | { readonly address: string };
  readonly texts?: Readonly<Record<string, string>>;
  /** A module in front of the worker, which it imports as ./worker.mjs. */
  readonly front?: string;
}

export interface Workerd {
  readonly url: string;
  readonly pid: number;
  /** What it wrote on stderr so far. */
  readonly log: () => string;
  /** Ends it at once, whatever it is doing, as a host ends an isolate. */
  kill(): Promise<void>;
}

/** Starts a workerd that listens on a port of its own choice. */
export async function startWorkerd(options: WorkerdOptions): Promise<Workerd> {
  if (options.front !== undefined) copyFileSync(options.front, join(options.folder, "front.mjs"));
  writeFileSync(join(options.folder, "config.capnp"), configuration(options));
  const child = spawn(WORKERD, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: options.folder,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr?.on("data", (chunk) => (log += chunk));
  process.on("exit", () => child.kill("SIGKILL"));
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const port = await within(START_MS, Promise.race([listening(child), ended]), "workerd").catch(() => undefined);
  if (port === undefined) {
    child.kill("SIGKILL");
    throw new Error(`workerd did not start: ${log}`);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    log: () => log,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** The port, which it tells on the control descriptor. */
function listening(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let told = "";
    (child.stdio[3] as Readable).on("data", (chunk) => {
      told += chunk;
      const port = /"event":"listen".*?"port":(\d+)/.exec(told)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
}

function configuration({ folder, assets, texts = {}, front }: WorkerdOptions): string {
  const modules = readdirSync(folder).filter((name) => name.endsWith(".wasm"));
  const service =
    "folder" in assets
      ? `disk = (path = ${JSON.stringify(assets.folder)})`
      : `external = (address = ${JSON.stringify(assets.address)}, http = ())`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "worker", worker = .worker), (name = "model", ${service})],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [
    ${front === undefined ? "" : `(name = "front.mjs", esModule = embed "front.mjs"),`}
    (name = "worker.mjs", esModule = embed "worker.js"),
    ${modules.map((name) => `(name = "${name}", wasm = embed "${name}"),`).join("\n    ")}
  ],
  bindings = [
    (name = "ASSETS", service = "model"),
    ${Object.entries(texts)
      .map(([name, text]) => `(name = "${name}", text = ${JSON.stringify(text)}),`)
      .join("\n    ")}
  ],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["enable_request_signal"],
);
`;
}

/** Puts a worker into one file in `folder`, and the modules that it imports beside it. */
export async function bundleWorker(entry: string, folder: string): Promise<void> {
  const modules: Plugin = {
    name: "modules",
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path }) => {
        const name = basename(path);
        copyFileSync(`${ROOT}dist/wasm/${name}`, join(folder, name));
        return { path: `./${name}`, external: true };
      });
    },
  };
  await build({
    entryPoints: [entry],
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    target: "es2022",
    supported: { using: false },
    plugins: [modules],
    logLevel: "error",
  });
}
