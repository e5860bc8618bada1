import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  K_BLOCK,
  PANEL,
  partialBytes,
  roundUp,
  STORAGE,
  type Storage,
  type Tile,
  WIDENED_BYTES,
} from "#dist/wasm/abi.js";
import { blocked, blockIndex } from "../../reference/column-block.js";
import { multiply, panelIndex } from "../../reference/multiply.js";
import { widenBits } from "../../reference/widen.js";
import { assertSameBits, assertWithin, randomF32, randomIntegers, U } from "../../support/elements.js";
import { type Buffer, forEachTile, type Lab } from "../../support/kernels.js";

const test = suite("multiply");

const NAN_BITS: Record<Storage, number> = { 0: 0x7fc00000, 1: 0x7fc0, 2: 0x7e00 };

interface Case {
  tile: Tile;
  rows: number;
  columns: number;
  k: number;
  storage: Storage;
  partial: Buffer<Float32Array>;
  a: Buffer<Float32Array>;
  panels: Buffer<Uint16Array> | Buffer<Uint32Array>;
  scratch: Buffer<Float32Array>;
}

/** Random operands; NaN in the scratch, in the partial sums, and in every padded column of a and of the panels. */
function prepare(
  lab: Lab,
  tile: Tile,
  rows: number,
  columns: number,
  k: number,
  storage: Storage = STORAGE.f32,
  scale = 1,
): Case {
  const seed = rows * 10007 + columns * 101 + k;
  const bits = panelBits(columns, k, storage, seed);
  const panels = Math.ceil(columns / PANEL);
  return {
    tile,
    rows,
    columns,
    k,
    storage,
    partial: lab.from(Float32Array, new Float32Array(partialBytes(rows, panels) / 4).fill(Number.NaN)),
    a: lab.from(Float32Array, blocked(randomF32(rows * k, seed + 2, scale), rows, k)),
    panels: bits instanceof Uint32Array ? lab.from(Uint32Array, bits) : lab.from(Uint16Array, bits),
    scratch: lab.scratch(WIDENED_BYTES),
  };
}

function panelBits(columns: number, k: number, storage: Storage, seed: number): Uint16Array | Uint32Array {
  const length = roundUp(columns, PANEL) * k;
  const bits = (storage === STORAGE.f32 ? new Uint32Array(length) : new Uint16Array(length)).fill(NAN_BITS[storage]);
  const floats = new Uint32Array(randomF32(columns * k, seed).buffer);
  const halves = randomIntegers(columns * k, seed, 0x10000);
  for (let n = 0; n < columns; n++) {
    for (let i = 0; i < k; i++) {
      const float = floats[n * k + i]!;
      // f16: exponents 0 to 15 (subnormals to just below 2), either sign
      const half = halves[n * k + i]! & 0xbfff;
      bits[panelIndex(n, i, k)] = [float, float >>> 16, half][storage]!;
    }
  }
  return bits;
}

interface Range {
  rowBegin: number;
  rowEnd: number;
  panelBegin: number;
  panelEnd: number;
}

function whole(c: Case): Range {
  return { rowBegin: 0, rowEnd: c.rows, panelBegin: 0, panelEnd: Math.ceil(c.columns / PANEL) };
}

/** All blocks of k in order. */
function run(lab: Lab, c: Case, range: Range): void {
  const { rowBegin, rowEnd, panelBegin, panelEnd } = range;
  for (let k = 0; k < c.k; k += K_BLOCK) {
    lab.kernels.multiply(
      c.partial.pointer,
      c.a.pointer,
      c.panels.pointer,
      c.scratch.pointer,
      c.rows,
      c.k,
      c.storage,
      rowBegin,
      rowEnd,
      k,
      panelBegin,
      panelEnd,
      c.tile,
    );
  }
}

