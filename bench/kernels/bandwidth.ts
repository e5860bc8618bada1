/**
 * The kernels that memory bounds, at the sizes of a Janus-Pro-1B: each compared with its reference, then timed on one thread. Bytes are those
 * that must be read and written once; what a kernel reads twice counts once.
 */
import { fromBlocks } from "#dist/ops/column-blocks.js";
import { PANEL, panelElements, roundUp, STORAGE } from "#dist/wasm/abi.js";
import { f32, i32, u8 } from "#dist/wasm/memory.js";
import type { Variant } from "#dist/wasm/variants.js";
import { gather } from "../../test/reference/gather.js";
import { layernorm } from "../../test/reference/layernorm.js";
import { normalise } from "../../test/reference/normalise.js";
import { packPanels } from "../../test/reference/pack-panels.js";
import { patchify } from "../../test/reference/patchify.js";
import { patchifyRgb } from "../../test/reference/patchify-rgb.js";
import { scatter } from "../../test/reference/scatter.js";
import { widen } from "../../test/reference/widen.js";
import { type Bed, bed } from "./memory.js";

const TOKENS = 576;
const WIDTH = 1024;
const DIM = 2048;
const SIZE = 384;
const PATCH = 16;

export interface BandwidthCase {
  readonly name: string;
  readonly kernel: string;
  readonly shape: string;
  readonly storage: "f32" | "bf16";
  /** Read and written by one `run`. */
  readonly bytes: number;
  run(): void;
}

/** What a case brings: the call, and a check of what the call made. */
interface Maker {
  readonly kernel: string;
  readonly shape: string;
  readonly storage: "f32" | "bf16";
  readonly bytes: number;
  make(bed: Bed): { run: () => void; verify: () => void };
}

/** Every case, its answer checked: throws when an element is off. */
export function bandwidthCases(variant: Variant): BandwidthCase[] {
  return MAKERS.map(({ make, ...about }) => {
    const { run, verify } = make(bed(variant));
    run();
    verify();
    return { ...about, name: `${variant} ${about.kernel} ${about.shape} ${about.storage}`, run };
  });
}

