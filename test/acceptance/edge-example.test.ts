/** examples/edge under the real workerd: right answers to every form of a request, a named error for every limit, and none of them the last. */
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type ClientRequest, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JanusModel } from "#dist/entry/janus.js";
import { type EmbedRequest, Janus } from "#dist/entry/node/index.js";
import { temporaryFolder } from "../support/cli.js";
import { HubServer } from "../support/hub-server.js";
import { inlineHost } from "../support/inline-host.js";
import { ROOT } from "../support/paths.js";
import { bilevel, deflatedPng } from "../support/png.js";
import { bytesOf, readTensors } from "../support/tensors.js";
import { within } from "../support/waiting.js";
import { EXAMPLE, startWorkerd, type Workerd, type WorkerdOptions, workerdInstalled } from "../support/workerd.js";

const tests = suite("examples/edge");

const BUILT = join(EXAMPLE, "build");
const MODEL = join(BUILT, "model");
const EXAMPLES = `${ROOT}models/demo/examples`;
const QUESTION = "What is on the right?";
const bytes = (path: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(path));
const picture = (name: string): Uint8Array<ArrayBuffer> => bytes(join(EXAMPLES, name));
const PNG = picture("06.png");
const JPEG = picture("01.jpg");

const folder = temporaryFolder();
const plain = { VARIANT: "simd", MODEL_ID: "janus-demo" };
let workerd: Workerd;
let here: Janus;

tests.before(async () => {
  const { status, stderr } = spawnSync(process.execPath, ["build.mjs"], { cwd: EXAMPLE, encoding: "utf8" });
  assert.is(status, 0, stderr);
  workerd = await started({ folder: MODEL });
  here = await Janus.load(MODEL, { variant: "simd", threads: 1 });
});
tests.after(async () => {
  await workerd.kill();
  await here.dispose();
});

/** The example in a workerd of its own. */
function started(
  assets: WorkerdOptions["assets"],
  texts: Record<string, string> = {},
  front?: string,
): Promise<Workerd> {
  for (const name of readdirSync(BUILT)) {
    if (name !== "model") cpSync(join(BUILT, name), join(folder, name));
  }
  return startWorkerd({ folder, assets, texts: { ...plain, ...texts }, ...(front !== undefined && { front }) });
}

interface Asked {
  readonly type?: string;
  readonly query?: string;
  readonly accept?: string;
  readonly body: BodyInit;
  readonly url?: string;
}

function post({ type, query = "", accept = "*/*", body, url = workerd.url }: Asked): Promise<Response> {
  const headers = { accept, ...(type !== undefined && { "content-type": type }) };
  return fetch(`${url}/v1/embed${query}`, { method: "POST", headers, body });
}

const asked = `?question=${encodeURIComponent(QUESTION)}`;
const askPng = (url = workerd.url): Promise<Response> => post({ type: "image/png", query: asked, body: PNG, url });

async function embeds(request: EmbedRequest): Promise<Buffer> {
  return bytesOf((await here.embed(request)).inputsEmbeds);
}

/** A good answer: safetensors with the embeddings that Node gives. */
async function checkAnswer(response: Response, request: EmbedRequest): Promise<void> {
  const file = Buffer.from(await response.arrayBuffer());
  assert.is(response.status, 200, file.subarray(0, 500).toString());
  assert.is(response.headers.get("content-type"), "application/vnd.safetensors");
  const path = join(folder, "answer.safetensors");
  writeFileSync(path, file);
  const tensors = await readTensors(path);
  const expected = await here.embed(request);
  const { inputs_embeds: found, input_ids: ids } = tensors;
  assert.is(response.headers.get("x-janus-dims"), expected.inputsEmbeds.dims.join());
  assert.equal(found?.dims, expected.inputsEmbeds.dims);
  assert.ok(bytesOf(found).equals(bytesOf(expected.inputsEmbeds)), "inputs_embeds");
  assert.ok(bytesOf(ids).equals(bytesOf(expected.inputIds)), "input_ids");
}