/** What the sums of the matrix's own columns are; those of padded columns are whatever they are. */
function reference(lab: Lab, c: Case, range: Range): Float32Array {
  const { rowBegin, rowEnd, panelBegin, panelEnd } = range;
  const sums = new Float32Array(c.partial.data.length).fill(Number.NaN);
  for (let k = 0; k < c.k; k += K_BLOCK) {
    const { a, panels, rows, storage } = c;
    multiply(sums, a.data, panels.data, rows, c.k, storage, rowBegin, rowEnd, k, panelBegin, panelEnd, lab.fused);
  }
  return sums;
}

/** The sums against the reference; beyond those of the range, `partial` keeps what it had. */
function check(lab: Lab, c: Case, range = whole(c)): void {
  c.partial.data.fill(Number.NaN);
  const before = c.partial.data.slice();
  run(lab, c, range);
  const { rowBegin, rowEnd, panelBegin, panelEnd } = range;
  const height = Math.max(0, rowEnd - rowBegin);
  const own = (_: number, at: number): boolean => {
    const panel = panelBegin + Math.floor(at / (PANEL * height));
    return panel < panelEnd && panel * PANEL + (at % PANEL) < c.columns;
  };
  const what = `${c.rows} x ${c.columns} x ${c.k}, storage ${c.storage}`;
  assertSameBits(c.partial.data.filter(own), reference(lab, c, range).filter(own), what);
  const end = (panelEnd - panelBegin) * height * PANEL;
  assertSameBits(c.partial.data.slice(end), before.slice(end), `${what}, beyond the range`);
}

const SHORT = [1, 2, 3, 4, 5, 8, 9];
const ABOUT_A_BLOCK = [K_BLOCK - 1, K_BLOCK, K_BLOCK + 1, 2 * K_BLOCK + 1];

forEachTile(test, "every ragged shape, in the order of the contract", (lab, tile) => {
  for (let rows = 1; rows <= 13; rows++) {
    for (let columns = 1; columns <= 17; columns++) {
      for (const k of SHORT) {
        lab.reset();
        check(lab, prepare(lab, tile, rows, columns, k));
      }
    }
  }
});

forEachTile(test, "k about a block, with tiles, rows and panels left over", (lab, tile) => {
  for (const rows of [1, 4, 5, 6, 7, 13]) {
    for (const columns of [1, 7, 8, 9, 16, 17, 33]) {
      for (const k of ABOUT_A_BLOCK) {
        lab.reset();
        check(lab, prepare(lab, tile, rows, columns, k));
      }
    }
  }
});

forEachTile(test, "bf16 and f16 panels", (lab, tile) => {
  for (const storage of [STORAGE.bf16, STORAGE.f16]) {
    for (const columns of [1, 7, 8, 9, 17]) {
      for (const k of [...SHORT, ...ABOUT_A_BLOCK]) {
        lab.reset();
        check(lab, prepare(lab, tile, 7, columns, k, storage));
      }
    }
  }
});

forEachTile(test, "bf16 and f16 give the bytes of the same weights in f32", (lab, tile) => {
  for (const storage of [STORAGE.bf16, STORAGE.f16]) {
    lab.reset();
    const c = prepare(lab, tile, 9, 24, 300, storage);
    const wide = prepare(lab, tile, 9, 24, 300, STORAGE.f32);
    wide.panels.data.set(Array.from(c.panels.data, (bits) => widenBits(bits, storage)));
    wide.a.data.set(c.a.data);
    run(lab, c, whole(c));
    run(lab, wide, whole(wide));
    assertSameBits(c.partial.data, wide.partial.data, `storage ${storage}`);
  }
});

forEachTile(test, "ranges of rows and panels give the bytes they have in the whole", (lab, tile) => {
  const c = prepare(lab, tile, 23, 40, 270);
  for (const [rowBegin, rowEnd] of [
    [0, 1],
    [1, 8],
    [8, 23],
    [0, 23],
  ] as const) {
    for (const [panelBegin, panelEnd] of [
      [0, 2],
      [2, 5],
      [1, 4],
    ] as const) {
      check(lab, c, { rowBegin, rowEnd, panelBegin, panelEnd });
    }
  }
});

