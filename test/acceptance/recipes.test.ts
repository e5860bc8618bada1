/** models/recipes: what stands on a page is run as it stands there, in a folder with `models`, where `janus` is the built command line. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { widenBF16 } from "#dist/weights/widen.js";
import { answer } from "../../examples/answer/answer.mjs";
import { JANUS, temporaryFolder } from "../support/cli.js";
import { ROOT } from "../support/paths.js";
import { plainTorch } from "../support/plain-torch.js";
import { PYTHON, pythonTest, runPython } from "../support/python.js";
import { type Block, recipe } from "../support/recipe.js";

const test = suite("acceptance/recipes");

const run = promisify(execFile);

/** A folder as the pages assume it. */
function desk(): { folder: string; env: NodeJS.ProcessEnv } {
  const folder = temporaryFolder();
  symlinkSync(`${ROOT}models`, join(folder, "models"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(ROOT, join(folder, "node_modules/janus-wasm"));
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "janus"), `#!/bin/sh\nexec "${process.execPath}" "${JANUS}" "$@"\n`, { mode: 0o755 });
  return {
    folder,
    env: { ...process.env, HF_HUB_OFFLINE: "1", PYTHONUTF8: "1", PATH: `${bin}:${process.env["PATH"]}` },
  };
}

/** Runs the blocks in order, and returns what the last one printed. */
async function follow(blocks: readonly Block[], { folder, env }: ReturnType<typeof desk>): Promise<string> {
  const programs: Record<string, readonly [string, readonly string[], string]> = {
    sh: ["/bin/sh", ["-e"], "step.sh"],
    python: [PYTHON ?? "", [], "step.py"],
    js: [process.execPath, [], "step.mjs"],
  };
  let printed = "";
  for (const { language, text } of blocks) {
    const [program, flags, file] = programs[language]!;
    writeFileSync(join(folder, file), text);
    printed = (await run(program, [...flags, file], { cwd: folder, env })).stdout;
  }
  return printed;
}

function split(page: string): { steps: Block[]; printed: string } {
  const blocks = recipe(page);
  const steps = blocks.filter(({ language }) => ["sh", "python", "js"].includes(language));
  return { steps, printed: blocks.find(({ language }) => language === "text")!.text };
}

pythonTest(test)("transformers", async () => {
  const { steps, printed } = split("transformers");
  assert.equal(
    steps.map(({ language }) => language),
    ["sh", "python"],
  );
  assert.is(await follow(steps, desk()), printed);
});

/** Takes a request as vLLM does (base64, a torch file of one dense tensor [T,D] of whatever float), and answers with the demo model. */
function likeVllm(bodies: unknown[]): Server {
  return createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const { prompt_embeds, ...rest } = JSON.parse(text);
    bodies.push({ path: request.url, ...rest });
    const [tensor] = plainTorch(Buffer.from(prompt_embeds, "base64")).values();
    const [length = 0, dim = 0] = tensor!.shape;
    const data = widenBF16(new Uint16Array(tensor!.data.slice().buffer));
    const mask = { data: new BigInt64Array(length).fill(1n) };
    const [given] = await answer(`${ROOT}models/demo`, { dims: [1, length, dim], data }, mask);
    response.end(JSON.stringify({ choices: [{ text: ` ${given!.text}` }] }));
  });
}

for (const [language, register] of [
  ["python", pythonTest(test)],
  ["js", test],
] as const) {
  register(`vLLM, the ${language} client`, async () => {
    const { steps, printed } = split("vllm");
    const client = steps.filter((step) => step.language === language || step.language === "sh");
    assert.is(client.length, 2);
    const bodies: unknown[] = [];
    const server = likeVllm(bodies);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const table = desk();
      table.env["VLLM"] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      assert.is(await follow(client, table), printed);
    } finally {
      server.close();
    }
    assert.equal(bodies, [{ path: "/v1/completions", model: "demo-lm", max_tokens: 64, temperature: 0 }]);
  });
}

pythonTest(test)("llama.cpp: its commands, and that its program is one", async () => {
  const [commands, program] = recipe("llama-cpp").filter(({ language }) => language !== "console");
  assert.equal([commands!.language, program!.language], ["sh", "python"]);
  const text = commands!.text
    .replaceAll("Janus-Pro-1B", "models/demo")
    .replace("scene.png", "models/demo/examples/06.png");
  const table = desk();
  await follow([{ language: "sh", text }], table);
  assert.equal(["janus-lm", "prompt.npy"].filter((name) => existsSync(join(table.folder, name))).length, 2);
  await runPython(`import ast\nast.parse(${JSON.stringify(program!.text)})`);
});

test.run();
