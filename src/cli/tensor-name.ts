import { quote } from "../errors.js";

/** A tensor's name as its file has it, unless printing that could confuse a terminal or flood it. */
export function tensorNameText(name: string): string {
  return /^[\x20-\x7e]{1,100}$/.test(name) ? name : quote(name);
}
