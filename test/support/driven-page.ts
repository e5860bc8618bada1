/** What a person does with a page, as playwright-core does it: the part of its interface that tests of the demo page use. */
import type { Page } from "./chromium.js";

export interface Locator {
  click(): Promise<void>;
  tap(options?: { position?: { x: number; y: number } }): Promise<void>;
  check(): Promise<void>;
  fill(text: string): Promise<void>;
  hover(options?: { position?: { x: number; y: number } }): Promise<void>;
  focus(): Promise<void>;
  press(key: string): Promise<void>;
  textContent(): Promise<string | null>;
  isVisible(): Promise<boolean>;
  count(): Promise<number>;
  getAttribute(name: string): Promise<string | null>;
  setInputFiles(files: string | readonly string[]): Promise<void>;
  nth(index: number): Locator;
  waitFor(options: { state: "visible" | "hidden"; timeout?: number }): Promise<void>;
  boundingBox(): Promise<{ x: number; y: number; width: number; height: number } | null>;
}

export interface Download {
  suggestedFilename(): string;
  path(): Promise<string>;
}

export interface DrivenPage extends Page {
  locator(selector: string): Locator;
  keyboard: { press(key: string): Promise<void> };
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(media: { colorScheme?: "light" | "dark"; reducedMotion?: "reduce" | "no-preference" }): Promise<void>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
  waitForEvent(event: "download"): Promise<Download>;
  waitForFunction<Argument>(
    work: (argument: Argument) => unknown,
    argument: Argument,
    options?: { timeout: number },
  ): Promise<unknown>;
}
