import { Command } from "commander";
import { examine } from "../entry/doctor.js";
import { nodeHost } from "../entry/node/host.js";
import { print } from "../entry/node/terminal.js";

/** `janus doctor`: the engine, which variants it runs, what their instructions do, and what would be taken. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("engine, variants, features, threads and tiles, and why")
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "a stack trace with errors")
    .action(async (flags: { json?: boolean }) => {
      const found = await examine(nodeHost());
      if (flags.json) {
        print(JSON.stringify(found));
        return;
      }
      print(`engine: ${found.engine}${found.engineFlags.length > 0 ? ` ${found.engineFlags.join(" ")}` : ""}`);
      for (const variant of found.variants) print(`  ${variant.ok ? "ok" : "no"}  ${variant.name}: ${variant.why}`);
      for (const [feature, value] of Object.entries(found.features)) print(`  ${feature}: ${value}`);
      print(`  threads: ${found.threads} by default`);
      for (const [variant, tile] of Object.entries(found.tiles)) print(`  tile of ${variant}: ${tile}`);
      for (const note of found.notes) print(`  note: ${note}`);
    });
}
