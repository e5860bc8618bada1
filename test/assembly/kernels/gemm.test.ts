import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  EPILOGUE,
  type Epilogue,
  gemmScratchBytes,
  K_BLOCK,
  NULL,
  PANEL,
  roundUp,
  STORAGE,
  type Storage,
  type Tile,
} from "#dist/wasm/abi.js";
import { gemm, panelIndex } from "../../reference/gemm.js";
import { widenBits } from "../../reference/widen.js";
import { assertSameBits, assertWithin, randomF32, randomIntegers, U } from "../../support/elements.js";
import { type Buffer, forEachTile, type Lab } from "../../support/kernels.js";

const test = suite("gemm");

const NAN_BITS: Record<Storage, number> = { 0: 0x7fc00000, 1: 0x7fc0, 2: 0x7e00 };

interface Case {
  tile: Tile;
  rows: number;
  columns: number;
  k: number;
  storage: Storage;
  aStride: number;
  outStride: number;
  residualStride: number;
  out: Buffer<Float32Array>;
  a: Buffer<Float32Array>;
  panels: Buffer<Uint16Array> | Buffer<Uint32Array>;
  bias: Buffer<Float32Array>;
  residual: Buffer<Float32Array>;
  scratch: Buffer<Float32Array>;
}

/** Random operands; strides beyond the width; NaN in the scratch and in every padded column of panels and bias. */
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
  const [aStride, outStride, residualStride] = [k + 3, columns + 2, columns + 5];
  const padded = roundUp(columns, PANEL);
  const bits = panelBits(columns, k, storage, seed);
  return {
    tile,
    rows,
    columns,
    k,
    storage,
    aStride,
    outStride,
    residualStride,
    out: lab.from(Float32Array, randomF32(rows * outStride, seed + 1)),
    a: lab.from(Float32Array, randomF32(rows * aStride, seed + 2, scale)),
    panels: bits instanceof Uint32Array ? lab.from(Uint32Array, bits) : lab.from(Uint16Array, bits),
    bias: lab.from(Float32Array, randomF32(padded, seed + 3).fill(Number.NaN, columns)),
    residual: lab.from(Float32Array, randomF32(rows * residualStride, seed + 4)),
    scratch: lab.scratch(gemmScratchBytes(rows)),
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

interface Call {
  epilogue: Epilogue;
  bias: boolean;
  rowBegin: number;
  rowEnd: number;
  panelBegin: number;
  panelEnd: number;
}

function whole(c: Case): Call {
  const panelEnd = Math.ceil(c.columns / PANEL);
  return { epilogue: EPILOGUE.none, bias: true, rowBegin: 0, rowEnd: c.rows, panelBegin: 0, panelEnd };
}

function run(lab: Lab, c: Case, call: Call, residual = c.residual, residualStride = c.residualStride): void {
  lab.kernels.gemm(
    c.out.pointer,
    c.a.pointer,
    c.panels.pointer,
    call.bias ? c.bias.pointer : NULL,
    call.epilogue === EPILOGUE.residual ? residual.pointer : NULL,
    c.scratch.pointer,
    c.columns,
    c.k,
    c.aStride,
    c.outStride,
    residualStride,
    c.storage,
    call.epilogue,
    call.rowBegin,
    call.rowEnd,
    call.panelBegin,
    call.panelEnd,
    c.tile,
  );
}

function reference(lab: Lab, c: Case, call: Call, residual = c.residual.data, residualStride = c.residualStride) {
  const out = c.out.data.slice();
  gemm(
    out,
    c.a.data,
    c.panels.data,
    call.bias ? c.bias.data : undefined,
    residual.slice(),
    c.columns,
    c.k,
    c.aStride,
    c.outStride,
    residualStride,
    c.storage,
    call.epilogue === EPILOGUE.residual ? EPILOGUE.residual : EPILOGUE.none,
    call.rowBegin,
    call.rowEnd,
    call.panelBegin,
    call.panelEnd,
    lab.fused,
  );
  return out;
}

function check(lab: Lab, c: Case, call: Call): void {
  const expected = reference(lab, c, call);
  run(lab, c, call);
  assertSameBits(c.out.data, expected, `${c.rows} x ${c.columns} x ${c.k}, storage ${c.storage}`);
}

const SHORT = [1, 2, 3, 4, 5, 8, 9];
const ABOUT_A_BLOCK = [K_BLOCK - 1, K_BLOCK, K_BLOCK + 1, 2 * K_BLOCK + 1];

forEachTile(test, "every ragged shape, in the order of the contract", (lab, tile) => {
  for (let rows = 0; rows <= 13; rows++) {
    for (let columns = 1; columns <= 17; columns++) {
      for (const k of SHORT) {
        lab.reset();
        const c = prepare(lab, tile, rows, columns, k);
        check(lab, c, whole(c));
      }
    }
  }
});

forEachTile(test, "k about a block, with tiles, rows and panels left over", (lab, tile) => {
  for (const rows of [1, 4, 5, 6, 7, 13]) {
    for (const columns of [1, 7, 8, 9, 16, 17, 33]) {
      for (const k of ABOUT_A_BLOCK) {
        lab.reset();
        const c = prepare(lab, tile, rows, columns, k);
        check(lab, c, whole(c));
      }
    }
  }
});

forEachTile(test, "bf16 and f16 panels", (lab, tile) => {
  for (const storage of [STORAGE.bf16, STORAGE.f16]) {
    for (const columns of [1, 7, 8, 9, 17]) {
      for (const k of [...SHORT, ...ABOUT_A_BLOCK]) {
        lab.reset();
        const c = prepare(lab, tile, 7, columns, k, storage);
        check(lab, c, whole(c));
      }
    }
  }
});

forEachTile(test, "bf16 and f16 give the bytes of the same weights in f32", (lab, tile) => {
  for (const storage of [STORAGE.bf16, STORAGE.f16]) {
    lab.reset();
    const c = prepare(lab, tile, 9, 19, 300, storage);
    const wide = prepare(lab, tile, 9, 19, 300, STORAGE.f32);
    wide.panels.data.set(Array.from(c.panels.data, (bits) => widenBits(bits, storage)));
    wide.a.data.set(c.a.data);
    run(lab, c, whole(c));
    run(lab, wide, whole(wide));
    assertSameBits(c.out.data, wide.out.data, `storage ${storage}`);
  }
});

forEachTile(test, "without bias, and with nothing to sum", (lab, tile) => {
  for (const k of [0, 1, 40]) {
    lab.reset();
    const c = prepare(lab, tile, 5, 11, k);
    check(lab, c, { ...whole(c), bias: false });
    check(lab, c, whole(c));
  }
});

forEachTile(test, "residual: rows of their own stride, or out itself", (lab, tile) => {
  for (const columns of [1, 4, 5, 8, 13, 16]) {
    lab.reset();
    const c = prepare(lab, tile, 8, columns, 33);
    const call = { ...whole(c), epilogue: EPILOGUE.residual };
    check(lab, c, call);
    const expected = reference(lab, c, call, c.out.data, c.outStride);
    run(lab, c, call, c.out, c.outStride);
    assertSameBits(c.out.data, expected, `in place, ${columns} columns`);
  }
});

forEachTile(test, "gelu: the gelu kernel applied to the plain result", (lab, tile) => {
  for (const columns of [1, 4, 6, 8, 15]) {
    lab.reset();
    const c = prepare(lab, tile, 7, columns, 50, STORAGE.f32, 2);
    run(lab, c, whole(c));
    const expected = lab.from(Float32Array, c.out.data);
    for (let r = 0; r < c.rows; r++) {
      const begin = r * c.outStride;
      lab.kernels.gelu(expected.pointer, expected.pointer, begin, begin + columns);
    }
    run(lab, c, { ...whole(c), epilogue: EPILOGUE.gelu });
    assertSameBits(c.out.data, expected.data, `${columns} columns`);
  }
});

forEachTile(test, "ranges of rows and panels touch their part only, and make up the whole", (lab, tile) => {
  const c = prepare(lab, tile, 23, 37, 270);
  const before = c.out.data.slice();
  const expected = reference(lab, c, whole(c));
  for (const [rowBegin, rowEnd] of [
    [0, 1],
    [1, 8],
    [8, 8],
    [8, 23],
  ] as const) {
    for (const [panelBegin, panelEnd] of [
      [0, 2],
      [2, 2],
      [2, 5],
    ] as const) {
      check(lab, c, { ...whole(c), rowBegin, rowEnd, panelBegin, panelEnd });
    }
  }
  assertSameBits(c.out.data, expected, "all parts");
  c.out.data.set(before);
  run(lab, c, { ...whole(c), rowBegin: 5, rowEnd: 5 });
  run(lab, c, { ...whole(c), rowBegin: 6, rowEnd: 5 });
  assertSameBits(c.out.data, before, "no rows");
});

forEachTile(test, "within the bound of the contract, against double precision", (lab, tile) => {
  const c = prepare(lab, tile, 12, 24, 1024);
  run(lab, c, whole(c));
  const exact = new Float64Array(c.out.data.length);
  const norm = new Float64Array(c.out.data.length);
  const w = new Float32Array(c.panels.data.slice().buffer);
  for (let r = 0; r < c.rows; r++) {
    for (let n = 0; n < c.columns; n++) {
      const at = r * c.outStride + n;
      exact[at] = c.bias.data[n]!;
      norm[at] = Math.abs(exact[at]!);
      for (let i = 0; i < c.k; i++) {
        const product = c.a.data[r * c.aStride + i]! * w[panelIndex(n, i, c.k)]!;
        exact[at]! += product;
        norm[at]! += Math.abs(product);
      }
    }
    // the gap between rows is not an output
    for (let at = r * c.outStride + c.columns; at < (r + 1) * c.outStride; at++) exact[at] = c.out.data[at]!;
  }
  // a product is rounded at most once by itself and K_BLOCK times in its chain, then per block, then with the bias
  const steps = K_BLOCK + Math.ceil(c.k / K_BLOCK) + 1;
  assertWithin(c.out.data, exact, (i) => steps * U * (1 + steps * U) * norm[i]!, "1024 k");
});

forEachTile(test, "subnormal products are kept, infinities and NaN stay in their row and column", (lab, tile) => {
  const tiny = prepare(lab, tile, 7, 9, 20, STORAGE.f32, 2 ** -140);
  check(lab, tiny, { ...whole(tiny), bias: false });
  assert.ok(tiny.out.data.some((x) => x !== 0 && Math.abs(x) < 2 ** -126));

  const c = prepare(lab, tile, 8, 10, 12);
  c.a.data[2 * c.aStride + 5] = Number.NaN;
  c.a.data[3 * c.aStride + 5] = Number.POSITIVE_INFINITY;
  c.panels.data[panelIndex(9, 4, 12)] = 0x7fc00000;
  run(lab, c, whole(c));
  for (let r = 0; r < c.rows; r++) {
    for (let n = 0; n < c.columns; n++) {
      const x = c.out.data[r * c.outStride + n]!;
      assert.is(Number.isNaN(x), r === 2 || n === 9, `NaN at ${r}, ${n}`);
      assert.is(Number.isFinite(x), r !== 2 && r !== 3 && n !== 9, `finite at ${r}, ${n}`);
    }
  }
});

forEachTile(test, "reads nothing beyond a", (lab, tile) => {
  for (const rows of [1, 5, 6, 7]) {
    lab.reset();
    const c = prepare(lab, tile, rows, 8, 33);
    const a = lab.atEnd(Float32Array, c.a.data.slice(0, (rows - 1) * c.aStride + c.k));
    check(lab, { ...c, a }, whole(c));
  }
});

test.run();
