/**
 * Several pictures in one call, and streams: the bytes of one by one, and what goes on beside the computing. The real demo model, decoder,
 * tokenizer and workers; that things overlap is shown by holding one of them back, not by the clock.
 */
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Host, ImageInput } from "#dist/entry/host.js";
import { JanusModel } from "#dist/entry/janus.js";
import type { EmbedRequest } from "#dist/entry/prepare.js";
import { janus, temporaryFolder } from "../support/cli.js";
import { pacedHost } from "../support/paced-host.js";
import { golden, ROOT } from "../support/paths.js";
import { refused } from "../support/refusal.js";
import { bytesOf } from "../support/tensors.js";
import { rejection, until, within } from "../support/waiting.js";
import { watchedHost } from "../support/watched-host.js";

const test = suite("stream");

const DEMO = `${ROOT}models/demo`;
const PROMPT_MS = 2000;
const NOTHING = { sources: 0, workers: 0, tokenizers: 0 };
const PICTURES = ["06.png", "07.jpg", "08.png", "01.jpg", "10a.png"].map((name) => `${DEMO}/examples/${name}`);
/** A picture by its name, which no decoder takes. */
const BROKEN = golden("fuse/cases.json");

/** All pictures in one prompt. */
const several = (images: readonly ImageInput[]): EmbedRequest => ({
  prompt: `${"<image_placeholder>".repeat(images.length)}\nWhat is it?`,
  images,
});

const REQUESTS: readonly (EmbedRequest | readonly EmbedRequest[])[] = [
  { question: "What is on the right?", images: [PICTURES[0]!] },
  { prompt: "Text alone." },
  several(PICTURES.slice(1, 4)),
  [{ question: "One?", images: [PICTURES[4]!] }, several(PICTURES.slice(0, 2)), { prompt: "None." }],
  { question: "Last?", images: [{ width: 3, height: 2, data: new Uint8Array(18).fill(77) }] },
];

const hex = (tensor: Parameters<typeof bytesOf>[0]): string => bytesOf(tensor).toString("hex");
const load = (host: Host, threads = 2): Promise<JanusModel> =>
  JanusModel.load(host, DEMO, { variant: "simd", threads });
const granting = (threads: number): Host => ({ ...watchedHost(), availableThreads: () => threads });

/** Time for what must not happen to happen. */
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

/** What is asked of workers while pictures are computed. */
const steps = (events: readonly string[]): string[] =>
  events.filter((event) => /^(run:(square|preprocess|encode|project)|beside:.*)$/.test(event));

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

/** A source that says how far it was taken, and whether it was told to return. */
function counted<T>(items: readonly T[]): AsyncIterable<T> & { taken: number; returned: boolean } {
  const source = {
    taken: 0,
    returned: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (const item of items) {
          source.taken++;
          yield item;
        }
      } finally {
        source.returned = true;
      }
    },
  };
  return source;
}

let expected: Promise<{ readonly embeds: string[]; readonly encodes: string[][] }> | undefined;

/** Every request and every picture in a call of its own. */
function oneByOne(): NonNullable<typeof expected> {
  expected ??= (async () => {
    const model = await load(watchedHost());
    const embeds: string[] = [];
    for (const request of REQUESTS) embeds.push(hex((await model.embed(request)).inputsEmbeds));
    const encodes: string[][] = [];
    for (const picture of PICTURES) {
      const features = await model.encode(await model.preprocess(picture));
      encodes.push([hex(features), hex(await model.project(features))]);
    }
    await model.dispose();
    return { embeds, encodes };
  })();
  return expected;
}

// ---- the same bytes

