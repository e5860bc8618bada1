import type { Epilogue, Pointer, Storage } from "../wasm/abi.js";
import { EPILOGUE, gemmScratchBytes, NULL, PANEL, TILE_PANELS } from "../wasm/abi.js";
import type { ProductContext, Rows } from "./context.js";

/** A packed linear layer: y = x Wᵀ + b, W [columns, k] in panels of 8 columns, b f32 padded to whole panels. */
export interface Linear {
  readonly panels: Pointer;
  readonly bias: Pointer;
  readonly columns: number;
  readonly k: number;
  readonly storage: Storage;
}

/** Rows of one kernel call: 288 rows of a 256-deep block of A are 295 KB, which stay in an L2 of 512 KB while panels pass by. */
const ROWS_PER_CALL = 288;

/**
 * Work of one kernel call. V8 never replaces a running wasm function by its optimised code, so many calls of a fraction of a millisecond
 * beat a long one; it is also how soon a cancelled program notices.
 */
const FLOP_PER_CALL = 16e6;

/** Scratch that `linear` needs of each worker, in bytes. */
export const LINEAR_SCRATCH_BYTES = gemmScratchBytes(ROWS_PER_CALL);

export interface LinearOptions {
  readonly epilogue?: Epilogue;
  /** f32 [rows, columns] added last; may be `out`. */
  readonly residual?: Rows;
}

/** out [rows, columns] = epilogue(a [rows, k] Wᵀ + b). torch.nn.Linear, with the GELU or the residual sum that follows it. */
export function linear(
  x: ProductContext,
  out: Rows,
  a: Rows,
  w: Linear,
  rows: number,
  options: LinearOptions = {},
): void {
  const epilogue = options.residual ? EPILOGUE.residual : (options.epilogue ?? EPILOGUE.none);
  const residual = options.residual ?? { at: NULL, stride: 0 };
  const share = x.team.share(rows);
  const panels = Math.ceil(w.columns / PANEL);
  for (let row = share.begin; row < share.end; row += ROWS_PER_CALL) {
    const rowEnd = Math.min(row + ROWS_PER_CALL, share.end);
    const pairs = Math.floor(FLOP_PER_CALL / (2 * PANEL * TILE_PANELS * w.k * (rowEnd - row)));
    const step = TILE_PANELS * Math.max(1, pairs);
    for (let panel = 0; panel < panels; panel += step) {
      x.team.poll();
      x.kernels.gemm(
        out.at,
        a.at,
        w.panels,
        w.bias,
        residual.at,
        x.scratch,
        w.columns,
        w.k,
        a.stride,
        out.stride,
        residual.stride,
        w.storage,
        epilogue,
        row,
        rowEnd,
        panel,
        Math.min(panel + step, panels),
        x.tile,
      );
    }
  }
  x.team.barrier();
}
