// `npm start`: the worker under the real workerd, on this machine.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const workerd = here("node_modules/@cloudflare/workerd-linux-64/bin/workerd");
if (!existsSync(workerd)) {
  console.error(
    "workerd is not here: npm ci --ignore-scripts (on Linux x64; elsewhere install the npm package workerd)",
  );
  process.exit(1);
}
console.log(`http://127.0.0.1:8787, for instance

  curl --data-binary @../../models/demo/examples/06.png -H "content-type: image/png" \\
    "http://127.0.0.1:8787/v1/embed?question=What%20is%20on%20the%20right%3F" -o out.safetensors
`);
const child = spawn(workerd, ["serve", "config.capnp"], { cwd: here("."), stdio: "inherit" });
process.on("SIGINT", () => child.kill("SIGINT"));
child.on("exit", (status) => {
  process.exitCode = status ?? 1;
});
