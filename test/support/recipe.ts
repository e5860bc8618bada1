import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./paths.js";
import { inScratch } from "./scratch.js";
import { PACKAGES } from "./transformers-packages.js";

export interface Recipe {
  /** Blocks of JavaScript, in order. */
  readonly programs: readonly string[];
  /** What the first of them prints. */
  readonly prints: string;
}

/** A fenced block of a page: what it is written in, and its text. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of `models/recipes/<name>.md`, in order, as they stand on the page. */
export function recipe(name: string): Block[] {
  const page = readFileSync(`${ROOT}models/recipes/${name}.md`, "utf8");
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({ language, text }));
}

/** The JavaScript of a page, and what it prints. */
export function readRecipe(name: string): Recipe {
  const blocks = recipe(name);
  const programs = blocks.filter(({ language }) => language === "js").map(({ text }) => text);
  const prints = blocks.find(({ language }) => language === "")?.text;
  if (programs.length === 0 || prints === undefined) throw new Error(`${name}.md has no program or not what it prints`);
  return { programs, prints };
}

/** Works in an empty project that has our package and those of the tests installed. */
export function inProject<T>(work: (project: string) => T): Promise<T> {
  return inScratch((project) => {
    const packages = { "janus-wasm": ROOT } as Record<string, string>;
    for (const name of ["@huggingface/transformers", "@huggingface/tokenizers", "onnxruntime-node"]) {
      packages[name] = `${PACKAGES}/node_modules/${name}`;
    }
    for (const [name, target] of Object.entries(packages)) {
      const link = join(project, "node_modules", name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(target, link);
    }
    writeFileSync(join(project, "package.json"), '{ "type": "module" }');
    return work(project);
  });
}

/** Runs a program in such a project, and gives its output. */
export function runProgram(program: string, args: readonly string[]): Promise<string> {
  return inProject((project) => {
    const file = join(project, "ask.mjs");
    writeFileSync(file, program);
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { cwd: ROOT, encoding: "utf8" });
    if (status !== 0) throw new Error(`the program ended with ${status}: ${stdout}${stderr}`);
    return stdout;
  });
}
