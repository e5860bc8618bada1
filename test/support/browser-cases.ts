/** The recorded cases and pictures as a page computes them, in whichever browser. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { difference, differenceText, isWithin } from "#dist/cli/difference.js";
import type * as Library from "#dist/entry/browser/index.js";
import { createDecoder } from "#dist/entry/node/decoder.js";
import type { EmbedRequest, Tensor } from "#dist/entry/node/index.js";
import { Janus } from "#dist/entry/node/index.js";
import { golden } from "./paths.js";
import { extra, pictures } from "./preprocess.js";
import { bytesOf, readTensors } from "./tensors.js";

/** What the page has. */
declare const janus: typeof Library;

/** A page that a function is sent to as text: it sees nothing but its argument. */
export interface Evaluating {
  evaluate<Value, Argument>(work: (argument: Argument) => Value | Promise<Value>, argument: Argument): Promise<Value>;
}

interface Case {
  readonly name: string;
  readonly checkpoint: string;
  readonly equivalent_checkpoints: readonly string[];
  readonly mode: "processor" | "tensors";
  readonly rows: readonly {
    readonly prompt?: string;
    readonly images?: readonly string[];
    readonly conversation?: readonly { role: string; content: string; images?: readonly string[] }[];
  }[];
  readonly image_rows_used: readonly number[];
}

const CASES: readonly Case[] = readdirSync(golden("cases")).map((name) =>
  JSON.parse(readFileSync(golden(`cases/${name}/case.json`), "utf8")),
);
const CHECKPOINTS = [...new Set(CASES.flatMap((c) => [c.checkpoint, ...c.equivalent_checkpoints]))];
const casesOf = (checkpoint: string): readonly Case[] =>
  CASES.filter((c) => [c.checkpoint, ...c.equivalent_checkpoints].includes(checkpoint));

/** A tensor as text, for the way into a page and out of it. */
interface Sent {
  readonly type: string;
  readonly dims: readonly number[];
  readonly base64: string;
}

interface Work {
  readonly model: string;
  readonly variant: "simd" | "relaxed";
  readonly threads: number;
  readonly cases: readonly { readonly requests?: readonly EmbedRequest[]; readonly inputs?: Record<string, Sent> }[];
}

interface Done {
  readonly variant: string;
  /** Stages of every case by name: dims and SHA-256 of the bytes, and of the relaxed variants the bytes. */
  readonly cases: readonly Record<string, Sent & { readonly sha256: string }>[];
}

/** What the page does. It sees nothing of this file. */
async function embedInPage({ model, variant, threads, cases }: Work): Promise<Done> {
  const received = ({ type, dims, base64 }: Sent): Tensor => {
    const { buffer } = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const data =
      type === "int64"
        ? new BigInt64Array(buffer)
        : type === "bool"
          ? new Uint8Array(buffer)
          : new Float32Array(buffer);
    return { type, dims, data } as Tensor;
  };
  const sent = async ({ type, dims, data }: Tensor): Promise<Sent & { sha256: string }> => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength) as Uint8Array<ArrayBuffer>;
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    let text = "";
    if (variant === "relaxed") for (const byte of bytes) text += String.fromCharCode(byte);
    return { type, dims, base64: btoa(text), sha256 };
  };
  const loaded = await janus.Janus.load(model, { variant, threads, store: false });
  const results: Record<string, Sent & { sha256: string }>[] = [];
  for (const { requests, inputs } of cases) {
    const stages: Record<string, Tensor> = {};
    if (requests) {
      const out = await loaded.embed(requests, { stages: true });
      const { inputIds, attentionMask, imagesSeqMask, imagesEmbMask, inputsEmbeds } = out;
      Object.assign(stages, { inputIds, attentionMask, imagesSeqMask, imagesEmbMask, inputsEmbeds }, out.stages);
    } else if (inputs) {
      const given = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, received(tensor)]));
      const out = await loaded.prepareInputsEmbeds(given as never, { stages: true });
      Object.assign(stages, { inputsEmbeds: out.inputsEmbeds }, out.stages);
    }
    const result: Record<string, Sent & { sha256: string }> = {};
    for (const [name, tensor] of Object.entries(stages)) result[name] = await sent(tensor);
    results.push(result);
  }
  const done = { variant: loaded.runtime.variant, cases: results };
  await loaded.dispose();
  return done;
}

