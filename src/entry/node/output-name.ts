import { extname } from "node:path";
import { JanusError, quote } from "../../errors.js";
import type { RowFormat } from "../hand-over.js";
import { quotePath } from "./output-error.js";

/** What a result is written as. */
export type OutputFormat = "safetensors" | RowFormat;

const FORMATS: ReadonlyMap<string, OutputFormat> = new Map([
  ["", "safetensors"],
  [".safetensors", "safetensors"],
  [".npy", "npy"],
  [".pt", "pt"],
]);

/** The format that the extension of an output asks for; without one it is safetensors. @throws JanusError E_USAGE for any other. */
export function formatOfName(path: string): OutputFormat {
  const extension = extname(path);
  const format = FORMATS.get(extension.toLowerCase());
  if (format !== undefined) return format;
  throw new JanusError(
    "E_USAGE",
    `write ${quotePath(path)}: expected a name that ends with .safetensors, .npy or .pt, got ${quote(extension)}; rename the output`,
  );
}

/** The file of each row of a batch: `name.0.pt`, `name.1.pt`; of one row alone `name.pt`. */
export function rowNames(path: string, rows: number): string[] {
  if (rows === 1) return [path];
  const extension = extname(path);
  const stem = path.slice(0, path.length - extension.length);
  return Array.from({ length: rows }, (_, row) => `${stem}.${row}${extension}`);
}