forEachTile(test, "without rows or panels nothing is touched", (lab, tile) => {
  const c = prepare(lab, tile, 7, 16, 30);
  const before = c.partial.data.slice();
  run(lab, c, { ...whole(c), rowBegin: 5, rowEnd: 5 });
  run(lab, c, { ...whole(c), rowBegin: 6, rowEnd: 5 });
  run(lab, c, { ...whole(c), panelBegin: 1, panelEnd: 1 });
  assertSameBits(c.partial.data, before, "nothing");
});

forEachTile(test, "within the bound of the contract, against double precision", (lab, tile) => {
  const c = prepare(lab, tile, 12, 24, 1024);
  run(lab, c, whole(c));
  const exact = new Float64Array(c.partial.data.length);
  const norm = new Float64Array(c.partial.data.length);
  const w = new Float32Array(c.panels.data.slice().buffer);
  for (let r = 0; r < c.rows; r++) {
    for (let n = 0; n < c.columns; n++) {
      const at = (Math.floor(n / PANEL) * c.rows + r) * PANEL + (n % PANEL);
      for (let i = 0; i < c.k; i++) {
        const product = c.a.data[blockIndex(c.rows, r, i)]! * w[panelIndex(n, i, c.k)]!;
        exact[at]! += product;
        norm[at]! += Math.abs(product);
      }
    }
  }
  // a product is rounded at most once by itself and K_BLOCK times in its chain, then per block
  const steps = K_BLOCK + Math.ceil(c.k / K_BLOCK);
  assertWithin(c.partial.data, exact, (i) => steps * U * (1 + steps * U) * norm[i]!, "1024 k");
});

forEachTile(test, "subnormal products are kept, infinities and NaN stay in their row and column", (lab, tile) => {
  const tiny = prepare(lab, tile, 7, 16, 20, STORAGE.f32, 2 ** -140);
  check(lab, tiny);
  assert.ok(tiny.partial.data.some((x) => x !== 0 && Math.abs(x) < 2 ** -126));

  const c = prepare(lab, tile, 8, 16, 12);
  c.a.data[blockIndex(8, 2, 5)] = Number.NaN;
  c.a.data[blockIndex(8, 3, 5)] = Number.POSITIVE_INFINITY;
  c.panels.data[panelIndex(9, 4, 12)] = 0x7fc00000;
  run(lab, c, whole(c));
  for (let r = 0; r < c.rows; r++) {
    for (let n = 0; n < c.columns; n++) {
      const x = c.partial.data[(Math.floor(n / PANEL) * c.rows + r) * PANEL + (n % PANEL)]!;
      assert.is(Number.isNaN(x), r === 2 || n === 9, `NaN at ${r}, ${n}`);
      assert.is(Number.isFinite(x), r !== 2 && r !== 3 && n !== 9, `finite at ${r}, ${n}`);
    }
  }
});

forEachTile(test, "reads nothing beyond a", (lab, tile) => {
  for (const rows of [1, 5, 6, 7]) {
    for (const k of [1, 33, K_BLOCK + 2]) {
      lab.reset();
      const c = prepare(lab, tile, rows, 8, k);
      const end = blockIndex(rows, rows - 1, k - 1) + 1;
      check(lab, { ...c, a: lab.atEnd(Float32Array, c.a.data.slice(0, end)) });
    }
  }
});

forEachTile(test, "reads nothing beyond the panels", (lab, tile) => {
  for (const storage of [STORAGE.f32, STORAGE.bf16, STORAGE.f16]) {
    for (const columns of [8, 24]) {
      for (const k of [1, 2, 5, K_BLOCK + 3]) {
        lab.reset();
        const c = prepare(lab, tile, 7, columns, k, storage);
        const bits = c.panels.data.slice();
        const panels = bits instanceof Uint32Array ? lab.atEnd(Uint32Array, bits) : lab.atEnd(Uint16Array, bits);
        check(lab, { ...c, panels });
      }
    }
  }
});

test.run();