/** A file, or a part of it, and what stands behind. */
interface Served {
  readonly label: string;
  readonly share?: number;
  readonly behind?: string;
}

/** Decodes files in a worker of the library, as loading a picture does. */
async function decodeInPage(
  files: readonly Served[],
): Promise<{ size: number[]; base64: string; failure: string | undefined }[]> {
  const worker = new Worker("/dist/entry/browser/worker.js", { type: "module" });
  worker.postMessage("pictures");
  const decoded: { size: number[]; base64: string; failure: string | undefined }[] = [];
  for (const { label, share = 1, behind = "" } of files) {
    const whole = await (await fetch(label)).blob();
    const file = new Blob([whole.slice(0, Math.floor(whole.size * share)), behind]);
    const answer = new Promise<MessageEvent>((resolve) => {
      worker.onmessage = resolve;
    });
    worker.postMessage({ file, label });
    const { picture, failure } = (await answer).data;
    let text = "";
    for (const byte of picture?.data ?? []) text += String.fromCharCode(byte);
    decoded.push({ size: [picture?.width, picture?.height], base64: btoa(text), failure: failure?.message });
  }
  worker.terminate();
  return decoded;
}

/** The requests of a case, its pictures by `image`. */
function requestsOf(c: Case, image: (name: string) => string): EmbedRequest[] {
  return c.rows.map(({ prompt, images = [], conversation = [] }) =>
    prompt !== undefined
      ? { prompt, images: images.map(image) }
      : { conversation: conversation.map((turn) => ({ ...turn, images: (turn.images ?? []).map(image) })) },
  );
}

async function inputsOf(c: Case): Promise<Record<string, Tensor>> {
  const recorded = await readTensors(golden(`cases/${c.name}/expected.safetensors`));
  return {
    inputIds: recorded["input_ids"]!,
    pixelValues: recorded["pixel_values"]!,
    imagesSeqMask: recorded["images_seq_mask"]!,
    imagesEmbMask: recorded["images_emb_mask"]!,
  };
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function workOf(checkpoint: string, variant: Work["variant"], threads: number): Promise<Work> {
  const cases: Work["cases"][number][] = [];
  for (const c of casesOf(checkpoint)) {
    if (c.mode === "processor") {
      cases.push({ requests: requestsOf(c, (name) => `/test/golden/images/${name}`) });
      continue;
    }
    const inputs = Object.entries(await inputsOf(c)).map(([name, tensor]) => {
      const { type, dims } = tensor;
      return [name, { type, dims, base64: bytesOf(tensor).toString("base64") }];
    });
    cases.push({ inputs: Object.fromEntries(inputs) });
  }
  return { model: `/test/golden/checkpoints/${checkpoint}`, variant, threads, cases };
}

/** SHA-256 of every stage of every case, in Node on the plain variant. */
const inNode = new Map<string, Promise<Record<string, string>[]>>();
function hashesInNode(checkpoint: string): Promise<Record<string, string>[]> {
  const known = inNode.get(checkpoint);
  if (known) return known;
  const hashes = (async () => {
    const model = await Janus.load(golden(`checkpoints/${checkpoint}`), { variant: "simd", threads: 1 });
    const all: Record<string, string>[] = [];
    for (const c of casesOf(checkpoint)) {
      const stages: Record<string, Tensor> = {};
      if (c.mode === "processor") {
        const out = await model.embed(
          requestsOf(c, (name) => golden(`images/${name}`)),
          { stages: true },
        );
        const { inputIds, attentionMask, imagesSeqMask, imagesEmbMask, inputsEmbeds } = out;
        Object.assign(stages, { inputIds, attentionMask, imagesSeqMask, imagesEmbMask, inputsEmbeds }, out.stages);
      } else {
        const out = await model.prepareInputsEmbeds((await inputsOf(c)) as never, { stages: true });
        Object.assign(stages, { inputsEmbeds: out.inputsEmbeds }, out.stages);
      }
      all.push(Object.fromEntries(Object.entries(stages).map(([name, tensor]) => [name, sha256(bytesOf(tensor))])));
    }
    await model.dispose();
    return all;
  })();
  inNode.set(checkpoint, hashes);
  return hashes;
}

/** The recorded rows of the images that were really encoded, as the page gives them. */
function recordedRows(c: Case, name: string, tensor: Tensor): Float32Array {
  const data = tensor.data as Float32Array;
  if (!/^(vision\.|image_embeds)/.test(name)) return data;
  const per = (tensor.dims[1] ?? 0) * (tensor.dims[2] ?? 0);
  return Float32Array.from(c.image_rows_used.flatMap((row) => [...data.subarray(row * per, (row + 1) * per)]));
}

function floats({ base64 }: Sent): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);
}

