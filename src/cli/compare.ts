import {
  elementBytes,
  isFloat,
  type SafetensorsEntry,
  type SafetensorsFile,
  withSafetensors,
} from "../entry/node/safetensors-file.js";
import { quote } from "../errors.js";
import { elements, shapeText } from "../tensor.js";
import { type Bounds, DifferenceSum, differenceText, isWithin } from "./difference.js";
import { tensorNameText } from "./tensor-name.js";

export interface CompareOptions {
  readonly bounds: Bounds;
  /** Tensors to compare; all of the expected file when not given. */
  readonly only?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Takes one line of the report. */
  readonly print: (line: string) => void;
}

/** The same tensor under the name of the API and of the recorded cases. */
const OTHER_NAME: ReadonlyMap<string, string> = new Map([
  ["image_features", "vision.norm"],
  ["vision.norm", "image_features"],
]);
/** Elements read of both files at a time: at most 8 MB each, whatever the size of a tensor. */
const PIECE = 2 ** 20;
const NAME_COLUMN = 28;

/**
 * Compares the tensors of `expected` with those of the same name in `actual`, piece by piece. Integers and bools must be equal; floats,
 * of any width on either side, within the bounds.
 *
 * @returns whether all are there and equal or within the bounds; false also when there was nothing to compare.
 * @throws JanusError E_IO of origin "input", E_FORMAT; the signal's reason.
 */
export function compareFiles(actual: string, expected: string, options: CompareOptions): Promise<boolean> {
  const { signal } = options;
  return withSafetensors(actual, signal, (a) => withSafetensors(expected, signal, (e) => compareAll(a, e, options)));
}

async function compareAll(a: SafetensorsFile, e: SafetensorsFile, options: CompareOptions): Promise<boolean> {
  const names = [...(options.only ?? e.tensors.keys())].sort();
  let failed = 0;
  for (const name of names) {
    const verdict = await compareTensor(name, a, e, options.bounds);
    options.print(`${tensorNameText(name).padEnd(NAME_COLUMN)} ${verdict.text}`);
    if (!verdict.ok) failed++;
  }
  options.print(`${names.length} compared, ${failed} different or missing`);
  return names.length > 0 && failed === 0;
}

interface Verdict {
  readonly ok: boolean;
  readonly text: string;
}

async function compareTensor(name: string, a: SafetensorsFile, e: SafetensorsFile, bounds: Bounds): Promise<Verdict> {
  const [actual, expected] = [find(a, name), find(e, name)];
  if (!expected) return { ok: false, text: `MISSING in ${quote(e.path)}` };
  if (!actual) return { ok: false, text: `MISSING in ${quote(a.path)}` };
  const shapes = [shapeText(actual.shape), shapeText(expected.shape)];
  if (shapes[0] !== shapes[1]) return { ok: false, text: `SHAPE ${shapes[0]} != ${shapes[1]}` };
  if (isFloat(actual) && isFloat(expected)) return compareFloats(actual, expected, a, e, bounds);
  if (actual.dtype !== expected.dtype) return { ok: false, text: `DTYPE ${actual.dtype} != ${expected.dtype}` };
  return compareBytes(actual, expected, a, e);
}

function find({ tensors }: SafetensorsFile, name: string): SafetensorsEntry | undefined {
  return tensors.get(name) ?? tensors.get(OTHER_NAME.get(name) ?? name);
}

async function compareFloats(
  actual: SafetensorsEntry,
  expected: SafetensorsEntry,
  a: SafetensorsFile,
  e: SafetensorsFile,
  bounds: Bounds,
): Promise<Verdict> {
  const sum = new DifferenceSum(expected.shape.at(-1) ?? 1);
  const count = elements(expected.shape);
  for (let start = 0; start < count; start += PIECE) {
    const length = Math.min(PIECE, count - start);
    sum.add(await a.readFloats(actual, start, length), await e.readFloats(expected, start, length));
  }
  const found = sum.result();
  const ok = isWithin(found, bounds);
  return { ok, text: `${differenceText(found)}  ${ok ? "ok" : "DIFFERENT"}` };
}

/** Everything that is not a float is equal bit by bit or not at all. */
async function compareBytes(
  actual: SafetensorsEntry,
  expected: SafetensorsEntry,
  a: SafetensorsFile,
  e: SafetensorsFile,
): Promise<Verdict> {
  const bytes = expected.end - expected.begin;
  const width = elementBytes(expected);
  let [different, first] = [0, -1];
  for (let start = 0; start < bytes; start += PIECE * width) {
    const length = Math.min(PIECE * width, bytes - start);
    const [mine, theirs] = [await a.readBytes(actual, start, length), await e.readBytes(expected, start, length)];
    for (let i = 0; i < length; i++) {
      if (mine[i] === theirs[i]) continue;
      const element = Math.floor((start + i) / width);
      if (first < 0) first = element;
      different++;
      i = (element + 1) * width - start - 1;
    }
  }
  return different === 0
    ? { ok: true, text: "equal" }
    : { ok: false, text: `DIFFERENT in ${different} of ${bytes / width} elements, first at ${first}` };
}