for (const [threads, granted] of [
  [1, 1],
  [1, 2],
  [2, 2],
] as const) {
  test(`${threads} threads of ${granted}: every picture of a call has the bytes it has alone`, async () => {
    const model = await load(granting(granted), threads);
    const { stages, timings } = await model.embed(several(PICTURES), { stages: true });
    const { encodes } = await oneByOne();
    assert.is(hex(stages?.["image_features"]), encodes.map(([features]) => features).join(""));
    assert.is(hex(stages?.["image_embeds"]), encodes.map(([, embeds]) => embeds).join(""));
    assert.is(hex(stages?.["pixel_values"]), hex(await model.preprocess(PICTURES)));
    for (const stage of ["decode", "preprocess", "text", "encode", "project", "fuse"] as const) {
      assert.ok(timings[stage] > 0, stage);
    }
    assert.ok(timings.total >= timings.encode + timings.project, "what computes does not overlap");
    await model.dispose();
  });

  test(`${threads} threads of ${granted}: streams give in order what single calls give`, async () => {
    const model = await load(granting(granted), threads);
    const { embeds, encodes } = await oneByOne();
    const sources = [REQUESTS, new Set(REQUESTS), counted(REQUESTS), Readable.from([...REQUESTS])];
    for (const source of sources) {
      const outs = await all(model.embedStream(source));
      assert.equal(
        outs.map(({ inputsEmbeds }) => hex(inputsEmbeds)),
        embeds,
      );
    }
    const { tokens, width, dim } = model.config;
    const files: ImageInput[] = PICTURES.map((path, n) => (n % 2 ? readFileSync(path) : path));
    for (const source of [files, counted(files)]) {
      const outs = await all(model.encodeStream(source));
      assert.equal(
        outs.map(({ imageFeatures, imageEmbeds }) => [hex(imageFeatures), hex(imageEmbeds)]),
        encodes,
      );
      for (const { imageFeatures, imageEmbeds, timings } of outs) {
        assert.equal(
          [imageFeatures.dims, imageEmbeds.dims],
          [
            [1, tokens, width],
            [1, tokens, dim],
          ],
        );
        assert.ok(timings.decode > 0 && timings.encode > 0 && timings.project > 0);
        assert.ok(timings.total >= timings.encode + timings.project && timings.text === 0);
      }
    }
    assert.equal([await all(model.embedStream([])), await all(model.encodeStream([]))], [[], []]);
    await model.dispose();
  });
}

test("stages of a stream are those of embed", async () => {
  const model = await load(granting(2));
  const [streamed] = await all(model.embedStream([REQUESTS[3]!], { stages: true }));
  const { stages = {} } = await model.embed(REQUESTS[3]!, { stages: true });
  assert.equal(Object.keys(streamed?.stages ?? {}), Object.keys(stages));
  for (const [name, tensor] of Object.entries(stages)) assert.is(hex(streamed?.stages?.[name]), hex(tensor), name);
  await model.dispose();
});

// ---- what overlaps, and how far

/** Runs `work` with every encode held back until the next picture is as far as it can come; nothing further may have begun by then. */
async function whileEncoding(
  threads: number,
  ready: RegExp,
  work: (model: JanusModel) => Promise<unknown>,
  pictures: number,
): Promise<string[]> {
  const host = pacedHost("encode", threads);
  const model = await load(host);
  host.events.length = 0;
  const done = work(model);
  const count = (pattern: RegExp): number => host.events.filter((event) => pattern.test(event)).length;
  for (let picture = 1; picture <= pictures; picture++) {
    await until(() => count(/^run:encode$/) === picture, `picture ${picture} is encoded`);
    const ahead = Math.min(picture + 1, pictures);
    await until(() => count(/^decode$/) === ahead, `picture ${ahead} is decoded meanwhile`);
    if (picture < pictures) await until(() => count(ready) >= picture, `picture ${ahead} is made ready meanwhile`);
    await soon();
    assert.is(count(/^decode$/), ahead, "one ahead, no more");
    assert.is(host.gone(), picture - 1, "it is still being encoded");
    host.letGo();
  }
  await within(PROMPT_MS, done, "the work");
  await model.dispose();
  assert.equal(host.held(), NOTHING);
  return steps(host.events);
}