async function checkProblem(response: Response, status: number, detail: RegExp, code?: string): Promise<void> {
  const text = await response.text();
  assert.is(response.status, status, response.ok ? "answered" : text);
  assert.is(response.headers.get("content-type"), "application/problem+json");
  const problem = JSON.parse(text);
  assert.is(problem.status, status);
  assert.match(problem.detail, detail);
  assert.is(problem.code, code);
  assert.ok(problem.title.length > 0);
}

const form = (fields: Record<string, string | Uint8Array<ArrayBuffer>>): FormData => {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields))
    data.append(name, typeof value === "string" ? value : new File([value], name));
  return data;
};
const dataUrl = (type: string, bytes: Uint8Array): string =>
  `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;

tests("healthz and models answer without a model, and say what the limits are", async () => {
  const health = await fetch(`${workerd.url}/healthz`);
  assert.equal(await health.json(), { status: "ok" });
  const { data } = (await (await fetch(`${workerd.url}/v1/models`)).json()) as {
    data: { id: string; loaded: boolean; limits: { bodyBytes: number } }[];
  };
  assert.is(data[0]?.id, "janus-demo");
  assert.is(data[0]?.loaded, false);
  assert.is(data[0]?.limits.bodyBytes, 8 << 20);
});

tests("a picture as the body, as a form, as a data URL; a question or a prompt", async () => {
  const request = { question: QUESTION, images: [PNG] };
  await checkAnswer(await askPng(), request);
  await checkAnswer(await post({ body: form({ image: PNG, question: QUESTION }) }), request);
  const json = { question: QUESTION, images: [dataUrl("image/png", PNG)] };
  await checkAnswer(await post({ type: "application/json", body: JSON.stringify(json) }), request);
  const prompt = "One: <image_placeholder>";
  const prompted = { prompt, image: dataUrl("image/png", picture("00.png")) };
  await checkAnswer(await post({ type: "application/json", body: JSON.stringify(prompted) }), {
    prompt,
    images: [picture("00.png")],
  });
  await checkAnswer(await post({ body: form({ prompt: "No picture." }) }), { prompt: "No picture." });
});

tests("JPEG and WebP: the pixels of Node, and so its embeddings", async () => {
  await checkAnswer(await post({ type: "image/jpeg", query: asked, body: JPEG }), {
    question: QUESTION,
    images: [JPEG],
  });
  const webp = bytes(`${ROOT}test/golden/preprocess/images/lossy-150x100.webp`);
  await checkAnswer(await post({ type: "image/webp", query: asked, body: webp }), {
    question: QUESTION,
    images: [webp],
  });
});

/** A progressive JPEG of which mozjpeg reads one scan, and refuses the next. */
const IMPOSSIBLE = ((): Uint8Array<ArrayBuffer> => {
  const segment = (marker: number, content: readonly number[]): Buffer =>
    Buffer.from([0xff, marker, 0, content.length + 2, ...content]);
  const codes = (table: number, symbol: number): Buffer =>
    segment(0xc4, [table, 1, ...Array<number>(15).fill(0), symbol]);
  const parts = [
    Buffer.from("ffd8", "hex"),
    segment(0xdb, [0, ...Array<number>(64).fill(1)]),
    segment(0xc2, [8, 0, 64, 0, 64, 1, 1, 0x11, 0]),
    codes(0, 0),
    codes(0x10, 0xe0),
    segment(0xda, [1, 1, 0, 0, 0, 0]),
    Buffer.alloc(64),
    segment(0xda, [1, 1, 0, 1, 63, 0x15]),
    Buffer.from("7ff3ffd9", "hex"),
  ];
  return new Uint8Array(Buffer.concat(parts));
})();

tests("pictures one after the other are decoded in the same memories", async () => {
  const counted = await started({ folder: MODEL }, {}, join(EXAMPLE, "measured.mjs"));
  const memories = async (): Promise<number[]> => (await fetch(`${counted.url}/memories`)).json() as Promise<number[]>;
  const ask = async (type: string, body: BodyInit): Promise<void> => {
    const answer = await post({ type, query: asked, body, url: counted.url });
    await answer.arrayBuffer();
    assert.is(answer.status, 200);
  };
  const webp = bytes(`${ROOT}test/golden/preprocess/images/lossy-150x100.webp`);
  const round = async (): Promise<void> => {
    for (const name of ["01.jpg", "04.jpg"]) await ask("image/jpeg", picture(name));
    await ask("image/webp", webp);
  };
  try {
    await round();
    const sizes = await memories();
    assert.ok(sizes.length > 2, "the model's, of JPEG, of WebP");
    for (let times = 0; times < 3; times++) await round();
    assert.equal(await memories(), sizes);
    // Nor do those that a decoder gives up.
    for (const [type, body] of [
      ["image/jpeg", IMPOSSIBLE],
      ["image/webp", webp.slice(0, 200)],
    ] as const)
      for (let times = 0; times < 6; times++)
        await checkProblem(await post({ type, query: asked, body, url: counted.url }), 422, /decoded/, "E_IMAGE");
    await round();
    assert.equal(await memories(), sizes);
  } finally {
    await counted.kill();
  }
});

tests("inputs_embeds alone, to who asks for octets", async () => {
  const response = await post({
    type: "image/png",
    query: asked,
    accept: "application/octet-stream",
    body: PNG,
  });
  assert.is(response.headers.get("content-type"), "application/octet-stream");
  const expected = await embeds({ question: QUESTION, images: [PNG] });
  assert.ok(Buffer.from(await response.arrayBuffer()).equals(expected));
});

/** A PNG of a few kB that is 60 megapixels. */
const BOMB = new Uint8Array(bilevel(7746, 7746));

for (const [title, make, status, detail, code] of [
  ["nothing there", () => fetch(`${workerd.url}/v1/nothing`), 404, /POST to \/v1\/embed/],
  ["another method", () => fetch(`${workerd.url}/v1/embed`), 405, /takes POST/],
  [
    "a body over the limit",
    () => post({ type: "image/png", query: asked, body: new Uint8Array((8 << 20) + 1) }),
    413,
    /at most 8388608 bytes, got 8388609/,
  ],
  ["another type", () => post({ type: "image/gif", query: asked, body: "GIF89a" }), 415, /got image\/gif/],
  ["no type", () => post({ query: asked, body: new Uint8Array(3) }), 415, /got none/],
  ["JSON that is none", () => post({ type: "application/json", body: "{" }), 400, /expected JSON/],
  [
    "a form that is none",
    () => post({ type: "multipart/form-data; boundary=x", body: "y" }),
    400,
    /expected multipart/,
  ],
  ["no text", () => post({ type: "image/png", body: PNG }), 422, /a question or a prompt/],
  ["both texts", () => post({ body: form({ image: PNG, question: "a", prompt: "b" }) }), 422, /a question or a prompt/],
  [
    "a long sequence",
    () => post({ body: form({ image: PNG, question: "a ".repeat(1500) }) }),
    422,
    /at most 1024 positions, got 15\d\d/,
  ],
  [
    "JSON of a million values",
    () => post({ type: "application/json", body: `{"question":"x","a":[${"{},".repeat(1e6)}0]}` }),
    422,
    /at most 16384 values/,
  ],
  [
    "a form of many fields",
    () => {
      const part = '--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n\r\n';
      return post({ type: "multipart/form-data; boundary=x", body: `${part.repeat(20)}--x--` });
    },
    422,
    /at most 16 fields/,
  ],
  [
    "a JPEG of ten thousand scans",
    () => {
      const scan = Buffer.from("ffda0008010100013f10", "hex");
      const end = JPEG.length - 2;
      const body = Buffer.concat([JPEG.subarray(0, end), ...Array(10_000).fill(scan), JPEG.subarray(end)]);
      return post({ type: "image/jpeg", query: asked, body: new Uint8Array(body) });
    },
    422,
    /over 200 scans/,
    "E_IMAGE",
  ],
  ["a long text", () => post({ body: form({ question: "x".repeat(8193) }) }), 422, /at most 8192 characters/],
  [
    "many pictures",
    () => post({ type: "application/json", body: JSON.stringify({ prompt: "x", images: Array(2).fill("data:") }) }),
    422,
    /at most 1 image, got 2/,
  ],
  [
    "a picture too few",
    () => post({ body: form({ prompt: "<image_placeholder>" }) }),
    422,
    /1 placeholder/,
    "E_PROMPT",
  ],
  [
    "a picture that is none",
    () => post({ type: "image/png", query: asked, body: "<svg/>" }),
    422,
    /got an SVG/,
    "E_IMAGE",
  ],
  [
    "half a picture",
    () => post({ type: "image/jpeg", query: asked, body: JPEG.subarray(0, 700) }),
    422,
    /cannot be decoded/,
    "E_IMAGE",
  ],
  [
    "a URL for a picture",
    () => post({ type: "application/json", body: JSON.stringify({ question: "x", images: ["http://127.0.0.1/"] }) }),
    415,
    /not read from paths or URLs/,
    "E_UNSUPPORTED",
  ],
  [
    "a decompression bomb",
    () => post({ type: "image/png", query: asked, body: BOMB }),
    422,
    /at most 2097152 pixels, got 7746x7746/,
    "E_IMAGE",
  ],
] as const) {
  tests(`${title} is ${status}, and the next request works`, async () => {
    await checkProblem(await make(), status, detail, code);
    assert.is((await askPng()).status, 200);
  });
}

/** A request whose body the caller sends, and the status of its answer: 0 for a connection that failed. */
function sending(headers: Record<string, string | number>): { request: ClientRequest; status: Promise<number> } {
  const { hostname, port } = new URL(workerd.url);
  const all = { "content-type": "image/png", ...headers };
  const request = httpRequest({ hostname, port, path: `/v1/embed${asked}`, method: "POST", headers: all });
  const status = new Promise<number>((resolve) => {
    request.on("response", (answer) => resolve(answer.resume().statusCode ?? 0)).on("error", () => resolve(0));
  });
  return { request, status };
}

tests("a PNG whose data go on for a gigabyte behind its last row takes no memory for them", async () => {
  const memory = (): number =>
    1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${workerd.pid}/status`, "utf8"))?.[1]);
  const deflated = new Uint8Array(deflateSync(Buffer.alloc(1_000_000_000), { level: 1 }));
  const before = memory();
  const body = new Uint8Array(deflatedPng(16, 16, 8, 2, deflated));
  assert.is((await within(20_000, post({ type: "image/png", query: asked, body }), "an answer")).status, 200);
  assert.ok(memory() - before < 100e6, `${before} ${memory()}`);
});

