import { suite } from "uvu";
import { blockRows } from "#dist/ops/context.js";
import {
  blockElements,
  EPILOGUE,
  int8PanelBytes,
  LEVELS,
  type LevelForm,
  levelElements,
  PANEL,
  roundUp,
  STORAGE,
  type Storage,
  TILE,
  type Tile,
  type TileName,
} from "#dist/wasm/abi.js";
import { blocked, unblocked } from "../../reference/column-block.js";
import { quantiseRow, quantiseWeight } from "../../reference/int8.js";
import { assertSameBits, assertWithin, gelu, random, U } from "../../support/numbers.js";
import { STORAGES, stored } from "../../support/stored.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/linear-int8");
test.before(openTeams);
test.after(closeTeams);

const f = Math.fround;

interface Case {
  readonly rows: number;
  readonly columns: number;
  readonly k: number;
  readonly storage: Storage;
  readonly after: "nothing" | "gelu" | "residual";
}

/** A layer packed to 8 bits and run, by any tile; what was there before is the residual. */
async function check(teams: Teams["teams"], c: Case, tile: Tile, form: LevelForm): Promise<void> {
  const { rows, columns, k, storage, after } = c;
  const a = random(rows * k, 1);
  const w = stored(columns * k, 2, storage);
  const bias = new Float32Array(roundUp(columns, PANEL));
  bias.set(random(columns, 3));
  const before = random(rows * columns, 4);
  const actual = await onEvery(teams, async (team) => {
    const panels = team.take(int8PanelBytes(columns, k));
    const scales = team.take(roundUp(columns, PANEL) * 4);
    const src = team.put(w.bits);
    await team.call("packInt8", panels, scales, src, team.take(4 * k * 3 + (1 << 21)), k, storage, 0, columns);
    const [at, perRow] = [team.take(levelElements(rows, k) * 2), () => team.take(rows * 4)];
    const levels = { at, scales: perRow(), zeros: perRow(), form };
    const out = { at: team.put(blocked(before, rows, columns)), rows };
    const sums = team.take(roundUp(columns, PANEL) * 4);
    const layer = { panels, scales, bias: team.put(bias), sums, columns, k };
    await team.call("sumColumns", layer, form);
    const options =
      after === "residual"
        ? { residual: blockRows(out) }
        : { epilogue: after === "gelu" ? EPILOGUE.gelu : EPILOGUE.none };
    await team.call("linearOn", levels, tile, out, { at: team.put(blocked(a, rows, k)), rows }, layer, options);
    return unblocked(team.f32(out.at, blockElements(rows, columns)), rows, columns);
  });
  const weights = Array.from({ length: columns }, (_, n) => quantiseWeight(w.values.subarray(n * k, (n + 1) * k)));
  const exact = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    const row = quantiseRow(a.subarray(r * k, (r + 1) * k));
    for (const [n, weight] of weights.entries()) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += row.levels[i]! * weight.levels[i]!;
      const at = r * columns + n;
      const product = f(f(f(sum) * f(row.scale * weight.scale)) + bias[n]!);
      exact[at] = after === "residual" ? product + before[at]! : after === "gelu" ? gelu(product) : product;
    }
  }
  const what = `${rows} x ${columns} x ${k}, storage ${storage}, ${after}`;
  if (after === "gelu") assertWithin(actual, exact, (at) => (1e-7 + 8 * U) * (1 + Math.abs(exact[at]!)), what);
  else assertSameBits(actual, exact);
}

for (const [name, form] of (Object.keys(TILE) as TileName[]).flatMap((name) => [
  [name, LEVELS.wide] as const,
  [name, LEVELS.crossed] as const,
])) {
  test(`${name}, ${form === LEVELS.wide ? "plain" : "crossed"}: the integers of 8-bit operands, scaled, whatever the storage and what follows`, async ({
    teams,
  }) => {
    for (const [, storage] of STORAGES) {
      for (const after of ["nothing", "gelu", "residual"] as const) {
        await check(teams, { rows: 7, columns: 21, k: 50, storage, after }, TILE[name], form);
      }
    }
    await check(teams, { rows: 61, columns: 40, k: 600, storage: STORAGE.bf16, after: "nothing" }, TILE[name], form);
    await check(teams, { rows: 300, columns: 9, k: 5, storage: STORAGE.f32, after: "residual" }, TILE[name], form);
  });
}

test.run();
