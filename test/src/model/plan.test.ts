import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type MatrixStorage, type ModelPlan, planModel } from "#dist/model/plan.js";
import { requiredTensors } from "#dist/model/tensors.js";
import { attentionScratch, keyElements, queryElements, valueElements } from "#dist/ops/attention.js";
import { attentionInt16Scratch, headLevelBytes } from "#dist/ops/attention-int16.js";
import { linearScratchBytes } from "#dist/ops/linear.js";
import {
  ARENA_BASE,
  blockElements,
  int8PanelBytes,
  type Pointer,
  panelElements,
  STORAGE,
  STORAGE_BYTES,
} from "#dist/wasm/abi.js";
import { MEMORY_LIMIT } from "#dist/wasm/memory.js";
import { JANUS_PRO_1B, modelConfig, ODD_TOWER, type Tower } from "../../support/model-config.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("model/plan");

const CONTROL = 64;
const BF16 = (): MatrixStorage => ({ packed: false, stored: STORAGE.bf16, panels: STORAGE.bf16 });
const F32 = (): MatrixStorage => ({ packed: false, stored: STORAGE.f32, panels: STORAGE.f32 });
const WIDENED = (): MatrixStorage => ({ packed: false, stored: STORAGE.bf16, panels: STORAGE.f32 });

interface Span {
  readonly what: string;
  readonly at: number;
  readonly bytes: number;
}

/** Weights in execution order, each with the bytes its use needs. */
function weights(tower: Tower, plan: ModelPlan): Span[] {
  const spans: Span[] = [];
  const linear = (what: string, w: ModelPlan["weights"]["patchEmbed"]): void => {
    if ("scales" in w) {
      spans.push({ what, at: w.panels, bytes: int8PanelBytes(w.columns, w.k) });
      spans.push({ what: `${what}.scales`, at: w.scales, bytes: panelElements(w.columns, 1) * 4 });
    } else spans.push({ what, at: w.panels, bytes: panelElements(w.columns, w.k) * STORAGE_BYTES[w.storage] });
    spans.push({ what: `${what}.bias`, at: w.bias, bytes: panelElements(w.columns, 1) * 4 });
  };
  const norm = (what: string, n: ModelPlan["weights"]["norm"]): void => {
    spans.push(
      { what, at: n.weight, bytes: tower.width * 4 },
      { what: `${what}.bias`, at: n.bias, bytes: tower.width * 4 },
    );
  };
  const { patchEmbed, posEmbed, blocks, norm: last, aligner } = plan.weights;
  linear("patch_embed", patchEmbed);
  spans.push({ what: "pos_embed", at: posEmbed, bytes: modelConfig(tower).tokens * tower.width * 4 });
  blocks.forEach((block, n) => {
    norm(`${n}.norm1`, block.norm1);
    linear(`${n}.qkv`, block.qkv);
    linear(`${n}.proj`, block.proj);
    norm(`${n}.norm2`, block.norm2);
    linear(`${n}.fc1`, block.fc1);
    linear(`${n}.fc2`, block.fc2);
  });
  norm("norm", last);
  aligner.forEach((layer, n) => {
    linear(`aligner.${n}`, layer);
  });
  return spans;
}

/** The activations that are alive at the same time, in each phase of the forward pass. */
function phases(tower: Tower, plan: ModelPlan): Record<string, Span[]> {
  const { tokens, imageSize, patchSize, width, heads, headWidth, mlpWidth, dim } = modelConfig(tower);
  const shape = { tokens, heads, headWidth };
  const a = plan.activations;
  const matrix = (columns: number): number => blockElements(tokens, columns);
  const span = (what: string, at: Pointer, elements: number): Span => ({ what, at, bytes: elements * 4 });
  const stream = span("stream", a.stream, matrix(width));
  const normed = span("normed", a.normed, matrix(width));
  const patches = span("patches", a.patches, matrix(3 * patchSize ** 2));
  return {
    "patching pixel_values": [stream, span("pixels", a.pixels, 3 * imageSize ** 2), patches],
    "patching a square": [
      stream,
      { what: "square", at: a.square, bytes: 3 * imageSize ** 2 },
      span("levels", a.levels, 3 * 256),
      patches,
    ],
    attending: [
      stream,
      normed,
      span("queries", a.queries, queryElements(shape)),
      span("keys", a.keys, keyElements(shape)),
      span("values", a.values, valueElements(shape)),
      span("mixed", a.mixed, matrix(width)),
    ],
    feeding: [stream, normed, span("hidden", a.hidden, matrix(mlpWidth))],
    aligning: [normed, span("embeds 0", a.embeds[0], matrix(dim)), span("embeds 1", a.embeds[1], matrix(dim))],
  };
}