tests("a refused request whose body never comes has its answer", async () => {
  for (const headers of [{ "content-type": "text/plain", "content-length": 100 }, { "content-length": 1e9 }]) {
    const { request, status } = sending(headers);
    request.flushHeaders();
    assert.ok([413, 415].includes(await within(20_000, status, "a refusal")));
    request.destroy();
  }
});

tests("a body without a length is counted as it comes", async () => {
  const { request, status } = sending({ "transfer-encoding": "chunked" });
  for (let part = 0; part < 10; part++) request.write(Buffer.alloc(1 << 20));
  request.end();
  assert.is(await status, 413);
});

tests("clients that fall silent hold nothing back, and are told so in the end", async () => {
  const silent = Array.from({ length: 8 }, async () => {
    const { request, status } = sending({ "content-length": 8 << 20 });
    request.write(PNG.subarray(0, 100));
    const told = await status;
    request.destroy();
    return told;
  });
  assert.is((await within(10_000, askPng(), "a request beside them")).status, 200);
  assert.equal(await within(45_000, Promise.all(silent), "their answers"), Array(8).fill(408));
  assert.is((await askPng()).status, 200);
});

tests(
  "bodies that wait are counted together: beyond the bound 503, and what has left is no longer counted",
  async () => {
    const ofZeros = (length: number): ReturnType<typeof sending> => {
      const client = sending({ "content-length": 8 << 20 });
      client.request.write(Buffer.alloc(length));
      return client;
    };
    const first = ofZeros(7 << 20);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.is(await within(10_000, ofZeros(8 << 20).status, "the second"), 503);
    first.request.destroy();
    for (let waited = 0; ; waited += 100) {
      // Zeros are no picture: 422 for those that were let in.
      if ((await within(10_000, ofZeros(8 << 20).status, "the third")) === 422) break;
      assert.ok(waited < 5000);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.is((await askPng()).status, 200);
  },
);

tests("20 requests at once are all answered right; of 60 those beyond the bound are told to wait", async () => {
  const expected = await embeds({ question: QUESTION, images: [PNG] });
  const octets = (): Promise<Response> =>
    post({ type: "image/png", query: asked, accept: "application/octet-stream", body: PNG });
  for (const [count, bound] of [
    [20, 20],
    [60, 32],
  ] as const) {
    const answers = await within(30_000, Promise.all(Array.from({ length: count }, octets)), `${count} at once`);
    const good = answers.filter(({ status }) => status === 200);
    assert.ok(good.length >= bound, `${good.length} of ${count}`);
    for (const answer of good) assert.ok(Buffer.from(await answer.arrayBuffer()).equals(expected));
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      assert.is(answer.headers.get("retry-after"), "5");
      await checkProblem(answer, 429, /32 requests are waiting/);
    }
  }
});

