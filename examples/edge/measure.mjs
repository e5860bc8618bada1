// Memory and processor time of the worker, while it embeds pictures: node measure.mjs --model DIR [--budget BYTES]... [--image FILE]... (Node 22, Linux).
//
// Heap and buffers are V8's own figures, asked over the inspector all the time: V8 answers between two turns of the worker, which are a block of the model or
// a piece of a file. The buffers that V8 tells of have no WebAssembly memories among them: those are counted by `measured.mjs`, in front of the worker.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const WORKERD = here("node_modules/@cloudflare/workerd-linux-64/bin/workerd");
const TICKS_PER_S = 100;

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    budget: { type: "string", multiple: true, default: ["48000000"] },
    image: { type: "string", multiple: true, default: [here("../../models/demo/examples/06.png")] },
    build: { type: "string", default: here("build") },
    /** How many, in turn over those of --image. */
    images: { type: "string", default: "4" },
    /** How many requests at once each of them is. */
    together: { type: "string", default: "1" },
    /** Whether checksums are compared, as the worker does unless it is bound otherwise. */
    verify: { type: "string", default: "yes" },
    flag: { type: "string", multiple: true, default: [] },
  },
});
if (values.model === undefined) throw new Error("expected --model, a packed model");
const model = resolve(values.model);
const built = resolve(values.build);
const pictures = await Promise.all(
  values.image.map(async (path) => ({ body: await readFile(path), type: typeOf(path) })),
);
const together = Number(values.together);

for (const budget of values.budget) console.log(JSON.stringify(await measure(budget)));

/** @param {string} path */
function typeOf(path) {
  return /\.png$/.test(path) ? "image/png" : /\.webp$/.test(path) ? "image/webp" : "image/jpeg";
}

/** @param {string} budget */
async function measure(budget) {
  const folder = await mkdtemp(join(tmpdir(), "janus-measure-"));
  await writeFile(join(folder, "config.capnp"), configuration(budget));
  const began = performance.now();
  const child = spawn(WORKERD, ["serve", "config.capnp", "-I/", "--control-fd=3", "--inspector-addr=127.0.0.1:0"], {
    cwd: folder,
    stdio: ["ignore", values.flag.length > 0 ? "inherit" : "ignore", "inherit", "pipe"],
  });
  try {
    const ports = await listening(/** @type {import("node:stream").Readable} */ (child.stdio[3]));
    const url = `http://127.0.0.1:${ports.http}`;
    await (await fetch(`${url}/healthz`)).text();
    const startMs = performance.now() - began;
    const heap = await inspect(ports.inspector);
    const memories = async () => sum(/** @type {number[]} */ (await (await fetch(`${url}/memories`)).json()));
    const pid = child.pid ?? 0;
    const idle = { ...(await heap.usage()), rss: await statusOf(pid, "VmRSS") };
    const query = `question=${encodeURIComponent("What is in the image?")}`;
    /** @param {typeof pictures[number]} picture */
    const ask = async ({ body, type }) => {
      const answer = await fetch(`${url}/v1/embed?${query}`, {
        method: "POST",
        headers: { "content-type": type, accept: "application/octet-stream" },
        body,
      });
      const hash = createHash("sha256");
      for await (const chunk of answer.body ?? []) hash.update(chunk);
      if (!answer.ok) throw new Error(`expected an answer, got status ${answer.status}`);
      return hash.digest("hex").slice(0, 16);
    };
    /** @param {number} index */
    const embed = async (index) => {
      const ticks = await cpuSeconds(pid);
      const start = performance.now();
      const first = index * together;
      const asked = Array.from({ length: together }, (_, at) => pictures[(first + at) % pictures.length]);
      const peak = await heap.watch(async () =>
        [...new Set(await Promise.all(asked.map((one) => one && ask(one))))].join(),
      );
      const [ms, cpuS] = [performance.now() - start, (await cpuSeconds(pid)) - ticks];
      // A memory never shrinks.
      return { ...peak, wasm: await memories(), ms, cpuS };
    };
    const first = await embed(0);
    const next = [];
    for (let index = 1; index < Number(values.images); index++) next.push(await embed(index));
    return {
      budget: Number(budget),
      peakMB: megabytes(Math.max(...[first, ...next].map(({ most, wasm }) => most + wasm))),
      first: row(first),
      next: next.map(row),
      idle: { heapMB: megabytes(idle.usedSize), buffersMB: megabytes(idle.backingStorageSize) },
      rssOverIdleMB: megabytes((await statusOf(pid, "VmHWM")) - idle.rss),
      startMs: Math.round(startMs),
    };
  } finally {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true });
  }
}

