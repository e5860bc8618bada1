import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CommanderError } from "commander";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { synthesizeCommand } from "#dist/cli/commands/synthesize.js";
import { ROOT } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("cli/commands/synthesize");

function run(args: string[], signal?: AbortSignal): Promise<unknown> {
  const quiet = { writeErr: () => {}, writeOut: () => {} };
  return synthesizeCommand(signal).exitOverride().configureOutput(quiet).parseAsync(args, { from: "user" });
}

test("L01, L02: usage", () =>
  inScratch(async (folder) => {
    const output = join(folder, "out");
    for (const args of [
      [],
      ["--output"],
      ["--output", output, "--preset", "janus-pro-7b"],
      ["--output", output, "--dtype", "int8"],
      ["--output", output, "--unknown"],
      ["--output", output, "surplus"],
    ]) {
      const error = await run(args).catch((caught) => caught);
      assert.instance(error, CommanderError, args.join(" "));
    }
    assert.equal(readdirSync(folder), []);
  }));

test("L06, and the signal of the command line", () =>
  inScratch(async (folder) => {
    await refused(run(["--output", folder]), "E_USAGE", /exists.*--force/);
    const caught = await run(["--output", join(folder, "out")], AbortSignal.abort("stopped")).catch((error) => error);
    assert.is(caught, "stopped");
    assert.equal(readdirSync(folder), []);
  }));

test("L10: an interrupt half-way leaves no directory, and nothing is printed off a terminal", () =>
  inScratch(async (folder) => {
    const script = `
      import { synthesizeCommand } from ${JSON.stringify(`${ROOT}dist/cli/commands/synthesize.js`)};
      await synthesizeCommand().parseAsync(["--output", ${JSON.stringify(join(folder, "out"))}], { from: "user" });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    child.stdout.on("data", (data) => (printed += data));
    child.stderr.on("data", (data) => (printed += data));
    const isWriting = () => readdirSync(folder).some((name) => existsSync(join(folder, name, "model.safetensors")));
    while (!isWriting() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGINT");
    assert.equal(await once(child, "close"), [null, "SIGINT"]);
    assert.is(printed, "");
    assert.equal(readdirSync(folder), []);
  }));

test.run();