const MAKERS: readonly Maker[] = [
  {
    kernel: "layernorm",
    shape: `${TOKENS}x${WIDTH}`,
    storage: "f32",
    bytes: 8 * TOKENS * WIDTH,
    make({ kernels, memory, take, fill }) {
      const [dst, src] = [take(4 * TOKENS * WIDTH), take(4 * TOKENS * WIDTH)] as const;
      const [gamma, beta] = [take(4 * WIDTH), take(4 * WIDTH)] as const;
      const eps = 1e-6;
      fill(src, TOKENS * WIDTH, 1);
      const values = fromBlocks(memory, { at: src, rows: TOKENS }, WIDTH);
      const [scale, shift] = [fill(gamma, WIDTH, 2).slice(), fill(beta, WIDTH, 3).slice()];
      return {
        run: () => kernels.layernorm(dst, src, gamma, beta, TOKENS, WIDTH, eps, 0, TOKENS),
        verify() {
          const exact = new Float64Array(TOKENS * WIDTH);
          layernorm(exact, values, scale, shift, WIDTH, eps, 0, TOKENS);
          // Normalised values below 4 of uniform input, sums of 1024 in lanes: 64 u of 4 is ample and far from any mistake.
          same("layernorm", fromBlocks(memory, { at: dst, rows: TOKENS }, WIDTH), exact, 256 * 2 ** -24);
        },
      };
    },
  },
  {
    kernel: "patchify",
    shape: `3x${SIZE}x${SIZE}`,
    storage: "f32",
    bytes: 8 * 3 * SIZE ** 2,
    make({ kernels, memory, take, fill }) {
      const count = 3 * SIZE ** 2;
      const [dst, src] = [take(4 * count), take(4 * count)] as const;
      const pixels = fill(src, count, 1).slice();
      return {
        run: () => kernels.patchify(dst, src, SIZE, PATCH, 0, TOKENS),
        verify() {
          const exact = new Float32Array(count);
          patchify(exact, pixels, SIZE, PATCH, 0, TOKENS);
          same("patchify", f32(memory, dst, count), exact);
        },
      };
    },
  },
  {
    kernel: "normalise",
    shape: `3x${SIZE}x${SIZE}`,
    storage: "f32",
    bytes: 5 * 3 * SIZE ** 2,
    make({ kernels, memory, take, fill }) {
      const count = 3 * SIZE ** 2;
      const [dst, src, lut] = [take(4 * count), take(roundUp(count, 4)), take(4 * 3 * 256)] as const;
      fill(src, count / 4, 1);
      const levels = fill(lut, 3 * 256, 2).slice();
      return {
        run: () => kernels.normalise(dst, src, lut, SIZE, 0, SIZE),
        verify() {
          const exact = new Float32Array(count);
          normalise(exact, u8(memory, src, count), levels, SIZE, 0, SIZE);
          same("normalise", f32(memory, dst, count), exact);
        },
      };
    },
  },
  {
    kernel: "patchifyRgb",
    shape: `3x${SIZE}x${SIZE}`,
    storage: "f32",
    bytes: 5 * 3 * SIZE ** 2,
    make({ kernels, memory, take, fill }) {
      const count = 3 * SIZE ** 2;
      const [dst, src, lut] = [take(4 * count), take(roundUp(count, 4)), take(4 * 3 * 256)] as const;
      fill(src, count / 4, 1);
      const levels = fill(lut, 3 * 256, 2).slice();
      return {
        run: () => kernels.patchifyRgb(dst, src, lut, SIZE, PATCH, 0, TOKENS),
        verify() {
          const exact = new Float32Array(count);
          patchifyRgb(exact, u8(memory, src, count), levels, SIZE, PATCH, 0, TOKENS);
          same("patchifyRgb", f32(memory, dst, count), exact);
        },
      };
    },
  },
  {
    kernel: "widen",
    shape: `${TOKENS}x${WIDTH}`,
    storage: "bf16",
    bytes: 6 * TOKENS * WIDTH,
    make({ kernels, memory, take }) {
      const count = TOKENS * WIDTH;
      const [dst, src] = [take(4 * count), take(2 * count)] as const;
      const bits = halves(new Uint16Array(memory.buffer, src, count));
      return {
        run: () => kernels.widen(dst, src, STORAGE.bf16, 0, count),
        verify() {
          const exact = new Uint32Array(count);
          widen(exact, bits, STORAGE.bf16, 0, count);
          same("widen", new Uint32Array(memory.buffer, dst, count), exact);
        },
      };
    },
  },
  {
    kernel: "gather",
    shape: `${TOKENS}x${DIM}`,
    storage: "bf16",
    bytes: 6 * TOKENS * DIM,
    make({ kernels, memory, take }) {
      const count = TOKENS * DIM;
      const [dst, table, index] = [take(4 * count), take(2 * count), take(4 * TOKENS)] as const;
      const bits = halves(new Uint16Array(memory.buffer, table, count));
      const rows = shuffled(i32(memory, index, TOKENS));
      return {
        run: () => kernels.gather(dst, table, index, DIM, STORAGE.bf16, 0, TOKENS),
        verify() {
          const exact = new Uint32Array(count);
          gather(exact, bits, rows, DIM, STORAGE.bf16, 0, TOKENS);
          same("gather", new Uint32Array(memory.buffer, dst, count), exact);
        },
      };
    },
  },
  {
    kernel: "scatter",
    shape: `${TOKENS}x${DIM}`,
    storage: "f32",
    bytes: 8 * TOKENS * DIM,
    make({ kernels, memory, take, fill }) {
      const count = TOKENS * DIM;
      const [dst, src, index] = [take(4 * count), take(4 * count), take(4 * TOKENS)] as const;
      const words = new Uint32Array(fill(src, count, 1).slice().buffer);
      const rows = shuffled(i32(memory, index, TOKENS));
      return {
        run: () => kernels.scatter(dst, src, index, DIM, 0, TOKENS),
        verify() {
          const exact = new Uint32Array(count);
          scatter(exact, words, rows, DIM, 0, TOKENS);
          same("scatter", new Uint32Array(memory.buffer, dst, count), exact);
        },
      };
    },
  },
  {
    kernel: "packPanels",
    shape: `${WIDTH}x${WIDTH}`,
    storage: "bf16",
    bytes: 4 * WIDTH ** 2,
    make({ kernels, memory, take }) {
      const count = WIDTH ** 2;
      const [dst, src] = [take(2 * panelElements(WIDTH, WIDTH)), take(2 * count)] as const;
      const bits = halves(new Uint16Array(memory.buffer, src, count));
      return {
        run: () => kernels.packPanels(dst, src, WIDTH, WIDTH, 2, 0, 0, WIDTH),
        verify() {
          const exact = new Uint16Array(roundUp(WIDTH, PANEL) * WIDTH);
          packPanels(exact, bits, WIDTH, WIDTH, 0, 0, WIDTH);
          same("packPanels", new Uint16Array(memory.buffer, dst, exact.length), exact);
        },
      };
    },
  },
];

/** Finite bf16 numbers, all different from their neighbours; a copy. */
function halves(view: Uint16Array): Uint16Array {
  for (let i = 0; i < view.length; i++) view[i] = (i * 40503) & 0xbf7f;
  return view.slice();
}

/** A permutation; a copy. */
function shuffled(view: Int32Array): Int32Array {
  for (let i = 0; i < view.length; i++) view[i] = (i * 37) % view.length;
  return view.slice();
}

function same(name: string, got: ArrayLike<number>, exact: ArrayLike<number>, tolerance = 0): void {
  for (let i = 0; i < exact.length; i++)
    if (!(Math.abs(got[i]! - exact[i]!) <= tolerance))
      throw new Error(`${name} [${i}]: ${got[i]}, expected ${exact[i]}`);
}
