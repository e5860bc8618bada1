import { suite } from "uvu";
import { blockElements, LEVELS, levelElements, type Pointer } from "#dist/wasm/abi.js";
import { blocked, unblocked } from "../../reference/column-block.js";
import { assertSameBits, assertWithin, random, U } from "../../support/numbers.js";
import { closeTeams, onEvery, openTeams, type Team, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/layernorm");
test.before(openTeams);
test.after(closeTeams);

const EPS = 1e-6;

interface Case {
  readonly rows: number;
  readonly width: number;
  readonly src: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

function prepare(rows: number, width: number): Case {
  const src = random(rows * width, width).map((value) => value + 0.5);
  return { rows, width, src, weight: random(width, 2, 2), bias: random(width, 3) };
}

test("with levels: those of the rows it writes", async ({ teams }) => {
  const c = prepare(50, 300);
  const seen = await onEvery(teams, async (team) => {
    const src = { at: team.put(blocked(c.src, c.rows, c.width)), rows: c.rows };
    const norm = { weight: team.put(c.weight), bias: team.put(c.bias), width: c.width, eps: EPS };
    const elements = blockElements(c.rows, c.width);
    const dst = { at: team.take(elements * 4), rows: c.rows };
    const room = () => {
      const perRow = (): Pointer => team.take(c.rows * 4);
      const at = team.take(levelElements(c.rows, c.width) * 2);
      return { at, scales: perRow(), zeros: perRow(), form: LEVELS.wide };
    };
    const [fused, apart] = [room(), room()];
    await team.call("layernorm", { ...dst, levels: fused }, src, norm);
    await team.call("quantise", apart, dst, c.width);
    const halves = levelElements(c.rows, c.width) / 2;
    assertSameBits(team.f32(fused.at, halves), team.f32(apart.at, halves));
    assertSameBits(team.f32(fused.scales, c.rows), team.f32(apart.scales, c.rows));
    return unblocked(team.f32(dst.at, elements), c.rows, c.width);
  });
  check(c, seen);
});

async function run(team: Team, c: Case, inPlace: boolean): Promise<Float32Array> {
  const src = { at: team.put(blocked(c.src, c.rows, c.width)), rows: c.rows };
  const elements = blockElements(c.rows, c.width);
  const dst = inPlace ? src : { at: team.take(elements * 4), rows: c.rows };
  const norm = { weight: team.put(c.weight), bias: team.put(c.bias), width: c.width, eps: EPS };
  await team.call("layernorm", dst, src, norm);
  return unblocked(team.f32(dst.at, elements), c.rows, c.width);
}

/**
 * The kernel's contract. With n = width / 16 + 10 roundings a sum: the mean is off by m <= n u max|x|, the variance relatively by n u and by
 * (m / deviation)², its root by half of that; then the difference and the three products and sums round once each.
 */
function check(c: Case, actual: Float32Array): void {
  const exact = new Float64Array(c.src.length);
  const bounds = new Float64Array(c.src.length);
  const n = c.width / 16 + 10;
  for (let r = 0; r < c.rows; r++) {
    const row = [...c.src.subarray(r * c.width, (r + 1) * c.width)];
    const mean = row.reduce((sum, x) => sum + x, 0) / c.width;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / c.width + EPS;
    const meanError = n * U * Math.max(...row.map(Math.abs));
    row.forEach((x, i) => {
      const scaled = ((x - mean) / Math.sqrt(variance)) * c.weight[i]!;
      const at = r * c.width + i;
      exact[at] = scaled + c.bias[i]!;
      const relative = (n * U + meanError ** 2 / variance) / 2 + 6 * U;
      const moved = (Math.abs(c.weight[i]!) * meanError) / Math.sqrt(variance);
      bounds[at] = moved + Math.abs(scaled) * relative + 2 * U * Math.abs(exact[at]!);
    });
  }
  assertWithin(actual, exact, (at) => bounds[at]!, `${c.rows} rows of ${c.width}`);
}

test("rows and widths of every kind, also in place", async ({ teams }) => {
  for (const rows of [1, 2, 7, 50]) {
    for (const width of [1, 3, 8, 17, 80, 300, 1024]) {
      const c = prepare(rows, width);
      const apart = await onEvery(teams, (team) => run(team, c, false));
      check(c, apart);
      assertSameBits(await onEvery(teams, (team) => run(team, c, true)), apart);
    }
  }
});

test.run();