function checkApart(spans: readonly Span[], begin: number, end: number): void {
  for (const { what, at, bytes } of spans) {
    assert.is(at % 64, 0, `${what} is aligned`);
    assert.ok(bytes > 0 && at >= begin && at + bytes <= end, `${what} is within`);
  }
  const sorted = [...spans].sort((a, b) => a.at - b.at);
  sorted.forEach((span, i) => {
    const next = sorted[i + 1];
    if (next) assert.ok(span.at + span.bytes <= next.at, `${span.what} ends before ${next.what}`);
  });
}

const TOWERS: Record<string, Tower> = {
  odd: ODD_TOWER,
  "one block, identity": { ...ODD_TOWER, blocks: 1, dim: 10, depth: 0 },
  "wide aligner": { ...ODD_TOWER, dim: 1000, depth: 3 },
  "wide MLP": { ...ODD_TOWER, mlpWidth: 500, depth: 1 },
  "large image": { ...ODD_TOWER, imageSize: 120, patchSize: 40 },
  "Janus-Pro-1B": JANUS_PRO_1B,
};

for (const [name, tower] of Object.entries(TOWERS)) {
  for (const threads of [1, 3]) {
    test(`${name}, ${threads} threads: nothing overlaps that is alive together, all is aligned and within`, () => {
      const plan = planModel(modelConfig(tower), BF16, threads, CONTROL);
      assert.is(plan.control, ARENA_BASE);
      const spans = weights(tower, plan);
      const weightsEnd = ARENA_BASE + CONTROL + plan.weightBytes;
      checkApart(spans, ARENA_BASE + CONTROL, weightsEnd);
      assert.equal(
        spans.map(({ at }) => at),
        spans.map(({ at }) => at).sort((a, b) => a - b),
        "in execution order",
      );
      const scratch = Array.from({ length: threads }, (_, index) => ({
        what: `scratch ${index}`,
        at: plan.scratch + index * plan.scratchBytes,
        bytes: plan.scratchBytes,
      }));
      for (const alive of Object.values(phases(tower, plan))) checkApart([...alive, ...scratch], weightsEnd, plan.free);
      assert.is(plan.free, weightsEnd + plan.activationBytes);
    });
  }

  test(`${name}: a place for every tensor of the forward pass, in order, and for no other`, () => {
    const config = modelConfig(tower);
    const plan = planModel(config, BF16, 1, CONTROL);
    const roles = requiredTensors(config).map(({ role }) => role);
    assert.equal(
      plan.placements.map(({ role }) => role),
      roles.filter((role) => role !== "embed_tokens.weight"),
    );
    const spans = weights(tower, plan);
    assert.equal(
      plan.placements.map(({ at }) => at),
      spans.map(({ at }) => at),
    );
    for (const { role, shape } of requiredTensors(config)) {
      const placement = plan.placements.find((p) => p.role === role);
      if (placement?.kind === "panels")
        assert.is(
          placement.k,
          shape.slice(1).reduce((a, b) => a * b, 1),
          role,
        );
      else assert.ok(shape.length === 1 || /^(pos_embed|embed_tokens)/.test(role), role);
    }
  });
}

