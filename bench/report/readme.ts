import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderPlot } from "./plot.js";
import { fileName, RESULTS, type Results } from "./results.js";
import { renderReport } from "./tables.js";

export const README = fileURLToPath(new URL("../../../README.md", import.meta.url));
export const PLOT = join(RESULTS, "plot.svg");

const BEGIN = "<!-- bench:begin, written by npm run bench -- --report -->";
const END = "<!-- bench:end -->";

/** `page` with everything between its markers replaced by the report of `results`. Throws when the markers are not there. */
export function withReport(page: string, results: Results): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md: expected ${BEGIN} and ${END}`);
  const report = renderReport(results, `bench/results/${fileName(results)}`, "bench/results/plot.svg");
  return `${page.slice(0, begin)}${BEGIN}\n\n${report}\n\n${page.slice(end)}`;
}

/** Writes the README's block and its picture. */
export function writeReport(results: Results): void {
  writeFileSync(README, withReport(readFileSync(README, "utf8"), results));
  writeFileSync(PLOT, renderPlot(results));
}