/** A client that sends all of its request, and is gone after some milliseconds. */
function leave(how: "destroy" | "resetAndDestroy", milliseconds: number, url = workerd.url): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(`POST /v1/embed${asked} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n`);
      socket.write(`content-length: ${PNG.length}\r\n\r\n`);
      socket.write(PNG);
      setTimeout(() => {
        socket[how]();
        resolve();
      }, milliseconds);
    });
    socket.on("error", () => {});
  });
}

tests(
  "clients that leave, by closing or a reset, do not hold up those behind them, nor hand them their errors",
  async () => {
    const expected = await embeds({ question: QUESTION, images: [PNG] });
    for (const how of ["destroy", "resetAndDestroy"] as const) {
      for (let milliseconds = 2; milliseconds < 60; milliseconds += 7) {
        const leaving = Array.from({ length: 3 }, () => leave(how, milliseconds));
        const beside = post({ type: "image/png", query: asked, accept: "application/octet-stream", body: PNG });
        await Promise.all(leaving);
        for (const answer of [await within(10_000, beside, "a request among those"), await askPng()]) {
          assert.is(answer.status, 200, `${how} after ${milliseconds} ms`);
          const body = Buffer.from(await answer.arrayBuffer());
          if (answer.headers.get("content-type") === "application/octet-stream") assert.ok(body.equals(expected));
        }
      }
    }
    const { data } = (await (await fetch(`${workerd.url}/v1/models`)).json()) as { data: { loaded: boolean }[] };
    assert.is(data[0]?.loaded, true);
  },
);

