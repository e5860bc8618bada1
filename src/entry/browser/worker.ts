/** The program of this host's workers. The first message says what it is for; `roles.ts` has the rest. */
import type { MessageEnd } from "../message-worker.js";
import { ROLES, type Role } from "./roles.js";

const scope = globalThis as unknown as {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
};

let onMessage = (role: unknown): void => ROLES[role as Role](end);
const end: MessageEnd = {
  post: (message, transfer = []) => scope.postMessage(message, transfer),
  onMessage(listener) {
    onMessage = listener;
  },
};
scope.addEventListener("message", ({ data }) => onMessage(data));
