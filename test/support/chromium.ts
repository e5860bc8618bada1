/** The system's Chromium, as playwright-core drives it, and the little of that which the tests use: it is no dependency, so neither are its types. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { ROOT } from "./paths.js";

const PACKAGES = `${ROOT}test/browser`;
const CHROMIUM = process.env["JANUS_CHROMIUM"] ?? "/usr/bin/chromium";
/** Only loopback is spoken to. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Page {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  /** Calls a function that is sent as text: it sees nothing but its argument. */
  evaluate<Value, Argument>(work: (argument: Argument) => Value | Promise<Value>, argument: Argument): Promise<Value>;
  on(event: "pageerror", listener: (error: Error) => void): void;
  close(): Promise<void>;
}

export interface Route {
  fulfill(answer: { readonly body: string; readonly headers: Readonly<Record<string, string>> }): Promise<void>;
}

export interface BrowserContext {
  newPage(): Promise<Page>;
  newCDPSession(page: Page): Promise<{ send(method: string, params?: object): Promise<unknown> }>;
  route(url: string | RegExp, answer: (route: Route) => Promise<void>): Promise<void>;
  setOffline(offline: boolean): Promise<void>;
  grantPermissions(names: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** A browser whose contexts share nothing: each is a profile of its own, in memory. */
export interface Browser {
  newContext(options?: {
    readonly viewport: { readonly width: number; readonly height: number };
    readonly hasTouch: boolean;
    readonly isMobile: boolean;
  }): Promise<BrowserContext>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: {
    launch(options: object): Promise<Browser>;
    launchPersistentContext(folder: string, options: object): Promise<BrowserContext>;
  };
}

/** Whether there is a Chromium and what drives it; if not, says what the suite is missing, which the runner reports. */
export function chromiumInstalled(): boolean {
  const driver = existsSync(`${PACKAGES}/node_modules/playwright-core/package.json`);
  const installed = driver && existsSync(CHROMIUM);
  if (!driver) console.log("SKIPPED: npm ci --prefix test/browser --ignore-scripts was not run");
  else if (!installed)
    console.log(`SKIPPED: there is no ${CHROMIUM}; install Debian's chromium, or name one in JANUS_CHROMIUM`);
  return installed;
}

/** A browser with a new profile, which playwright removes when the context is closed. */
export function startChromium(flags: readonly string[] = []): Promise<BrowserContext> {
  return playwright().chromium.launchPersistentContext("", options(flags));
}

/** A browser for many contexts, each there in a few milliseconds. */
export function startBrowser(flags: readonly string[] = []): Promise<Browser> {
  return playwright().chromium.launch(options(flags));
}

function playwright(): Playwright {
  return createRequire(`${PACKAGES}/package.json`)("playwright-core");
}

function options(flags: readonly string[]): object {
  return { executablePath: CHROMIUM, headless: true, args: [...FLAGS, ...flags] };
}

/** Runs `work` with such a browser. */
export async function withChromium<T>(
  work: (context: BrowserContext) => Promise<T>,
  flags: readonly string[] = [],
): Promise<T> {
  const context = await startChromium(flags);
  try {
    return await work(context);
  } finally {
    await context.close();
  }
}