/** Every recorded case: on the plain variant the bytes of Node, on the relaxed one within the bounds of the recording. */
export async function checkCases(page: Evaluating, threads: 1 | 2): Promise<void> {
  for (const checkpoint of CHECKPOINTS) {
    const expected = await hashesInNode(checkpoint);
    const plain = await page.evaluate(embedInPage, await workOf(checkpoint, "simd", threads));
    assert.is(plain.variant, threads === 1 ? "simd" : "simd-threads");
    const got = plain.cases.map((stages) =>
      Object.fromEntries(Object.entries(stages).map(([name, { sha256 }]) => [name, sha256])),
    );
    assert.equal(got, expected, `${checkpoint}, ${threads} threads: the bytes of Node`);

    const relaxed = await page.evaluate(embedInPage, await workOf(checkpoint, "relaxed", threads));
    assert.is(relaxed.variant, threads === 1 ? "relaxed" : "relaxed-threads");
    for (const [at, c] of casesOf(checkpoint).entries()) {
      const recorded = await readTensors(golden(`cases/${c.name}/expected.safetensors`));
      const stages = relaxed.cases[at]!;
      for (const [name, tensor] of Object.entries({ ...recorded, inputsEmbeds: recorded["inputs_embeds"]! })) {
        const stage = stages[name === "vision.norm" ? "image_features" : name];
        if (tensor.type !== "float32" || stage === undefined) continue;
        const found = difference(floats(stage), recordedRows(c, name, tensor), tensor.dims.at(-1));
        assert.ok(isWithin(found), `${c.name} on ${checkpoint}, ${name}: ${differenceText(found)}`);
      }
      assert.ok(stages["inputsEmbeds"], c.name);
    }
  }
}

/** Every recorded picture: a PNG to the byte as in Node, a JPEG or WebP within `levels` of it. */
export async function checkPictures(page: Evaluating, levels: number): Promise<void> {
  const decoder = createDecoder();
  const recorded = [
    ...pictures.map(({ file }) => `preprocess/${file}`),
    ...extra.pictures.map(({ file }) => `preprocess-extra/${file}`),
  ];
  const found = await page.evaluate(
    decodeInPage,
    recorded.map((path) => ({ label: `/test/golden/${path}` })),
  );
  for (const [at, path] of recorded.entries()) {
    const expected = await decoder.decode(new Uint8Array(readFileSync(golden(path))), path);
    const { size, base64, failure } = found[at]!;
    assert.equal(size, [expected.width, expected.height], `${path}: ${failure}`);
    const rgb = Buffer.from(base64, "base64");
    assert.is(rgb.length, expected.data.length);
    const most = rgb.reduce((most, level, i) => Math.max(most, Math.abs(level - expected.data[i]!)), 0);
    assert.ok(most <= (path.endsWith(".png") ? 0 : levels), `${path}: ${most} levels`);
  }
  await decoder.dispose();
  // What is behind the end of a file changes nothing; of a file that was cut there is no picture, whatever the browser's decoder makes of it.
  const behind = "<!-- cdn -->";
  const cut = recorded.filter((path) => !/\.(png|mpo\.jpg)$/.test(path));
  const labels = cut.map((path) => `/test/golden/${path}`);
  const longer = await page.evaluate(
    decodeInPage,
    labels.map((label) => ({ label, behind })),
  );
  const shorter = await page.evaluate(
    decodeInPage,
    labels.map((label) => ({ label, share: 0.8 })),
  );
  for (const [at, path] of cut.entries()) {
    assert.is(longer[at]!.base64, found[recorded.indexOf(path)]!.base64, `${path}: bytes behind its end`);
    assert.match(shorter[at]!.failure ?? "", /cannot be decoded/, `${path}: cut`);
  }
}
