import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LINEAR_SCRATCH_BYTES, linear } from "#dist/ops/gemm.js";
import {
  EPILOGUE,
  type Epilogue,
  gemmScratchBytes,
  K_BLOCK,
  NULL,
  PANEL,
  type Pointer,
  panelElements,
  roundUp,
  STORAGE,
  STORAGE_BYTES,
  type Storage,
  TILE_PANELS,
} from "#dist/wasm/abi.js";
import { assertSameBits, assertWithin, gelu, random, U } from "../../support/numbers.js";
import { recordedCalls } from "../../support/recorded-calls.js";
import { STORAGES, type Stored, stored } from "../../support/stored.js";
import { closeTeams, onEvery, openTeams, type Team, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/gemm");
test.before(openTeams);
test.after(closeTeams);

interface Case {
  readonly rows: number;
  readonly columns: number;
  readonly k: number;
  readonly storage: Storage;
  readonly epilogue: Epilogue;
  /** Elements between the rows of a, and of out. */
  readonly gap: number;
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
  gap = 0,
): Case {
  const bias = new Float32Array(roundUp(columns, PANEL));
  bias.set(random(columns, 3));
  return {
    rows,
    columns,
    k,
    storage,
    epilogue,
    gap,
    residual,
    a: random(rows * (k + gap), 1),
    w: stored(columns * k, 2, storage),
    bias,
    before: random(rows * (columns + gap), 4),
  };
}

/** The whole of out, the elements between its rows included. */
async function run(team: Team, c: Case): Promise<Float32Array> {
  const a = { at: team.put(c.a), stride: c.k + c.gap };
  const src = team.put(c.w.bits);
  const panels = team.take(panelElements(c.columns, c.k) * STORAGE_BYTES[c.storage]);
  await team.call("packWeights", panels, src, NULL, c.k, c.storage, false, 0, c.columns);
  const out = { at: team.put(c.before), stride: c.columns + c.gap };
  const residual = c.residual === "other" ? { at: team.put(c.before), stride: out.stride } : out;
  const w = { panels, bias: team.put(c.bias), columns: c.columns, k: c.k, storage: c.storage };
  const options = c.residual === "none" ? { epilogue: c.epilogue } : { residual };
  await team.call("linear", out, a, w, c.rows, options);
  return team.f32(out.at, c.before.length);
}

/**
 * Each product of a block of K_BLOCK is rounded twice at most (the product, the sum), block sums and bias once each; all relative to the sum
 * of magnitudes. GELU stretches an error by 1.13 at most and adds its own: erf within 1e-7, and its last roundings.
 */
function check(c: Case, actual: Float32Array): void {
  const exact = Float64Array.from(c.before);
  const bounds = new Float64Array(exact.length);
  const stride = c.columns + c.gap;
  for (let r = 0; r < c.rows; r++) {
    for (let n = 0; n < c.columns; n++) {
      let sum = c.bias[n]!;
      let magnitude = Math.abs(sum);
      for (let i = 0; i < c.k; i++) {
        const product = c.a[r * (c.k + c.gap) + i]! * c.w.values[n * c.k + i]!;
        sum += product;
        magnitude += Math.abs(product);
      }
      const at = r * stride + n;
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
  test(`${name}: every epilogue, strides beyond the rows, a residual that is the output`, async ({ teams }) => {
    for (const gap of [0, 3]) {
      for (const [epilogue, residual] of [
        [EPILOGUE.none, "none"],
        [EPILOGUE.gelu, "none"],
        [EPILOGUE.residual, "out"],
        [EPILOGUE.residual, "other"],
      ] as const) {
        const c = prepare(23, 19, 70, storage, epilogue, residual, gap);
        check(c, await onEvery(teams, (team) => run(team, c)));
      }
    }
  });
}

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

test("the calls cover every row and panel once, in slices of a millisecond with a poll before each", () => {
  for (const [rows, columns, k] of [
    [1, 8, 8],
    [576, 4096, 1024],
    [576, 1024, 4096],
    [1000, 13, 100_000],
  ] as const) {
    for (const count of [1, 2, 3]) {
      const panels = Math.ceil(columns / PANEL);
      const seen = new Uint8Array(rows * panels);
      for (let index = 0; index < count; index++) {
        const at = 64 as Pointer;
        const w = { panels: at, bias: at, columns, k, storage: STORAGE.f32 };
        const calls = recordedCalls(index, count, (x) =>
          linear(x, { at, stride: columns }, { at, stride: k }, w, rows),
        );
        calls.forEach(({ kernel, args, polls }, call) => {
          assert.is(kernel, "gemm");
          const [rowBegin = 0, rowEnd = 0, panelBegin = 0, panelEnd = 0] = args.slice(-5);
          for (let r = rowBegin; r < rowEnd; r++) for (let p = panelBegin; p < panelEnd; p++) seen[r * panels + p]!++;
          assert.ok(
            gemmScratchBytes(rowEnd - rowBegin) <= LINEAR_SCRATCH_BYTES,
            "the scratch that is planned suffices",
          );
          const flop = 2 * (rowEnd - rowBegin) * (panelEnd - panelBegin) * PANEL * k;
          assert.ok(flop <= 16e6 || panelEnd - panelBegin <= TILE_PANELS, `${flop} in one call`);
          assert.ok(polls > call, "a poll before each call");
        });
      }
      assert.ok(
        seen.every((times) => times === 1),
        `${rows} x ${columns} x ${k}, ${count} workers`,
      );
    }
  }
});

test.run();