const IN_TURN = ["run:square", "run:encode", "run:project"];
/** All but the first picture come as squares. */
const COMPUTED = [...IN_TURN, ...IN_TURN.slice(1), ...IN_TURN.slice(1)];

const KINDS: Readonly<Record<string, (model: JanusModel) => Promise<unknown>>> = {
  embed: (model) => model.embed(several(PICTURES.slice(0, 3))),
  "embed of a batch": (model) => model.embed([several(PICTURES.slice(0, 1)), several(PICTURES.slice(1, 3))]),
  embedStream: (model) => all(model.embedStream(PICTURES.slice(0, 3).map((picture) => several([picture])))),
  "embedStream, two in a request": (model) =>
    all(model.embedStream([several(PICTURES.slice(0, 2)), several(PICTURES.slice(2, 3))])),
  encodeStream: (model) => all(model.encodeStream(PICTURES.slice(0, 3))),
};

for (const [what, work] of Object.entries(KINDS)) {
  test(`${what}: while one picture is encoded the next is decoded and preprocessed, and no other`, async () => {
    const events = await whileEncoding(2, /^beside:square$/, work, 3);
    const beside = ["beside:start", "beside:square", "beside:square"];
    assert.equal(
      [events.filter((event) => event.startsWith("run:")), events.filter((event) => event.startsWith("beside:"))],
      [COMPUTED, beside],
    );
  });

  test(`${what}: a host of one thread decodes beside it, and preprocesses in turn`, async () => {
    assert.equal(await whileEncoding(1, /^decode$/, work, 3), [...IN_TURN, ...IN_TURN, ...IN_TURN]);
  });
}

test("a single picture starts no picture worker, nor do pictures that compute workers wait for", async () => {
  const host = watchedHost();
  const model = await load({ ...host, availableThreads: () => 4 });
  await model.embed(several(PICTURES.slice(0, 1)));
  await all(model.encodeStream(PICTURES.slice(0, 1)));
  await model.preprocess(PICTURES);
  await model.prepare(several(PICTURES));
  assert.not.ok(host.events.some((event) => event.startsWith("beside:")));
  assert.is(host.held().workers, 2);
  await model.dispose();
});

test("a stream takes from its source what it makes ready, and computes what it is asked for", async () => {
  const host = watchedHost();
  const model = await load(host);
  const source = counted(PICTURES);
  const stream = model.encodeStream(source);
  await soon();
  assert.is(source.taken, 0);
  for (let picture = 1; picture <= 4; picture++) {
    await stream.next();
    await until(() => source.taken === picture + 1, "the next is taken");
    await soon();
    assert.is(source.taken, picture + 1);
    assert.is(host.events.filter((event) => event === "run:encode").length, picture);
  }
  await stream.return();
  assert.ok(source.returned);
  await model.dispose();
});

test("a source may wait for the result before", async () => {
  const model = await load(watchedHost());
  let results = 0;
  let told: () => void = () => {};
  async function* source(): AsyncGenerator<EmbedRequest> {
    for (let n = 0; n < 3; n++) {
      const result = new Promise<void>((resolve) => {
        told = resolve;
      });
      if (n > 0 && results < n) await result;
      yield { prompt: `Result ${results}.` };
    }
  }
  for await (const _ of model.embedStream(source())) {
    results++;
    told();
  }
  assert.is(results, 3);
  await model.dispose();
});

test("other calls come between two items, also from inside the loop; so do other streams", async () => {
  const model = await load(watchedHost());
  const { embeds, encodes } = await oneByOne();
  const other = all(model.encodeStream(PICTURES));
  let n = 0;
  for await (const { inputsEmbeds } of model.embedStream(REQUESTS)) {
    assert.is(hex(inputsEmbeds), embeds[n]);
    assert.is(hex((await model.embed(REQUESTS[2]!)).inputsEmbeds), embeds[2]);
    n++;
  }
  assert.is(n, REQUESTS.length);
  assert.equal(
    (await other).map(({ imageEmbeds }) => hex(imageEmbeds)),
    encodes.map(([, embeds]) => embeds),
  );
  await model.dispose();
});

