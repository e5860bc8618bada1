import { Command } from "commander";
import {
  elementBytes,
  isFloat,
  type SafetensorsEntry,
  type SafetensorsFile,
  withSafetensors,
} from "../entry/node/safetensors-file.js";
import { print, setExitStatus } from "../entry/node/terminal.js";
import { JanusError, quote } from "../errors.js";
import { elements, shapeText } from "../tensor.js";
import { collect } from "./collect.js";
import { type Bounds, DifferenceSum, differenceText, FLOAT32_BOUNDS, isWithin } from "./difference.js";

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

/** `janus compare A B`: exit status 1 when a tensor of B is missing in A or differs. */
export function compareCommand(signal?: AbortSignal): Command {
  return new Command("compare")
    .description("compare the tensors of two safetensors files: exit status 1 when they differ")
    .argument("<A.safetensors>", "what was computed")
    .argument("<B.safetensors>", "what was expected: every tensor in it must be in A")
    .option("--max-rel <x>", "largest RMS-relative difference", atLeastZero, FLOAT32_BOUNDS.maxRelative)
    .option("--max-abs <x>", "largest difference of an element, times RMS(B)", atLeastZero, FLOAT32_BOUNDS.maxAbs)
    .option("--min-cosine <x>", "smallest cosine of a row", cosine, FLOAT32_BOUNDS.minCosine)
    .option("--only <name>", "compare only this tensor; may be given several times", collect)
    .action(
      async (
        actual: string,
        expected: string,
        options: { maxRel: number; maxAbs: number; minCosine: number; only?: string[] },
      ) => {
        const { maxRel: maxRelative, maxAbs, minCosine, only } = options;
        const bounds = { maxRelative, maxAbs, minCosine };
        if (!(await compareFiles(actual, expected, { bounds, only, signal, print }))) setExitStatus(1);
      },
    );
}

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
    options.print(`${nameText(name).padEnd(NAME_COLUMN)} ${verdict.text}`);
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

/** A name as the file has it, unless printing it could confuse a terminal. */
function nameText(name: string): string {
  return /^[\x20-\x7e]{1,100}$/.test(name) ? name : quote(name);
}

function atLeastZero(text: string): number {
  return checkedNumber(text, (value) => value >= 0, "a number of at least 0");
}

function cosine(text: string): number {
  return checkedNumber(text, (value) => value >= -1 && value <= 1, "a number from -1 to 1");
}

function checkedNumber(text: string, holds: (value: number) => boolean, expected: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (holds(value)) return value;
  throw new JanusError("E_USAGE", `compare: expected ${expected}, got ${quote(text)}; see janus compare --help`);
}