tests("an isolate that is thrown away in the middle of a request: the next one answers", async () => {
  const lost = askPng().then(
    ({ status }) => status,
    () => "cut",
  );
  await new Promise((resolve) => setTimeout(resolve, 10));
  await workerd.kill();
  assert.ok([200, "cut"].includes(await lost));
  workerd = await started({ folder: MODEL });
  await checkAnswer(await askPng(), { question: QUESTION, images: [PNG] });
});

const [SHARD = ""] = readdirSafetensors();

function readdirSafetensors(): string[] {
  try {
    return readdirSync(MODEL).filter((name) => name.endsWith(".safetensors"));
  } catch {
    return ["model.safetensors"];
  }
}

/** The example with a model that is served, and misbehaves. */
async function served(
  work: (server: HubServer, url: string) => Promise<void>,
  texts: Record<string, string> = {},
): Promise<void> {
  await HubServer.with({ "owner/demo": { files: { directory: MODEL } } }, async (server) => {
    const address = new URL(server.url).host;
    const other = await started({ address }, { MODEL_PATH: "/plain/owner/demo/", ...texts });
    try {
      await work(server, other.url);
    } finally {
      await other.kill();
    }
  });
}

tests("a shard that fails once is asked for again", () =>
  served(async (server, url) => {
    server.misbehave({ path: SHARD, method: "GET", times: 1, fault: { kind: "status", status: 503 } });
    server.misbehave({ path: SHARD, method: "GET", skip: 2, times: 1, fault: { kind: "cut", after: 1000 } });
    await checkAnswer(await askPng(url), { question: QUESTION, images: [PNG] });
  }),
);

