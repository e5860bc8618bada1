import { Command } from "commander";

/** What every help ends with. */
export const EXIT_STATUS = `
Exit status:
  0    done
  1    compare: different; or an error of this program itself
  2    usage: a flag or value, an output that exists, a variant this engine cannot run
  3    an input: image, prompt, shape, or a file that cannot be read
  4    the checkpoint or the output: format, configuration, numbers, unsupported, disk
  5    out of memory
  6    network
  130  interrupted`;

/** A section of examples for the end of a help text. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** `janus help [command]`: what --help prints, and a usage error for a command that does not exist. */
export function helpCommand(program: Command): Command {
  return new Command("help")
    .description("describe a command")
    .argument("[command]")
    .action((name?: string) => {
      const command = program.commands.find((candidate) => candidate.name() === name);
      if (name !== undefined && !command) program.error(`error: unknown command '${name}'`, { exitCode: 2 });
      (command ?? program).help();
    });
}
