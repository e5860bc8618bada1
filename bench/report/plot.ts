/** The README's picture: seconds of one picture by contender, a bar for each number of threads. Its own style follows the reader's light or dark. */
import type { ModelResult, Results } from "./results.js";
import { dtypeText, seconds, settingText, threadsText } from "./tables.js";

const WIDTH = 760;
const LABELS = 300;
const BAR = 14;
const GAP = 4;
const GROUP = 18;
const TOP = 40;
const MARGIN = 12;
/** Room for the figure behind the longest bar. */
const FIGURES = 110;

const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    .title { font-weight: 600; }
    .figure { font-size: 12px; fill: #57606a; }
    .own { fill: #0969da; }
    .peer { fill: #8c959f; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .figure { fill: #9198a1; }
      .own { fill: #4493f8; }
      .peer { fill: #6e7681; }
    }`;

/** SVG of the newest engine's contenders: this package in bf16 and int8, with and without flags, and the peers; fastest first. */
export function renderPlot({ model, machine }: Results): string {
  const engine = model[0]?.engine;
  const shown = model.filter((r) => r.engine === engine && (r.contender !== "janus-wasm" || r.dtype !== "fp32"));
  const groups = new Map<string, ModelResult[]>();
  for (const result of shown) groups.set(labelOf(result), [...(groups.get(labelOf(result)) ?? []), result]);
  const fastest = (results: readonly ModelResult[]): number => Math.min(...results.map(({ one }) => one.min));
  const ordered = [...groups].sort(([, a], [, b]) => fastest(a) - fastest(b));
  const longest = Math.max(...shown.map(({ one }) => one.min));
  const scale = (WIDTH - LABELS - FIGURES - MARGIN) / longest;
  const lines: string[] = [];
  let y = TOP;
  for (const [label, results] of ordered) {
    const height = results.length * (BAR + GAP) - GAP;
    lines.push(`<text x="${LABELS - 10}" y="${y + height / 2 + 4}" text-anchor="end">${escaped(label)}</text>`);
    for (const { contender, threads, one } of results) {
      const width = Math.max(1, one.min * scale).toFixed(1);
      const kind = contender === "janus-wasm" ? "own" : "peer";
      lines.push(`<rect class="${kind}" x="${LABELS}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`);
      const figure = `${seconds(one.min)}, ${threadsText(threads)}`;
      lines.push(
        `<text class="figure" x="${(LABELS + Number(width) + 6).toFixed(1)}" y="${y + BAR - 3}">${figure}</text>`,
      );
      y += BAR + GAP;
    }
    y += GROUP - GAP;
  }
  const height = y - GROUP + MARGIN;
  const title = `Seconds a picture, less is better (${machine.cpu}, ${machine.microarchitecture})`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
  <title>${escaped(title)}</title>
  <style>${STYLE}
  </style>
  <text class="title" x="${MARGIN}" y="22">${escaped(title)}</text>
  ${lines.join("\n  ")}
</svg>
`;
}

function labelOf(result: ModelResult): string {
  const name = `${result.contender} ${dtypeText(result.dtype)}`;
  if (result.contender === "onnxruntime-node") return `${name}, native`;
  return `${name}, ${settingText(result)}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