// ---- what goes wrong

test("a broken picture: the first in order decides, none after it is touched, the model goes on", async () => {
  for (const [at, decoded] of [
    [0, 1],
    [1, 2],
    [3, 4],
  ] as const) {
    const host = watchedHost();
    const model = await load(host);
    const images: ImageInput[] = [...PICTURES];
    images[at] = new Uint8Array([1, 2, 3]);
    images[4] = BROKEN;
    host.events.length = 0;
    const call = within(PROMPT_MS, model.embed(several(images)), "embed");
    await refused(call, "E_IMAGE", new RegExp(`^image ${at + 1}: expected a JPEG, PNG or WebP`));
    assert.is(host.events.filter((event) => event === "decode").length, decoded);
    for (const alone of [model.preprocess(images), model.prepare(several(images))]) {
      await refused(alone, "E_IMAGE", new RegExp(`^image ${at + 1}: `));
    }
    assert.is(hex((await model.embed(REQUESTS[2]!)).inputsEmbeds), (await oneByOne()).embeds[2]);
    await model.dispose();
    assert.equal(host.held(), NOTHING);
  }
});

test("a broken second picture does not wait for the first to be encoded", async () => {
  const host = pacedHost("encode", 2);
  const broken = new Error("broken");
  let fail: (error: Error) => void = () => {};
  const late = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const decode: Host["decode"] = (image, index, signal) => (index === 1 ? late : host.decode(image, index, signal));
  const model = await load({ ...host, decode });
  const call = rejection(model.embed(several(PICTURES)));
  await until(() => host.events.includes("run:encode"), "the first is encoded");
  fail(broken);
  await soon();
  host.letGo(); // The workers were stopped, or had just ended.
  assert.is(await within(PROMPT_MS, call, "embed"), broken);
  assert.equal(steps(host.events), ["run:square", "run:encode"], "nothing was projected");
  host.letGo();
  assert.is(hex((await model.embed(REQUESTS[0]!)).inputsEmbeds), (await oneByOne()).embeds[0]);
  await model.dispose();
});

test("prompts and lengths that do not fit are refused before a picture is touched", async () => {
  const host = watchedHost();
  const model = await load(host);
  await refused(model.embed({ prompt: "<image_placeholder>", images: PICTURES }), "E_PROMPT", /1 placeholder but 5/);
  const stream = model.embedStream([{ prompt: "<image_placeholder>", images: PICTURES }]);
  await refused(all(stream), "E_PROMPT", /1 placeholder but 5/);
  assert.equal(steps(host.events), []);
  assert.not.ok(host.events.includes("decode"));
  await model.dispose();
});

test("an error in a stream is thrown in its place and ends it; the source has returned", async () => {
  const host = watchedHost();
  const model = await load(host);
  const { embeds } = await oneByOne();
  const wrong: readonly (readonly [EmbedRequest, Parameters<typeof refused>[1], RegExp])[] = [
    [several([BROKEN]), "E_IMAGE", /cases\.json/],
    [several([PICTURES[1]!, BROKEN]), "E_IMAGE", /cases\.json/],
    [{ prompt: "<image_placeholder>" }, "E_PROMPT", /1 placeholder but 0 images/],
  ];
  for (const [request, code, message] of wrong) {
    const source = counted([REQUESTS[0]!, REQUESTS[1]!, request, REQUESTS[0]!, REQUESTS[0]!]);
    const stream = model.embedStream(source);
    for (const n of [0, 1]) {
      const { value } = await stream.next();
      assert.is(value && hex(value.inputsEmbeds), embeds[n]);
    }
    await soon();
    await refused(within(PROMPT_MS, stream.next(), "the broken one"), code, message);
    assert.ok((await stream.next()).done && source.returned);
    assert.ok(source.taken <= 4);
  }
  const broken = new Error("the camera broke");
  async function* failing(): AsyncGenerator<ImageInput> {
    yield PICTURES[0]!;
    throw broken;
  }
  const stream = model.encodeStream(failing());
  assert.not.ok((await stream.next()).done);
  assert.is(await rejection(stream.next()), broken);
  const text = async (): Promise<unknown> => model.encodeStream(PICTURES[0] as never);
  await refused(text(), "E_USAGE", /^encodeStream: images must be an iterable/);
  const single = async (): Promise<unknown> => model.embedStream(REQUESTS[0] as never);
  await refused(single(), "E_USAGE", /^embedStream: requests must be an iterable/);
  assert.is(hex((await model.embed(REQUESTS[0]!)).inputsEmbeds), embeds[0]);
  await model.dispose();
  assert.equal(host.held(), NOTHING);
});