/** @param {Awaited<ReturnType<Awaited<ReturnType<typeof inspect>>["watch"]>> & { wasm: number, ms: number, cpuS: number }} measured */
function row({ result, most, at, samples, wasm, ms, cpuS }) {
  const { usedSize, totalSize, backingStorageSize } = at;
  return {
    sha256: result,
    peakMB: megabytes(most + wasm),
    wasmMB: megabytes(wasm),
    heapMB: megabytes(usedSize),
    heapTotalMB: megabytes(totalSize),
    buffersMB: megabytes(backingStorageSize),
    samples,
    ms: Math.round(ms),
    cpuS: Number(cpuS.toFixed(2)),
  };
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return Number((bytes / 1e6).toFixed(1));
}

/**
 * @param {import("node:stream").Readable} control
 * @returns {Promise<{ http: number, inspector: number }>}
 */
function listening(control) {
  return new Promise((found) => {
    let told = "";
    control.on("data", (chunk) => {
      told += chunk;
      const http = /"event":"listen","socket":"http","port":(\d+)/.exec(told)?.[1];
      const inspector = /"event":"listen-inspector","port":(\d+)/.exec(told)?.[1];
      if (http && inspector) found({ http: Number(http), inspector: Number(inspector) });
    });
  });
}

/** @typedef {{ usedSize: number, totalSize: number, backingStorageSize: number, embedderHeapUsedSize: number }} Usage */

/** V8's figures of the worker's isolate. @param {number} port */
async function inspect(port) {
  const targets = /** @type {any[]} */ (await (await fetch(`http://127.0.0.1:${port}/json`)).json());
  const target = targets.find(({ id }) => /worker/.test(id)) ?? targets[0];
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((open, fail) => {
    socket.onopen = open;
    socket.onerror = fail;
  });
  let last = 0;
  /** @type {Map<number, (usage: Usage) => void>} */
  const asked = new Map();
  socket.onmessage = ({ data }) => {
    const { id, result } = JSON.parse(data);
    asked.get(id)?.(result);
    asked.delete(id);
  };
  /** @returns {Promise<Usage>} */
  const usage = () =>
    new Promise((found) => {
      asked.set(++last, found);
      socket.send(JSON.stringify({ id: last, method: "Runtime.getHeapUsage" }));
    });
  return {
    usage,
    /** The most that heap and buffers took while `work` was done. @param {() => Promise<string>} work */
    async watch(work) {
      let running = true;
      const working = work().finally(() => {
        running = false;
      });
      let most = 0;
      let at = await usage();
      let samples = 0;
      while (running) {
        const now = await usage();
        const both = now.usedSize + now.backingStorageSize;
        if (both > most) [most, at] = [both, now];
        samples++;
      }
      return { result: await working, most, at, samples };
    },
  };
}

/** Bytes, by the kernel. @param {number} pid @param {string} name */
async function statusOf(pid, name) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
}

/** Processor time of all threads. @param {number} pid */
async function cpuSeconds(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** @param {string} budget */
function configuration(budget) {
  const embed = (/** @type {string} */ name) => JSON.stringify(join(built, name));
  const wasm = ["simd", "relaxed", "mozjpeg_dec", "webp_dec"];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = [${values.flag.map((flag) => JSON.stringify(flag)).join(", ")}],
  services = [(name = "worker", worker = .worker), (name = "model", disk = (path = ${JSON.stringify(model)}))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [
    (name = "measured.mjs", esModule = embed ${JSON.stringify(here("measured.mjs"))}),
    (name = "worker.mjs", esModule = embed ${embed("worker.js")}),
    ${wasm.map((name) => `(name = "${name}.wasm", wasm = embed ${embed(`${name}.wasm`)}),`).join("\n    ")}
  ],
  bindings = [
    (name = "ASSETS", service = "model"),
    (name = "MEMORY_BUDGET", text = "${budget}"),
    (name = "VERIFY", text = ${JSON.stringify(values.verify)}),
    (name = "VARIANT", text = "simd"),
  ],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["enable_request_signal"],
);
`;
}
