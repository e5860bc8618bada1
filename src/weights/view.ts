import { JanusError } from "../errors.js";
import { readInto, type WeightSource } from "./source.js";

/** A tensor in a file: element [i0, i1, ...] lies `itemBytes * (i0 * strides[0] + i1 * strides[1] + ...)` bytes after its start. */
export interface FileView {
  readonly path: string;
  readonly itemBytes: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Where element [0, 0, ...] begins in the file, in bytes. */
  start(signal?: AbortSignal): Promise<number>;
}

/** One dimension of what remains to be copied; strides in elements, of the file and of the target. */
interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** A view that is not row-major is read in windows of at most this many bytes, which bounds what is held besides the result. */
const WINDOW_BYTES = 16 * 2 ** 20;

/** Row-major strides of a shape, in elements. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const dimension of shape.toReversed()) {
    strides.unshift(stride);
    stride *= dimension;
  }
  return strides;
}

/** Bytes [begin, end) of a file. */
export interface Extent {
  readonly path: string;
  readonly begin: number;
  readonly end: number;
}

/** From the first byte of a view to its last; of one that is not dense, what lies between too. */
export async function extentOf(view: FileView, signal?: AbortSignal): Promise<Extent> {
  const { path, itemBytes, shape, strides } = view;
  const begin = await view.start(signal);
  const empty = shape.includes(0);
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * (strides[i] ?? 0), 0);
  return { path, begin, end: empty ? begin : begin + (last + 1) * itemBytes };
}

/** Reads rows [first, first + count) of dimension 0 into `target`, dense and row-major, in the stored dtype. */
export async function readViewRows(
  source: WeightSource,
  view: FileView,
  first: number,
  count: number,
  target: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  if (target.length === 0) return;
  const shape = [count, ...view.shape.slice(1)];
  const dense = rowMajor(shape);
  const axes = shape
    .map((size, i) => ({ size, from: view.strides[i] ?? 0, to: dense[i]! }))
    .filter(({ size }) => size > 1)
    .sort((a, b) => b.from - a.from);
  const start = (await view.start(signal)) + first * (view.strides[0] ?? 0) * view.itemBytes;
  if (axes.every(({ from, to }) => from === to)) {
    await readInto(source, view.path, start, target, signal);
    return;
  }
  await gather(source, view, start, axes, target, 0, signal);
}

/** Reads the stretch of the file that holds the axes, halving the widest stride until it fits a window, and copies element by element. */
async function gather(
  source: WeightSource,
  view: FileView,
  start: number,
  axes: readonly Axis[],
  target: Uint8Array,
  position: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { itemBytes, path } = view;
  const span = (1 + axes.reduce((sum, { size, from }) => sum + (size - 1) * from, 0)) * itemBytes;
  const [widest, ...others] = axes;
  if (span > WINDOW_BYTES && widest !== undefined) {
    const half = Math.ceil(widest.size / 2);
    for (const [begin, size] of [
      [0, half],
      [half, widest.size - half],
    ] as const) {
      const rest = size > 1 ? [{ ...widest, size }, ...others] : others;
      const from = start + begin * widest.from * itemBytes;
      await gather(source, view, from, rest, target, position + begin * widest.to, signal);
    }
    return;
  }
  scatter(await source.read(path, start, span, signal), 0, axes, itemBytes, target, position);
}

function scatter(
  window: Uint8Array,
  from: number,
  axes: readonly Axis[],
  itemBytes: number,
  target: Uint8Array,
  to: number,
): void {
  const [axis = { size: 1, from: 0, to: 0 }, ...inner] = axes;
  for (let i = 0; i < axis.size; i++) {
    const source = from + i * axis.from;
    const goal = to + i * axis.to;
    if (inner.length > 0) scatter(window, source, inner, itemBytes, target, goal);
    else for (let b = 0; b < itemBytes; b++) target[goal * itemBytes + b] = window[source * itemBytes + b]!;
  }
}

/** A buffer of a size that a file decides: what the host cannot give is E_OOM, not a RangeError. */
export function allocate(bytes: number, what: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new JanusError("E_OOM", `reading ${what}: expected ${bytes} bytes of memory, found too little`, { cause });
  }
}
