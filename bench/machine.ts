import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

export interface Machine {
  readonly cpu: string;
  /** `Zen 4` where family and model tell, else the processor's own name. */
  readonly microarchitecture: string;
  /** Of the features that decide how kernels run, those it has. */
  readonly features: readonly string[];
  readonly cores: number;
  readonly memoryBytes: number;
  readonly platform: string;
}

/** By the names of /proc/cpuinfo: vectors, multiply-add, and the 8-bit dots of which V8 takes one form only. */
const FEATURES = ["avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "asimd", "asimddp", "i8mm"];

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export function describeMachine(): Machine {
  const info = cpuInfo();
  const cpu = (info.get("model name") ?? cpus()[0]?.model ?? process.arch).trim();
  const flags = (info.get("flags") ?? info.get("Features") ?? "").split(" ");
  return {
    cpu,
    microarchitecture: microarchitecture(Number(info.get("cpu family")), Number(info.get("model"))) ?? cpu,
    features: FEATURES.filter((name) => flags.includes(name)),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
  };
}

/** AMD's families by model, as far as they matter here: Intel's family 6 has a name per model and stays a number. */
export function microarchitecture(family: number, model: number): string | undefined {
  if (family === 25) return (model >= 16 && model <= 31) || (model >= 96 && model <= 175) ? "Zen 4" : "Zen 3";
  if (family === 26) return "Zen 5";
  if (family === 23) return model >= 48 ? "Zen 2" : "Zen";
  return undefined;
}

/** This package at the commit that was measured. */
export function describePackage(): { version: string; commit: string; modified: boolean } {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  const git = (...args: string[]): string =>
    spawnSync("git", args, { cwd: ROOT, encoding: "utf8" }).stdout?.trim() ?? "";
  return {
    version,
    commit: git("rev-parse", "--short=12", "HEAD"),
    modified: git("status", "--porcelain", "--untracked-files=no") !== "",
  };
}

/** The first processor of /proc/cpuinfo; empty elsewhere. */
function cpuInfo(): Map<string, string> {
  try {
    const [first = ""] = readFileSync("/proc/cpuinfo", "utf8").split("\n\n");
    return new Map(first.split("\n").map((line) => line.split(/\s*:\s*/, 2) as [string, string]));
  } catch {
    return new Map();
  }
}
