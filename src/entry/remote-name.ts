import { type HubId, parseHubId } from "../weights/hub-id.js";

/** Where a model lies that is not on this machine. */
export type RemoteName = { readonly url: string } | { readonly hub: HubId };

export function isHttp(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** What a text names on a server: an http(s) URL, or a hub id. */
export function remoteName(model: string): RemoteName | undefined {
  if (isHttp(model)) return { url: model };
  const hub = parseHubId(model);
  return hub && { hub };
}
