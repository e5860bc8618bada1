/**
 * The typed ABI of the kernels: every export of `assembly/index.ts`, the same in every variant.
 *
 * Pointers are byte offsets into linear memory; counts and strides are elements, never bytes. Kernels allocate nothing, keep
 * nothing between calls and have no mutable static data: several instances may share one memory. Buffers need only the
 * alignment of their element; 64 bytes is what the host gives. Kernels read and write exactly the elements that the shape
 * names, except where a contract says "padded". Output must not overlap input unless a contract says so.
 *
 * Row ranges [rowBegin, rowEnd) are how threads share work: any split gives the same bytes. The contracts, with formulas and
 * layouts, stand in `assembly/kernels/<name>.ts`; the slow reference of each in `test/reference/<name>.ts`.
 */
declare const pointer: unique symbol;

/** A byte offset into linear memory. */
export type Pointer = number & { readonly [pointer]: true };

/** The null pointer: "not given", where a contract allows it. */
export const NULL = 0 as Pointer;

/** How the elements of a table or of packed weights are stored. Values are part of the ABI. */
export const STORAGE = { f32: 0, bf16: 1, f16: 2 } as const;
export type Storage = (typeof STORAGE)[keyof typeof STORAGE];

/** Bytes of one element, by storage. */
export const STORAGE_BYTES: readonly [4, 2, 2] = [4, 2, 2];

/** What `finish` does to an element after the bias. Values are part of the ABI. */
export const EPILOGUE = { none: 0, gelu: 1, residual: 2 } as const;
export type Epilogue = (typeof EPILOGUE)[keyof typeof EPILOGUE];

/** Columns of a weight panel. Every tile of every storage reads this layout. */
export const PANEL = 8;

/** Dot products are summed in blocks of this many consecutive k, each from zero, the block sums added in order. */
export const K_BLOCK = 256;

/** Activations lie in blocks of this many columns: element (r, c) of [rows, columns] at ((c / 256) * rows + r) * 256 + c % 256. */
export const COLUMN_BLOCK = K_BLOCK;

/** Levels of 8 bits lie in blocks of this many columns, i16: as many bytes as a column block. 8-bit products are made of as many k at a time. */
export const LEVEL_BLOCK = 2 * COLUMN_BLOCK;

/** The same of levels that are kept as bytes. */
export const BYTE_BLOCK = 4 * COLUMN_BLOCK;

/**
 * What the levels of 8-bit products are kept as: i16 less their zero point, for 16-bit dots, which are exact everywhere, plain or of sums with half the multiplications (`crossed`); or
 * bytes, unsigned or signed as the engine's fused 8-bit dot takes them, where that is exact. The integers of a product are the same. Values are part of the ABI.
 */
export const LEVELS = { wide: 0, unsigned: 1, signed: 2, crossed: 3 } as const;
export type LevelForm = (typeof LEVELS)[keyof typeof LEVELS];

/** Columns of a block of levels, and k that a call of `multiplyInt8` takes. */
export function levelBlock(form: LevelForm): number {
  return form === LEVELS.wide || form === LEVELS.crossed ? LEVEL_BLOCK : BYTE_BLOCK;
}

/** Query rows that `attention` takes at a time: their scores are all the scratch it needs. */
export const ATTENTION_ROWS = 60;

/**
 * Register tiles, rows x columns: a family that the host chooses from by timing, because which is fastest is the engine's doing and not the
 * processor's alone. Every variant has them all, and all give the same bytes. Values are part of the ABI.
 */
export const TILE = { "6x8": 0, "4x8": 1, "3x8": 2, "6x16": 3, "5x16": 4, "3x16": 5, "2x16": 6 } as const;
export type TileName = keyof typeof TILE;
export type Tile = (typeof TILE)[TileName];

/** Neighbouring panels that the widest tile takes at once: ranges of panels should begin at a multiple of it. */
export const TILE_PANELS = 2;

/** First byte the host may use: a page is what every variant asks for, and none of them has anything in it. */
export const ARENA_BASE = 65536;

