/** The system's Firefox, driven by WebDriver BiDi, which it speaks itself: playwright-core wants a Firefox of its own. */
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import type { Evaluating } from "./browser-cases.js";
import { inScratch } from "./scratch.js";

const FIREFOX = process.env["JANUS_FIREFOX"] ?? "/usr/bin/firefox-esr";
/** Only loopback is spoken to. */
const PREFERENCES = [
  "app.update.enabled",
  "browser.shell.checkDefaultBrowser",
  "datareporting.policy.dataSubmissionEnabled",
  "network.captive-portal-service.enabled",
  "network.connectivity-service.enabled",
];
const START_MS = 60_000;

export interface FirefoxPage extends Evaluating {
  goto(url: string): Promise<void>;
}

interface Answer {
  readonly id?: number;
  readonly type: string;
  readonly error?: string;
  readonly message?: string;
  readonly result?: unknown;
}

/** Whether there is a Firefox and a Node that can speak to it; if not, says what is missing, which the runner reports. */
export function firefoxInstalled(): boolean {
  const socket = typeof WebSocket === "function";
  if (!socket) console.log("SKIPPED: Firefox is driven by a WebSocket, which Node has from version 22 on");
  else if (!existsSync(FIREFOX))
    console.log(`SKIPPED: there is no ${FIREFOX}; install Debian's firefox-esr, or name one in JANUS_FIREFOX`);
  return socket && existsSync(FIREFOX);
}

/** Runs `work` with a page of a browser that has a new profile, which is removed afterwards. */
export function withFirefox<T>(work: (page: FirefoxPage) => Promise<T>): Promise<T> {
  return inScratch(async (profile) => {
    writeFileSync(`${profile}/user.js`, PREFERENCES.map((name) => `user_pref("${name}", false);\n`).join(""));
    const flags = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
    const browser = spawn(FIREFOX, flags, {
      env: { ...process.env, HOME: profile },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const gone = new Promise<void>((resolve) => browser.on("close", () => resolve()));
    try {
      return await work(await openPage(await address(browser.stderr)));
    } finally {
      browser.kill();
      await gone;
    }
  });
}

/** Where it listens, as it says itself. */
function address(stderr: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const late = setTimeout(() => reject(new Error(`Firefox did not start: ${said}`)), START_MS);
    stderr.on("data", (chunk) => {
      said += chunk;
      const [, url] = /listening on (ws:\S+)/.exec(said) ?? [];
      if (url === undefined) return;
      clearTimeout(late);
      resolve(url);
    });
  });
}

async function openPage(url: string): Promise<FirefoxPage> {
  const socket = new WebSocket(`${url}/session`);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.onmessage = ({ data }) => {
    const answer: Answer = JSON.parse(data);
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
  };
  let last = 0;
  const send = async (method: string, params: object): Promise<unknown> => {
    const id = ++last;
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params }));
    const { type, error, message, result } = await answered;
    waiting.delete(id);
    if (type === "error") throw new Error(`${method}: ${error}: ${message}`);
    return result;
  };
  await send("session.new", { capabilities: {} });
  const { contexts } = (await send("browsingContext.getTree", {})) as { contexts: { context: string }[] };
  const context = contexts[0]?.context;
  return {
    goto: async (page) => void (await send("browsingContext.navigate", { context, url: page, wait: "complete" })),
    async evaluate<Value, Argument>(call: (argument: Argument) => Value | Promise<Value>, argument: Argument) {
      const text = JSON.stringify(argument) ?? "undefined";
      const expression = `(async () => JSON.stringify((await (${call})(${text})) ?? null))()`;
      const evaluated = await send("script.evaluate", { target: { context }, awaitPromise: true, expression });
      const { type, result, exceptionDetails } = evaluated as {
        type: string;
        result?: { value: string };
        exceptionDetails?: { text: string };
      };
      if (type !== "success" || !result) throw new Error(`in the page: ${exceptionDetails?.text}`);
      return JSON.parse(result.value) as Value;
    },
  };
}
