/** Where the result of a command goes, and as what: files by their extension, or stdout. */
import { encodeRows, refuseNarrowNpy, toSafetensors } from "../entry/hand-over.js";
import { refuseExisting, writeSetAtomically } from "../entry/node/output.js";
import { refuseInputAsOutput } from "../entry/node/output-conflict.js";
import { formatOfName, type OutputFormat, rowNames } from "../entry/node/output-name.js";
import { refuseTerminal, writeToStdout } from "../entry/node/standard-output.js";
import { unpadded } from "../entry/unpadded.js";
import { JanusError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import type { EncodedFile } from "../weights/encoded-file.js";
import type { FloatDtype } from "../weights/float-chunks.js";
import type { ModelFlags } from "./commands/model-options.js";
import type { OutputFlags } from "./commands/output-options.js";

/** An output as its flags say. */
export interface Target {
  readonly format: OutputFormat;
  readonly dtype: FloatDtype;
  /** None is stdout. */
  readonly path: string | undefined;
  readonly force: boolean;
  readonly model: string;
  /** What the output is made from, and must not replace. */
  readonly inputs: readonly unknown[];
}

/** An output with all of its files; none is stdout. */
export interface Destination extends Target {
  readonly paths: readonly string[];
}

/** What a command computed: all of it, and what a file of rows holds alone. */
export interface Output {
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** A tensor [B,T,D] of `tensors`. */
  readonly rows: string;
  /** A tensor [B,T] of `tensors` that says what is padding. */
  readonly mask?: string;
}

const STDOUT = "-";

/**
 * Judges the flags of an output.
 *
 * @throws JanusError E_USAGE as `refuseInputAsOutput`, `formatOfName`, `refuseTerminal`, and for flags that contradict each other;
 * E_UNSUPPORTED for bf16 in a .npy file.
 */
export async function target(
  command: string,
  flags: ModelFlags & OutputFlags,
  inputs: readonly unknown[],
): Promise<Target> {
  const { output, outputDtype: dtype, outputFormat, model } = flags;
  const force = flags.force === true;
  const usage = (message: string): JanusError =>
    new JanusError("E_USAGE", `${command}: ${message}; see janus ${command} --help`);
  const path = output === STDOUT ? undefined : output;
  if (path === undefined) {
    if (flags.json) throw usage("--output - and --json both want stdout; leave one out");
    refuseTerminal();
  } else {
    if (outputFormat) throw usage("--output-format is for --output -; a file's extension says it");
    // Before the extension is judged: that an input would be replaced says more.
    await refuseInputAsOutput(path, model, inputs);
  }
  const format = path === undefined ? (outputFormat ?? "safetensors") : formatOfName(path);
  refuseNarrowNpy(format, dtype);
  if (format !== "safetensors" && flags.stages) {
    throw usage(`--stages needs safetensors; ${format} holds the embeddings alone`);
  }
  return { format, dtype, path, force, model, inputs };
}

/**
 * Judges every file of an output before the model is loaded.
 *
 * @param rows rows of the batch.
 * @throws JanusError as `refuseInputAsOutput` and `refuseExisting`; E_USAGE for several rows in one file; E_PROMPT for a file of a row that is not there.
 */
export async function destination(to: Target, rows: number): Promise<Destination> {
  const { format, path, force, model, inputs } = to;
  const apart = format !== "safetensors";
  if (apart && rows === 0)
    throw new JanusError("E_PROMPT", `write ${format}: expected a row to write, got none; add one`);
  if (apart && path === undefined && rows > 1) {
    throw new JanusError(
      "E_USAGE",
      `write to stdout: ${format} holds one row, got ${rows}; name a file, or take --output-format safetensors`,
    );
  }
  const paths = path === undefined ? [] : apart ? rowNames(path, rows) : [path];
  for (const name of paths) {
    await refuseInputAsOutput(name, model, inputs);
    await refuseExisting(name, force);
  }
  return { ...to, paths };
}

/**
 * Writes a result, all of its files or none.
 *
 * @returns the dims of what was written, by name; of several rows `name.0`, `name.1`, as their files.
 * @throws as `writeSetAtomically` and `writeToStdout`.
 */
export async function writeOutput(
  { format, dtype, paths, force }: Destination,
  { tensors, rows: name, mask }: Output,
  signal: AbortSignal,
): Promise<Record<string, readonly number[]>> {
  const dims: Record<string, readonly number[]> = {};
  const files: EncodedFile[] = [];
  if (format === "safetensors") {
    files.push(toSafetensors(tensors, { dtype }));
    for (const [tensor, { dims: own }] of Object.entries(tensors)) dims[tensor] = own;
  } else {
    const attentionMask = mask === undefined ? undefined : (tensors[mask] as Tensor<"int64">);
    const rows = unpadded("write", { inputsEmbeds: tensors[name] as Tensor<"float32">, attentionMask });
    files.push(...encodeRows(rows, format, dtype));
    for (const [row, { dims: own }] of rows.entries()) dims[rows.length === 1 ? name : `${name}.${row}`] = own;
  }
  if (paths.length === 0) {
    await writeToStdout(files[0]!, signal);
  } else {
    const named = paths.map((path, i) => ({ path, chunks: files[i]!, expectedBytes: files[i]!.byteLength }));
    await writeSetAtomically(named, { force, signal });
  }
  return dims;
}

/** Where it went, for a message. */
export function destinationText({ paths }: Destination): string {
  const [first = "to stdout", last] = [paths[0], paths.at(-1)];
  return paths.length > 1 ? `${first} to ${last}` : first;
}