test("leaving the loop ends what is being made ready, and the model goes on", async () => {
  const host = watchedHost();
  const model = await load(host);
  const source = counted(Array(9).fill(several(PICTURES)) as EmbedRequest[]);
  for await (const _ of model.embedStream(source)) break;
  assert.ok(source.returned && source.taken <= 2, `${source.taken} taken`);
  const before = host.events.length;
  await soon();
  assert.is(host.events.length, before, "nothing goes on");
  assert.is(hex((await model.embed(REQUESTS[0]!)).inputsEmbeds), (await oneByOne()).embeds[0]);
  await model.dispose();
});

/** Everything that goes on in three requests, and what comes again and again at its second time, too. */
const MOMENTS = [
  ...["beside:start", "tokenizer", "tokenize", "decode", "run:square", "run:encode", "run:project"],
  ...["run:embedTokens", "run:fuse", "beside:square", "decode 2", "run:encode 2", "beside:square 2"],
];

const LONG: readonly EmbedRequest[] = [several(PICTURES.slice(0, 2)), several(PICTURES.slice(2, 4)), several(PICTURES)];

/** A host on which something is done once at a moment, and compute workers are never all there is. */
function momentous() {
  let left = 0;
  let awaited: string | undefined;
  let act = (): void => {};
  const host = watchedHost((event) => {
    if (event === awaited && --left === 0) act();
  });
  const at = (moment: string, what: () => void): void => {
    const [event, times = 1] = moment.split(" ");
    awaited = event;
    left = Number(times);
    act = what;
  };
  return { host: { ...host, availableThreads: () => 4 }, at };
}

const WORK: Readonly<Record<string, (model: JanusModel, signal?: AbortSignal) => Promise<unknown>>> = {
  embed: (model, signal) => model.embed(LONG, signal ? { signal } : {}),
  embedStream: (model, signal) => all(model.embedStream(LONG, signal ? { signal } : {})),
  encodeStream: (model, signal) => all(model.encodeStream(PICTURES, signal ? { signal } : {})),
};

/** Moments that come whatever the clock says: whether compute workers are busy when a picture is decoded is its doing. */
const SURE = /^(decode|run:(encode|project))/;