/** Bytes of `scratch` that `multiply` needs: the widened panel blocks of the widest tile. */
export const WIDENED_BYTES = TILE_PANELS * K_BLOCK * PANEL * 4;

/** Bytes of `scratch` that `multiplyInt8` needs: the panel blocks of the widest tile, as pairs of i16. */
export const INT8_WIDENED_BYTES = TILE_PANELS * LEVEL_BLOCK * PANEL * 2;

/** Bytes of the partial sums of `rows` rows and `panels` panels. */
export function partialBytes(rows: number, panels: number): number {
  return rows * panels * PANEL * 4;
}

/** Bytes of `scratch` that `attention` needs for one call over `rows` query rows: the scores, 1 / sum of each row, and products of two panels. */
export function attentionScratchBytes(rows: number, tokens: number): number {
  const block = Math.min(rows, ATTENTION_ROWS);
  const scores = block * roundUp(tokens, PANEL) * 4;
  return scores + roundUp(ATTENTION_ROWS * 4, 64) + partialBytes(block, TILE_PANELS);
}

/** K of k levels of 16 bits: in groups of 16. */
function wholeGroups(k: number): number {
  return roundUp(k, 16);
}

/** Bytes of the panels of 16-bit levels of a [columns, k] matrix, and of the scale and the term of each column. */
export function int16PanelBytes(columns: number, k: number): number {
  return Math.ceil(columns / PANEL) * (PANEL * wholeGroups(k) * 2 + PANEL * 8);
}

/** The level of the largest numerator of a softmax; rounding may bring it one further. */
export const POWER_LEVELS = 4096;

/** The most that two levels may be whose sum is to stay in 16 bits. */
export const MAX_LEVELS = 16383;

/** Bytes of `scratch` that `attentionInt16` needs for one call: three numbers of each row, products of two panels, the rows' levels and their scores. */
export function attentionInt16ScratchBytes(rows: number, tokens: number, headWidth: number): number {
  const block = Math.min(rows, ATTENTION_ROWS);
  const numbers = 3 * roundUp(ATTENTION_ROWS * 4, 64);
  return numbers + partialBytes(block, TILE_PANELS) + block * (wholeGroups(headWidth) * 2 + wholeGroups(tokens) * 4);
}

/** Elements of a [rows, columns] matrix in column blocks, the last block whole. */
export function blockElements(rows: number, columns: number): number {
  return rows * roundUp(columns, COLUMN_BLOCK);
}

/** The same of its levels. */
export function levelElements(rows: number, columns: number): number {
  return rows * roundUp(columns, LEVEL_BLOCK);
}

/** Elements of the panels of a [columns, k] matrix, tail columns included. */
export function panelElements(columns: number, k: number): number {
  return roundUp(columns, PANEL) * k;
}

