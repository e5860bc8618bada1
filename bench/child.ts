import { type ChildProcess, fork } from "node:child_process";

/** Starts a module of this build with the Node at `binary`; nothing of this process's own flags goes along. */
export function start(
  program: URL,
  binary: string,
  flags: readonly string[] = [],
  args: readonly string[] = [],
): ChildProcess {
  return fork(program, [...args], {
    execPath: binary,
    execArgv: [...flags],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

/** Runs a module that sends one message and ends; resolves to that message when the process is gone. */
export function once<T>(program: URL, binary: string, flags: readonly string[], input: unknown): Promise<T> {
  const child = start(program, binary, flags, [JSON.stringify(input)]);
  return new Promise((resolve, reject) => {
    let message: T | undefined;
    child.on("message", (sent: T) => {
      message = sent;
    });
    child.on("error", reject);
    child.on("exit", (status, signal) => {
      if (status === 0 && message !== undefined) resolve(message);
      else reject(new Error(`${program.pathname}: ended with ${signal ?? `exit status ${status}`}`));
    });
  });
}

/** What `once` gave this process. */
export function input<T>(): T {
  return JSON.parse(process.argv[2] ?? "{}");
}

/** Sends this process's one message. */
export function send(message: unknown): void {
  process.send?.(message, undefined, undefined, () => process.disconnect());
}