test("scratch suffices for every op", () => {
  for (const tower of Object.values(TOWERS)) {
    const { tokens, heads, headWidth } = modelConfig(tower);
    const { scratchBytes } = planModel(modelConfig(tower), BF16, 1, CONTROL);
    const shape = { tokens, heads, headWidth };
    for (const bytes of [linearScratchBytes(tokens), attentionScratch(shape), attentionInt16Scratch(shape)])
      assert.ok(scratchBytes >= bytes);
    assert.is(scratchBytes % 64, 0);
  }
});

test("levels of the keys and values of all heads fit where those of rows lie", () => {
  // Heads of 5 and 9 tokens are filled up to 16 of each: more than the rows of any linear there.
  for (const tower of Object.values(TOWERS)) {
    const config = modelConfig(tower);
    const { quantised } = planModel(
      config,
      () => ({ packed: true, stored: "int8", panels: "int8" }),
      1,
      CONTROL,
    ).activations;
    assert.ok(quantised.scales - quantised.at >= headLevelBytes(config));
    assert.is(
      planModel(config, BF16, 1, CONTROL).activations.quantised.scales,
      planModel(config, BF16, 1, CONTROL).activations.quantised.at,
    );
  }
});

test("Janus-Pro-1B: 310 million weights in two bytes each, or in four when widened", () => {
  const config = modelConfig(JANUS_PRO_1B);
  const matrices = requiredTensors(config)
    .filter(({ role, shape }) => shape.length > 1 && !/^(pos_embed|embed_tokens)/.test(role))
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const kept = planModel(config, BF16, 1, CONTROL).weightBytes;
  const wide = planModel(config, WIDENED, 1, CONTROL).weightBytes;
  assert.is(wide - kept, matrices * 2);
  assert.ok(kept > matrices * 2 && kept < matrices * 2 + 4e6, "positions, biases and norms are small");
  assert.is(planModel(config, F32, 1, CONTROL).weightBytes, wide);
});

test("a matrix is widened when it is kept as another storage than its own, each by its own role", () => {
  const mixed = (role: string): MatrixStorage => (role === "patch_embed.weight" ? F32() : WIDENED());
  const { placements, weights } = planModel(modelConfig(ODD_TOWER), mixed, 1, CONTROL);
  for (const placement of placements) {
    if (placement.kind === "panels") assert.is(placement.wide, placement.role !== "patch_embed.weight", placement.role);
  }
  assert.is("storage" in weights.patchEmbed && weights.patchEmbed.storage, STORAGE.f32);
  const asked: string[] = [];
  planModel(
    modelConfig(ODD_TOWER),
    (role) => {
      asked.push(role);
      return BF16();
    },
    1,
    CONTROL,
  );
  assert.ok(asked.length === 1 + 2 * 4 + 2 && asked.every((role) => role.endsWith(".weight")));
});

test("a plan is plain data: workers get the same one", () => {
  const plan = planModel(modelConfig(ODD_TOWER), BF16, 2, CONTROL);
  assert.equal(structuredClone(plan), plan);
});

test("what does not fit below 4 GiB is E_OOM, with both figures, before anything is allocated", () => {
  for (const [tower, threads] of [
    [{ ...JANUS_PRO_1B, width: 65_536, heads: 1, mlpWidth: 4 * 65_536 }, 1],
    [{ ...JANUS_PRO_1B, blocks: 1000 }, 1],
    [{ ...JANUS_PRO_1B, imageSize: 4096, patchSize: 1 }, 1],
    [{ ...JANUS_PRO_1B, imageSize: 4096, patchSize: 16, blocks: 1 }, 250],
    [{ ...JANUS_PRO_1B, dim: 65_536, depth: 100 }, 1],
    [{ ...JANUS_PRO_1B, width: Number.MAX_SAFE_INTEGER - 1, heads: 1 }, 1],
  ] as const) {
    const error = refusedNow(
      () => planModel(modelConfig(tower), F32, threads, CONTROL),
      "E_OOM",
      /^planning memory: \S+ bytes needed, but a WebAssembly memory ends at 4294967296; use a smaller/,
    );
    const needed = Number(/: (\S+) bytes/.exec(error.message)?.[1]);
    assert.ok(needed > MEMORY_LIMIT, error.message);
  }
});

test.run();
