#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import {
  commandLine,
  endQuietlyOnClosedPipe,
  exit,
  interruptSignal,
  print,
  printNote,
  setExitStatus,
} from "../entry/node/terminal.js";
import { packageVersion } from "../entry/node/version.js";
import { compareCommand } from "./compare.js";
import { doctorCommand } from "./doctor.js";
import { embedCommand } from "./embed.js";
import { encodeCommand } from "./encode.js";
import { errorText, exitStatus } from "./exit-status.js";
import { inspectCommand } from "./inspect.js";
import { packCommand } from "./pack.js";
import { synthesizeCommand } from "./synthesize.js";

const signal = interruptSignal();
const program = new Command("janus")
  .description("Janus vision encoding and embedding fusion: images and a prompt in, inputs_embeds out.")
  .version(packageVersion())
  .helpCommand(true)
  .configureOutput({
    writeOut: (text) => print(text.trimEnd()),
    writeErr: (text) => printNote(text.trimEnd()),
    outputError: () => {},
  })
  .exitOverride()
  .showHelpAfterError(false);

for (const command of [
  embedCommand(signal),
  encodeCommand(signal),
  packCommand(),
  inspectCommand(signal),
  synthesizeCommand(signal),
  compareCommand(signal),
  doctorCommand(),
]) {
  program.addCommand(command.copyInheritedSettings(program));
}
program.action(() => program.outputHelp());

endQuietlyOnClosedPipe();
try {
  await program.parseAsync([...commandLine()]);
} catch (error) {
  const status = exitStatus(error);
  setExitStatus(status);
  if (status === 130) {
    printNote("janus: interrupted; nothing was written");
    exit(status);
  }
  if (error instanceof CommanderError) {
    if (status !== 0)
      printNote(`janus: E_USAGE: ${error.message.replace(/^error: /, "")}; janus --help lists the commands`);
  } else {
    printNote(errorText(error, commandLine().includes("--verbose")));
  }
}