tests("shards of a service without ranges, and without lengths, give the same", () =>
  served(async (server, url) => {
    server.misbehave({ method: "GET", fault: { kind: "whole" } });
    server.misbehave({ method: "HEAD", fault: { kind: "no-length" } });
    await checkAnswer(await askPng(url), { question: QUESTION, images: [PNG] });
  }),
);

tests("a damaged shard is refused by name, and so is one that is gone; mended, the next request works", () =>
  served(async (server, url) => {
    const damaged = bytes(join(MODEL, SHARD));
    damaged[damaged.length - 1]! ^= 1;
    server.misbehave({ path: SHARD, fault: { kind: "content", bytes: damaged } });
    await checkProblem(await askPng(url), 500, /expected SHA-256 .* of tensor/, "E_INTEGRITY");
    server.behave();
    server.misbehave({ path: SHARD, fault: { kind: "status", status: 404 } });
    await checkProblem(await askPng(url), 503, /found none|expected/, "E_IO");
    server.behave();
    await checkAnswer(await askPng(url), { question: QUESTION, images: [PNG] });
  }),
);

/** A budget with which every block is read for every picture. */
async function leastBudget(): Promise<Record<string, string>> {
  const model = await JanusModel.load(inlineHost(), MODEL, { residency: "stream" });
  const { memoryBytes } = model.runtime;
  await model.dispose();
  return { MEMORY_BUDGET: String(memoryBytes) };
}

tests("a shard that is damaged after it was loaded, under the same size and ETag, is refused by name", async () =>
  served(
    async (server, url) => {
      await checkAnswer(await askPng(url), { question: QUESTION, images: [PNG] });
      const damaged = bytes(join(MODEL, SHARD));
      const header = Number(new DataView(damaged.buffer).getBigUint64(0, true));
      const { "blocks.3.fc2.weight": place } = JSON.parse(new TextDecoder().decode(damaged.subarray(8, 8 + header)));
      damaged[8 + header + place.data_offsets[0]]! ^= 1;
      server.misbehave({ path: SHARD, fault: { kind: "content", bytes: damaged, sameEtag: true } });
      await checkProblem(await askPng(url), 500, /blocks\.3\.fc2\.weight.* as they were when/, "E_INTEGRITY");
      await checkProblem(await askPng(url), 500, /SHA-256 .* of tensor "blocks\.3\.fc2\.weight"/, "E_INTEGRITY");
      server.behave();
      await checkAnswer(await askPng(url), { question: QUESTION, images: [PNG] });
    },
    await leastBudget(),
  ),
);

tests("a client that has left before its turn gives it to the next", async () =>
  served(
    async (server, url) => {
      await checkAnswer(await askPng(url), { question: QUESTION, images: [PNG] });
      const readBy = async (work: () => Promise<unknown>): Promise<number> => {
        const before = server.requests.length;
        await work();
        return server.requests.length - before;
      };
      const one = await readBy(() => askPng(url));
      assert.ok(one > 5, `${one} reads of an image`);
      const leavers = 12;
      const all = await readBy(async () => {
        // The first has its turn, slowly, until the others have left. A connection that is only closed workerd tells of when it is written to.
        server.misbehave({ path: SHARD, fault: { kind: "slow", bytes: 100_000, everyMs: 10 } });
        const first = askPng(url);
        await Promise.all(Array.from({ length: leavers }, () => leave("resetAndDestroy", 50, url)));
        server.behave();
        await checkAnswer(await first, { question: QUESTION, images: [PNG] });
        await checkAnswer(await askPng(url), { question: QUESTION, images: [PNG] });
      });
      assert.ok(all <= 4 * one, `${all} reads, ${one} for an image, of ${leavers} that left and 2 that did not`);
    },
    await leastBudget(),
  ),
);

tests("script and modules are below 1 MB", () => {
  const names = readdirSync(BUILT).filter((name) => name !== "model");
  assert.ok(names.includes("worker.js") && names.filter((name) => name.endsWith(".wasm")).length === 4, names.join());
  const total = names.reduce((sum, name) => sum + statSync(join(BUILT, name)).size, 0);
  assert.ok(total < 1e6, `${total} bytes`);
});

if (workerdInstalled()) tests.run();
