import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blockRows, plainRows } from "#dist/ops/context.js";
import { linear, linearScratchBytes } from "#dist/ops/linear.js";
import {
  blockElements,
  EPILOGUE,
  type Epilogue,
  K_BLOCK,
  NULL,
  PANEL,
  type Pointer,
  panelElements,
  partialBytes,
  roundUp,
  STORAGE,
  STORAGE_BYTES,
  type Storage,
  WIDENED_BYTES,
} from "#dist/wasm/abi.js";
import { blocked, unblocked } from "../../reference/column-block.js";
import { finishHeads } from "../../reference/finish-heads.js";
import { assertSameBits, assertWithin, gelu, random, U } from "../../support/numbers.js";
import { recordedCalls } from "../../support/recorded-calls.js";
import { STORAGES, type Stored, stored } from "../../support/stored.js";
import { closeTeams, onEvery, openTeams, Team, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/linear");
test.before(openTeams);
test.after(closeTeams);

interface Case {
  readonly rows: number;
  readonly columns: number;
  readonly k: number;
  readonly storage: Storage;
  readonly epilogue: Epilogue;
  /** `other`: rows one after another, as positions are. */
  readonly residual: "none" | "out" | "other";
  readonly a: Float32Array;
  readonly w: Stored;
  readonly bias: Float32Array;
  readonly before: Float32Array;
}

function prepare(
  rows: number,
  columns: number,
  k: number,
  storage: Storage,
  epilogue: Epilogue = EPILOGUE.none,
  residual: Case["residual"] = "none",
): Case {
  const bias = new Float32Array(roundUp(columns, PANEL));
  bias.set(random(columns, 3));
  return {
    rows,
    columns,
    k,
    storage,
    epilogue,
    residual,
    a: random(rows * k, 1),
    w: stored(columns * k, 2, storage),
    bias,
    before: random(rows * columns, 4),
  };
}

async function placed(team: Team, c: Case) {
  const src = team.put(c.w.bits);
  const panels = team.take(panelElements(c.columns, c.k) * STORAGE_BYTES[c.storage]);
  await team.call("packWeights", panels, src, NULL, c.k, c.storage, false, 0, c.columns);
  const a = { at: team.put(blocked(c.a, c.rows, c.k)), rows: c.rows };
  return { a, w: { panels, bias: team.put(c.bias), columns: c.columns, k: c.k, storage: c.storage } };
}

async function run(team: Team, c: Case): Promise<Float32Array> {
  const { a, w } = await placed(team, c);
  const out = { at: team.put(blocked(c.before, c.rows, c.columns)), rows: c.rows };
  const other = c.residual === "other" ? plainRows(team.put(c.before), c.columns) : blockRows(out);
  await team.call("linear", out, a, w, c.residual === "none" ? { epilogue: c.epilogue } : { residual: other });
  const elements = blockElements(c.rows, c.columns);
  const blocks = team.f32(out.at, elements);
  const plain = unblocked(blocks, c.rows, c.columns);
  assertSameBits(blocks, blocked(plain, c.rows, c.columns)); // Nothing was written beside the columns.
  return plain;
}

/**
 * Each product of a block of K_BLOCK is rounded twice at most (the product, the sum), block sums and bias once each; all relative to the sum
 * of magnitudes. GELU stretches an error by 1.13 at most and adds its own: erf within 1e-7, and its last roundings.
 */
function check(c: Case, actual: Float32Array): void {
  const exact = Float64Array.from(c.before);
  const bounds = new Float64Array(exact.length);
  for (let r = 0; r < c.rows; r++) {
    for (let n = 0; n < c.columns; n++) {
      let sum = c.bias[n]!;
      let magnitude = Math.abs(sum);
      for (let i = 0; i < c.k; i++) {
        const product = c.a[r * c.k + i]! * c.w.values[n * c.k + i]!;
        sum += product;
        magnitude += Math.abs(product);
      }
      const at = r * c.columns + n;
      const linearBound = (Math.min(c.k, K_BLOCK) + Math.ceil(c.k / K_BLOCK) + 3) * U * magnitude;
      if (c.residual !== "none") {
        exact[at] = sum + c.before[at]!;
        bounds[at] = linearBound + U * Math.abs(exact[at]);
      } else if (c.epilogue === EPILOGUE.gelu) {
        exact[at] = gelu(sum);
        bounds[at] = 1.13 * linearBound + (1e-7 / 2 + 4 * U) * Math.abs(sum);
      } else {
        exact[at] = sum;
        bounds[at] = linearBound;
      }
    }
  }
  assertWithin(actual, exact, (at) => bounds[at]!, `${c.rows} x ${c.columns} x ${c.k}`);
}

test("more rows than one call takes, on any number of workers", async ({ teams }) => {
  for (const rows of [1, 2, 7, 61, 289, 3 * 288 + 5]) {
    const c = prepare(rows, 13, 30, STORAGE.f32);
    check(c, await onEvery(teams, (team) => run(team, c)));
  }
});

test("odd columns and every length of k", async ({ teams }) => {
  for (const columns of [1, 7, 8, 9, 50]) {
    for (const k of [1, 3, K_BLOCK - 1, K_BLOCK, K_BLOCK + 1, 2 * K_BLOCK + 5]) {
      const c = prepare(5, columns, k, STORAGE.f32);
      check(c, await onEvery(teams, (team) => run(team, c)));
    }
  }
});

for (const [name, storage] of STORAGES) {
  test(`${name}: every epilogue, a residual that is the output`, async ({ teams }) => {
    for (const [rows, columns] of [
      [23, 19],
      [70, 300],
    ] as const) {
      for (const [epilogue, residual] of [
        [EPILOGUE.none, "none"],
        [EPILOGUE.gelu, "none"],
        [EPILOGUE.residual, "out"],
        [EPILOGUE.residual, "other"],
      ] as const) {
        const c = prepare(rows, columns, 70, storage, epilogue, residual);
        check(c, await onEvery(teams, (team) => run(team, c)));
      }
    }
  });
}

test("tasks of rows and of columns among more workers than cores: the same bytes", async ({ teams }) => {
  const five = await Team.of(5);
  try {
    for (const storage of [STORAGE.f32, STORAGE.bf16]) {
      const c = prepare(301, 300, K_BLOCK + 30, storage, EPILOGUE.residual, "out");
      check(c, await onEvery([...teams, five], (team) => run(team, c)));
    }
  } finally {
    await five.dispose();
  }
});

test("the residual may be the output, and gives what another buffer gives", async ({ teams }) => {
  const bytes = (residual: Case["residual"]): Promise<Float32Array> => {
    const c = prepare(300, 16, 24, STORAGE.f32, EPILOGUE.residual, residual);
    return onEvery(teams, (team) => run(team, c));
  };
  assert.equal(await bytes("out"), await bytes("other"));
});

test("16-bit panels give the bytes of the same weights in f32", async ({ teams }) => {
  for (const storage of [STORAGE.bf16, STORAGE.f16]) {
    const narrow = prepare(23, 19, 300, storage, EPILOGUE.gelu);
    const wide = { ...narrow, storage: STORAGE.f32, w: { bits: narrow.w.values, values: narrow.w.values } };
    assertSameBits(await onEvery(teams, (team) => run(team, narrow)), await onEvery(teams, (team) => run(team, wide)));
  }
});

test("q, k and v of all heads, where attention takes them", async ({ teams }) => {
  for (const [tokens, heads, headWidth] of [
    [13, 3, 8],
    [70, 2, 5],
    [130, 4, 16],
  ] as const) {
    const columns = 3 * heads * headWidth;
    const c = prepare(tokens, columns, 50, STORAGE.f32);
    const shape = { tokens, heads, headWidth };
    const sizes = [tokens * headWidth, panelElements(tokens, headWidth), panelElements(headWidth, tokens)];
    const actual = await onEvery(teams, async (team) => {
      const { a, w } = await placed(team, c);
      const [queries, keys, values] = sizes.map((size) => team.put(new Float32Array(heads * size))) as [
        Pointer,
        Pointer,
        Pointer,
      ];
      await team.call("linearHeads", { queries, keys, values }, a, w, shape);
      const parts = [queries, keys, values].map((at, part) => team.f32(at, heads * sizes[part]!));
      return Float32Array.from(parts.flatMap((part) => [...part]));
    });
    // The plain layer has the same sums; the bias is in it already.
    const plain = await onEvery(teams, (team) => run(team, c));
    const panels = Math.ceil(columns / PANEL);
    const partial = new Float32Array(panels * tokens * PANEL);
    for (let t = 0; t < tokens; t++) {
      for (let n = 0; n < columns; n++)
        partial[(Math.floor(n / PANEL) * tokens + t) * PANEL + (n % PANEL)] = plain[t * columns + n]!;
    }
    const [queries, keys, values] = sizes.map((size) => new Float32Array(heads * size)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const none = new Float32Array(roundUp(columns, PANEL));
    finishHeads(queries, keys, values, partial, none, tokens, heads, headWidth, 0, tokens, 0, panels);
    assertSameBits(actual, Float32Array.from([...queries, ...keys, ...values]));
  }
});

test("the calls cover every row, panel and block of k once, in slices of a few milliseconds with a poll before each", () => {
  for (const [rows, columns, k] of [
    [1, 8, 8],
    [64, 128, 128],
    [576, 4096, 1024],
    [576, 1024, 4096],
    [1000, 13, 10_000],
  ] as const) {
    // No other worker is there to claim anything: each would do it all, in tasks that are cut for `count`.
    for (const count of [1, 2, 3, 16]) {
      const panels = Math.ceil(columns / PANEL);
      const blocks = Math.ceil(k / K_BLOCK);
      const seen = new Uint16Array(rows * panels);
      const finished = new Uint8Array(rows * panels);
      const at = 64 as Pointer;
      const w = { panels: at, bias: at, columns, k, storage: STORAGE.f32 };
      const calls = recordedCalls(0, count, (x) => linear(x, { at, rows }, { at, rows }, w));
      let products = 0;
      for (const { kernel, args, polls } of calls) {
        if (kernel === "finish") {
          const [rowBegin = 0, rowEnd = 0, panelBegin = 0, panelEnd = 0] = args.slice(-4);
          for (let r = rowBegin; r < rowEnd; r++)
            for (let p = panelBegin; p < panelEnd; p++) {
              assert.is(seen[r * panels + p], blocks, "all blocks of k come before the end");
              finished[r * panels + p]!++;
            }
          continue;
        }
        assert.is(kernel, "multiply");
        assert.ok(polls > products++, "a poll before each product");
        const [rowBegin = 0, rowEnd = 0, , panelBegin = 0, panelEnd = 0] = args.slice(-6);
        for (let r = rowBegin; r < rowEnd; r++) for (let p = panelBegin; p < panelEnd; p++) seen[r * panels + p]!++;
        const needed = WIDENED_BYTES + partialBytes(rowEnd - rowBegin, panelEnd - panelBegin);
        assert.ok(needed <= linearScratchBytes(rows), "the scratch that is planned suffices");
        assert.ok((rowEnd - rowBegin) * (panelEnd - panelBegin) <= 288 * 64, "one call is 75 MFLOP at most");
      }
      assert.ok(
        finished.every((times) => times === 1),
        `${rows} x ${columns} x ${k}, ${count} workers`,
      );
    }
  }
});

test("there are tasks for every worker where there are rows and columns enough", () => {
  const at = 64 as Pointer;
  const tasks = (rows: number, columns: number, count: number): number => {
    const w = { panels: at, bias: at, columns, k: 8, storage: STORAGE.f32 };
    const calls = recordedCalls(0, count, (x) => linear(x, { at, rows }, { at, rows }, w));
    return calls.filter(({ kernel }) => kernel === "finish").length;
  };
  for (const count of [2, 3, 4, 8, 16]) assert.ok(tasks(576, 1024, count) >= 2 * count, `${count} workers`);
  assert.is(tasks(576, 1024, 1), 4);
});

test.run();