/** Bytes of the 8-bit panels of a [columns, k] matrix: k in fours. */
export function int8PanelBytes(columns: number, k: number): number {
  return roundUp(columns, PANEL) * roundUp(k, 4);
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

export interface Kernels {
  /** dst f32 [3,S,S] from src u8 [S,S,3]: dst[c,y,x] = lut[c,src[y,x,c]], lut f32 [3,256]. Rows y in range. */
  normalise(dst: Pointer, src: Pointer, lut: Pointer, size: number, rowBegin: number, rowEnd: number): void;

  /**
   * Horizontal pass of Pillow's resample: dst u8 [rows,dstWidth,3] from src u8 [rows,srcWidth,3]. bounds i32 [dstWidth,2] = first
   * source pixel, count; weights i32 [dstWidth,taps], 22 fraction bits. dst = clamp((2^21 + sum weight*value) >> 22, 0, 255).
   */
  resizeHorizontal(
    dst: Pointer,
    src: Pointer,
    bounds: Pointer,
    weights: Pointer,
    taps: number,
    srcWidth: number,
    dstWidth: number,
    rowBegin: number,
    rowEnd: number,
  ): void;

  /**
   * Vertical pass: row y of dst (u8, `dstStride` elements from row to row) from rows bounds[y] of src u8 [srcHeight,rowElements].
   * bounds i32 [dstHeight,2], weights i32 [dstHeight,taps]. Rows y of dst in range.
   */
  resizeVertical(
    dst: Pointer,
    src: Pointer,
    bounds: Pointer,
    weights: Pointer,
    taps: number,
    rowElements: number,
    dstStride: number,
    rowBegin: number,
    rowEnd: number,
  ): void;

  /** dst u8 [pixels,3] = r, g, b in every pixel of [pixelBegin, pixelEnd). */
  fillRgb(dst: Pointer, red: number, green: number, blue: number, pixelBegin: number, pixelEnd: number): void;

  /** Copies `rowElements` u8 of each row y in range from src (srcStride) to dst (dstStride). */
  copyRows(
    dst: Pointer,
    src: Pointer,
    rowElements: number,
    srcStride: number,
    dstStride: number,
    rowBegin: number,
    rowEnd: number,
  ): void;

  /**
   * dst f32 [tokens, 3*patch*patch] in column blocks, from pixels f32 [3,size,size]: token t = y*(size/patch)+x, column
   * c*patch*patch + ky*patch + kx. Tokens in range.
   */
  patchify(dst: Pointer, pixels: Pointer, size: number, patch: number, tokenBegin: number, tokenEnd: number): void;

  /**
   * The same of what `normalise` makes of src u8 [size,size,3] and lut f32 [3,256], which is not written in between. Tokens in range.
   */
  patchifyRgb(
    dst: Pointer,
    src: Pointer,
    lut: Pointer,
    size: number,
    patch: number,
    tokenBegin: number,
    tokenEnd: number,
  ): void;

  /**
   * dst[r] = (src[r] - mean) / sqrt(variance + eps) * gamma + beta over `width` columns, biased variance, two passes. dst and src in
   * column blocks of `rows` rows; dst may be src. Rows r in range.
   */
  layernorm(
    dst: Pointer,
    src: Pointer,
    gamma: Pointer,
    beta: Pointer,
    rows: number,
    width: number,
    eps: number,
    rowBegin: number,
    rowEnd: number,
  ): void;

  /**
   * One block of k of a product: partial[p,r,n] = (kBegin 0) or += sum over k in [kBegin, kBegin + K_BLOCK) of a[r,k] * w[8p+n,k], for rows
   * and panels in range.
   *
   * `a`: f32 [rows,k] in column blocks. `panels`: w in panels of 8 columns, storage as given. `partial`: f32 [panels in range, rows in range, 8].
   * `scratch`: WIDENED_BYTES.
   */
  multiply(
    partial: Pointer,
    a: Pointer,
    panels: Pointer,
    scratch: Pointer,
    rows: number,
    k: number,
    storage: Storage,
    rowBegin: number,
    rowEnd: number,
    kBegin: number,
    panelBegin: number,
    panelEnd: number,
    tile: Tile,
  ): void;

  /**
   * The same in 8 bits, `levelBlock(form)` k at a time: partial i32 = a wᵀ, exact, a the levels [rows,k] of `quantise` in their form, w i8 [columns,k] in 8-bit panels
   * (`packInt8`). With the last block it becomes f32: times scale[row] * weightScale[column], scale f32 [rows], weightScale f32 padded to whole panels; where `scale` is NULL the
   * integers stay.
   *
   * Levels of i16, by 16-bit dots, take scratch INT8_WIDENED_BYTES; all but plain wide ones zero i32 [rows] of the levels and weightSum i32 padded to whole panels (`sumInt8`). Of
   * bytes nothing happens where the fused 8-bit dot is not compiled in.
   */
  multiplyInt8(
    partial: Pointer,
    a: Pointer,
    panels: Pointer,
    scratch: Pointer,
    scale: Pointer,
    zero: Pointer,
    weightScale: Pointer,
    weightSum: Pointer,
    form: LevelForm,
    rows: number,
    k: number,
    rowBegin: number,
    rowEnd: number,
    kBegin: number,
    panelBegin: number,
    panelEnd: number,
    tile: Tile,
  ): void;

  /** dst i32 padded to whole panels = of each column of 8-bit panels the sum that levels of this form take (not plain wide ones), for panels in range. */
  sumInt8(dst: Pointer, panels: Pointer, form: LevelForm, k: number, panelBegin: number, panelEnd: number): void;

  /**
   * dst i16 [rows,width] in blocks of LEVEL_BLOCK columns, or bytes in blocks of BYTE_BLOCK, padded to a multiple of 4, and scale f32 [rows] from src f32 [rows,width] in column blocks: 8-bit levels
   * less their zero point, per row; bytes have it, in zero i32 [rows], where crossed levels have what their products have too much. Rows in range.
   */
  quantise(
    dst: Pointer,
    src: Pointer,
    scale: Pointer,
    zero: Pointer,
    form: LevelForm,
    rows: number,
    width: number,
    rowBegin: number,
    rowEnd: number,
  ): void;

  /**
   * Rows [rowBegin, rowEnd) of src [rows,k] of the given storage as columns of 8-bit panels from column `columnBegin` on, and their scales f32, each at its
   * column. scratch f32 [k].
   */
  packInt8(
    dst: Pointer,
    scales: Pointer,
    src: Pointer,
    scratch: Pointer,
    k: number,
    storage: Storage,
    columnBegin: number,
    rowBegin: number,
    rowEnd: number,
  ): void;

  /**
   * out[r,n] = epilogue(partial[r,n] + bias[n]) for rows in range and the columns of panels in range, out f32 [rows,columns] in column blocks.
   *
   * `bias`: f32 padded to 8 columns. `residual` (EPILOGUE.residual): element (r,c) at (c / 256) * residualBlock + r * residualRow + c % 256;
   * may be `out` itself. Tail columns (columns % 8) are not stored.
   */
  finish(
    out: Pointer,
    partial: Pointer,
    bias: Pointer,
    residual: Pointer,
    rows: number,
    columns: number,
    residualRow: number,
    residualBlock: number,
    epilogue: Epilogue,
    rowBegin: number,
    rowEnd: number,
    panelBegin: number,
    panelEnd: number,
  ): void;

  /**
   * partial + bias of a q | k | v projection, written as `attention` takes it: queries f32 [heads,tokens,headWidth]; keys [heads] of panels of 8
   * tokens, (t,i) at (t / 8) * 8 * headWidth + i * 8 + t % 8; values [heads] of panels of 8 columns, (t,n) at (n / 8) * 8 * tokens + t * 8 + n % 8.
   * `partial` may be overwritten. Rows (tokens) and panels in range.
   */
  finishHeads(
    queries: Pointer,
    keys: Pointer,
    values: Pointer,
    partial: Pointer,
    bias: Pointer,
    tokens: number,
    heads: number,
    headWidth: number,
    rowBegin: number,
    rowEnd: number,
    panelBegin: number,
    panelEnd: number,
  ): void;

  /**
   * One head: out[r, column…] = softmax_t(scale * q[r].k[t]) v, for query rows in range.
   *
   * q, keyPanels, valuePanels: one head's of `finishHeads`; out f32 in column blocks of `tokens` rows. scratch:
   * `attentionScratchBytes(rowEnd - rowBegin, tokens)`.
   */
  attention(
    out: Pointer,
    q: Pointer,
    keyPanels: Pointer,
    valuePanels: Pointer,
    scratch: Pointer,
    tokens: number,
    headWidth: number,
    column: number,
    scale: number,
    rowBegin: number,
    rowEnd: number,
    tile: Tile,
  ): void;

  /**
   * Columns of panels f32 [panels,k,8] as symmetric levels of 16 bits, in panels of `int16PanelBytes`: the largest magnitude of a column becomes `levels` (at most MAX_LEVELS). `form`: that of
   * the levels of 8-bit products; what crossed ones need is there for crossed alone. Panels in range.
   */
  quantisePanels(
    dst: Pointer,
    src: Pointer,
    form: LevelForm,
    k: number,
    levels: number,
    panelBegin: number,
    panelEnd: number,
  ): void;

  /**
   * One head as of `attention`, by products of 16 bits: q as there, and the panels of keys and values by `quantisePanels`, in the same form. Levels of queries (`levels`) times those of keys times
   * headWidth, and levels of values times (POWER_LEVELS + 1) times tokens, must stay below 2^31. `tile`: of 8-bit products. scratch: `attentionInt16ScratchBytes(rowEnd - rowBegin, tokens, headWidth)`.
   */
  attentionInt16(
    out: Pointer,
    q: Pointer,
    keyPanels: Pointer,
    valuePanels: Pointer,
    scratch: Pointer,
    form: LevelForm,
    tokens: number,
    headWidth: number,
    column: number,
    scale: number,
    levels: number,
    rowBegin: number,
    rowEnd: number,
    tile: Tile,
  ): void;

  /** dst[r] = widen(table[index[r]]), f32 rows of `width` from a table of the given storage, index i32. Rows r in range. */
  gather(
    dst: Pointer,
    table: Pointer,
    index: Pointer,
    width: number,
    storage: Storage,
    rowBegin: number,
    rowEnd: number,
  ): void;

  /** dst[index[r]] = src[r], f32 rows of `width` copied byte for byte, index i32. Rows r of src in range. */
  scatter(dst: Pointer, src: Pointer, index: Pointer, width: number, rowBegin: number, rowEnd: number): void;

  /** dst f32 [count] = src widened exactly from its storage. Elements in range. */
  widen(dst: Pointer, src: Pointer, storage: Storage, begin: number, end: number): void;

  /** Number of NaN and infinite elements among elements in range. */
  countNonFinite(src: Pointer, storage: Storage, begin: number, end: number): number;

  /**
   * Packs rows [rowBegin,rowEnd) of src [rows,k] (srcStride) as columns columnBegin + (r - rowBegin)… of a panel buffer: column n,
   * k index i lands at dst[(n / 8) * 8 * k + i * 8 + n % 8]. `elementBytes` 4 or 2; other columns are left untouched.
   */
  packPanels(
    dst: Pointer,
    src: Pointer,
    k: number,
    srcStride: number,
    elementBytes: number,
    columnBegin: number,
    rowBegin: number,
    rowEnd: number,
  ): void;

  /** dst[i] = exp(src[i]), f32, src <= 0: at most 2 ULP on [-87.3, 0], 0 below -87.34. What the softmax applies. Whole vectors of 4; dst may be src. */
  exp(dst: Pointer, src: Pointer, begin: number, end: number): void;

  /**
   * dst[i] = gelu(src[i] + bias[i % 8]), gelu(x) = x/2 * (1 + erf(x/sqrt 2)), f32: what the GELU epilogue applies. Whole rows of 8; dst may be src.
   */
  gelu(dst: Pointer, src: Pointer, bias: Pointer, begin: number, end: number): void;

  /**
   * Waits until `count` workers have arrived. `control`: i32 [3] = arrived, generation, stop, 4-byte aligned. Returns the stop word: when it is
   * not 0 the others may not have arrived and the caller must leave the program. A host stops a program by storing stop, then adding 1 to generation
   * and notifying it. Builds without threads return the stop word at once, 0 when `control` is NULL.
   */
  barrier(control: Pointer, count: number): number;

  /** 1 when multiply-add rounds once on this engine, 0 when it rounds twice. */
  probeFma(): number;

  /**
   * What the relaxed 8-bit dot does with a top bit set in its second operand: 0 not compiled in, 1 exact with b unsigned, 2 exact with b
   * signed, 3 neither (saturating 16-bit pairs).
   */
  probeDot8(): number;
}
