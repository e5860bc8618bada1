import { Command } from "commander";
import { examine } from "../entry/doctor.js";
import { nodeHost } from "../entry/node/host.js";
import { print } from "../entry/node/terminal.js";
import { engineFlagsOption } from "./model-options.js";

/** `janus doctor`: the engine, which variants it runs, what their instructions do, and what would be taken. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("engine, variants, features, threads and tiles, and why")
    .addOption(engineFlagsOption())
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "a stack trace with errors")
    .action(async (flags: { json?: boolean; engineFlags: "auto" | "none" }) => {
      const found = await examine(nodeHost(), flags.engineFlags);
      if (flags.json) {
        print(JSON.stringify(found));
        return;
      }
      print(`engine: ${found.engine}${found.engineFlags.length > 0 ? ` ${found.engineFlags.join(" ")}` : ""}`);
      for (const variant of found.variants) print(`  ${variant.ok ? "ok" : "no"}  ${variant.name}: ${variant.why}`);
      for (const [feature, value] of Object.entries(found.features)) print(`  ${feature}: ${value}`);
      print(`  threads: ${found.threads} by default`);
      for (const [variant, { tile, gflops }] of Object.entries(found.tiles)) {
        const figures = Object.entries(gflops).map(([name, figure]) => `${name} ${figure.toFixed(0)}`);
        print(`  tile of ${variant}: ${tile} (GFLOP/s a thread: ${figures.join(", ")})`);
      }
      for (const note of found.notes) print(`  note: ${note}`);
    });
}