for (const [what, work] of Object.entries(WORK)) {
  test(`${what}: an abort at every moment is its reason, promptly; then the same bytes as ever`, async () => {
    const { host, at } = momentous();
    const model = await load(host);
    for (const moment of MOMENTS) {
      const controller = new AbortController();
      let met = false;
      at(moment, () => {
        met = true;
        controller.abort("enough");
      });
      const outcome = await rejection(within(PROMPT_MS, work(model, controller.signal), moment));
      assert.ok(met || !SURE.test(moment), moment);
      if (met) assert.is(outcome, "enough", moment);
      const after = await within(PROMPT_MS, model.embed(REQUESTS[0]!), "the next call");
      assert.is(hex(after.inputsEmbeds), (await oneByOne()).embeds[0], moment);
    }
    await model.dispose();
    assert.equal(host.held(), NOTHING);
  });

  test(`${what}: dispose at every moment is E_DISPOSED at once, and nothing is left`, async () => {
    for (const moment of MOMENTS) {
      const { host, at } = momentous();
      const model = await load(host);
      let disposed: Promise<void> | undefined;
      at(moment, () => {
        disposed = model.dispose();
      });
      const outcome = await rejection(within(PROMPT_MS, work(model), moment));
      assert.ok(disposed || !SURE.test(moment), moment);
      if (disposed) await refused(Promise.reject(outcome), "E_DISPOSED", /disposed/);
      await within(PROMPT_MS, disposed ?? model.dispose(), "dispose");
      assert.equal(host.held(), NOTHING, moment);
    }
  });
}

test("an abort and dispose do not wait for a source that is waiting", async () => {
  const never = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
  const model = await load(watchedHost());
  const controller = new AbortController();
  const aborted = all(model.encodeStream(never, { signal: controller.signal }));
  controller.abort("enough");
  assert.is(await rejection(within(PROMPT_MS, aborted, "the abort")), "enough");
  const open = all(model.embedStream(never));
  await soon();
  const outcome = refused(within(PROMPT_MS, open, "dispose"), "E_DISPOSED", /disposed/);
  await within(PROMPT_MS, model.dispose(), "dispose");
  await outcome;
  await refused(all(model.embedStream(REQUESTS)), "E_DISPOSED", /^this model was disposed of; load it again$/);
});

test("an abort while the consumer has an item: the reason when it comes back", async () => {
  const model = await load(watchedHost());
  const controller = new AbortController();
  const source = counted(PICTURES);
  const stream = model.encodeStream(source, { signal: controller.signal });
  await stream.next();
  controller.abort("enough");
  await soon();
  assert.is(await rejection(within(PROMPT_MS, stream.next(), "the next")), "enough");
  assert.ok(source.returned);
  await model.dispose();
});

test("a picture worker that dies ends the call and not the process; single pictures go on", async () => {
  const host = pacedHost("encode", 2);
  const model = await load(host);
  const call = rejection(model.embed(several(PICTURES)));
  await until(() => host.events.includes("beside:start"), "it starts");
  // A message that no host sends: the worker throws outside of any program, now or after this picture.
  host.workers[2]?.post({ kind: "run", program: "no-such-program", input: 1, own: 1 }, []);
  for (const _ of PICTURES) host.letGo();
  const error = within(PROMPT_MS, call, "embed").then((reason) => Promise.reject(reason));
  await refused(error, "E_INTERNAL", /no program no-such-program here; load the model again$/);
  assert.is(hex((await model.embed(REQUESTS[0]!)).inputsEmbeds), (await oneByOne()).embeds[0]);
  await model.dispose();
  assert.equal(host.held(), NOTHING);
});

test("the command line's encode is the stream", async () => {
  const folder = temporaryFolder();
  const { encodes } = await oneByOne();
  const output = `${folder}/out.safetensors`;
  const images = PICTURES.flatMap((picture) => ["--image", picture]);
  const args = ["--model", DEMO, "--output", output, "--variant", "simd", "--threads", "2", "--json"];
  const { status, stdout, stderr } = await janus(["encode", ...args, ...images]);
  assert.is(status, 0, stderr);
  const { timings } = JSON.parse(stdout);
  assert.ok(timings.decode > 0 && timings.preprocess > 0 && timings.encode > 0 && timings.project > 0);
  const bytes = readFileSync(output);
  const data = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, data));
  for (const [n, name] of ["image_features", "image_embeds"].entries()) {
    const [begin, end] = header[name].data_offsets;
    assert.is(bytes.toString("hex", data + begin, data + end), encodes.map((pair) => pair[n]).join(""), name);
  }
});

test.run();
