#!/usr/bin/env node
import { Command } from "commander";
import {
  commandLine,
  exit,
  interruptSignal,
  onUncaught,
  outliveClosedPipes,
  print,
  printNote,
  setExitStatus,
} from "../entry/node/terminal.js";
import { packageVersion } from "../entry/node/version.js";
import { compareCommand } from "./commands/compare.js";
import { doctorCommand } from "./commands/doctor.js";
import { embedCommand } from "./commands/embed.js";
import { encodeCommand } from "./commands/encode.js";
import { exportCommand } from "./commands/export-lm.js";
import { EXIT_STATUS, examples, helpCommand } from "./commands/help.js";
import { inspectCommand } from "./commands/inspect.js";
import { packCommand } from "./commands/pack.js";
import { pullCommand } from "./commands/pull.js";
import { synthesizeCommand } from "./commands/synthesize.js";
import { errorText, exitStatus } from "./exit-status.js";

const signal = interruptSignal();
outliveClosedPipes();

// Commands say what they take and import what they run only when run: --help and a wrong flag cost a tenth of a second less.
const program = new Command("janus")
  .description("Janus vision encoding and embedding fusion: images and a prompt in, inputs_embeds out.")
  .version(packageVersion())
  .helpCommand(false)
  // A prompt may be "--version": only what stands before the command is the program's own.
  .enablePositionalOptions()
  .configureOutput({
    writeOut: (text) => print(text.trimEnd()),
    writeErr: (text) => printNote(text.trimEnd()),
    outputError: () => {},
  })
  .exitOverride()
  .addHelpText(
    "after",
    examples(
      'janus embed --model models/demo --question "What is in the image?" --image scene.png --output out.safetensors',
      "janus encode --model models/demo --image scene.png --output out.safetensors",
      "janus embed --help",
    ),
  )
  .addHelpText("after", EXIT_STATUS);

for (const command of [
  embedCommand(signal),
  encodeCommand(signal),
  packCommand(signal),
  exportCommand(signal),
  pullCommand(signal),
  inspectCommand(signal),
  synthesizeCommand(signal),
  compareCommand(signal),
  doctorCommand(),
  helpCommand(program),
]) {
  program.addCommand(command.copyInheritedSettings(program));
}

/** Says why on one line, and how it ends. */
function fail(error: unknown): number {
  const status = exitStatus(error);
  setExitStatus(status);
  const [verb] = commandLine();
  const command = program.commands.find((candidate) => candidate.name() === verb);
  const verbose = command?.opts()["verbose"] === true;
  if (status !== 0) printNote(errorText(error, { command: command && verb, verbose }));
  return status;
}

onUncaught((error) => exit(fail(error)));
/**
 * While a command waits for what keeps no event loop alive, Node would wait for V8's background compiler, which may itself wait for this thread to collect
 * garbage: a deadlock, seen once in some fifty runs of Node 20 on a busy machine.
 */
const running = setInterval(() => {}, 2 ** 30);
try {
  await program.parseAsync(commandLine().length > 0 ? [...commandLine()] : ["--help"], { from: "user" });
} catch (error) {
  const status = fail(error);
  // What was interrupted may have left a read behind that nobody waits for.
  if (status === 130) exit(status);
} finally {
  clearInterval(running);
}
