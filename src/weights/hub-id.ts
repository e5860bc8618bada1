import { JanusError, quote } from "../errors.js";

/** A checkpoint on a model hub: `owner/name`, and which of its revisions. */
export interface HubId {
  /** `owner/name` */
  readonly repo: string;
  /** A branch, a tag, `refs/pr/N` or a commit. */
  readonly revision: string;
}

/** A word of an id, by huggingface_hub's rule: what stands in paths and URLs is neither a step up nor an option. */
const WORD = String.raw`(?![\w.-]*(?:--|\.\.))\w(?:[\w.-]{0,94}\w)?`;
const ID = new RegExp(`^(${WORD}/${WORD})(?:@(.*))?$`, "s");
/** A revision becomes a path in the cache, so it is written as one. */
const REVISION = /^(?!.*(?:\.\.|\.lock$))[\w+-][\w.+-]*(?:\/[\w+-][\w.+-]*)*$/;
const REVISION_LENGTH = 200;
const COMMIT = /^[0-9a-f]{40}$/;

const DEFAULT_REVISION = "main";

/** `owner/name[@revision]`; undefined for what is no such id. E_USAGE for a revision that no hub has. */
export function parseHubId(text: string): HubId | undefined {
  const [, repo, revision = DEFAULT_REVISION] = ID.exec(text) ?? [];
  if (repo === undefined || repo.endsWith(".git")) return undefined;
  if (!REVISION.test(revision) || revision.length > REVISION_LENGTH)
    throw new JanusError(
      "E_USAGE",
      `opening ${quote(text, 200)}: expected a branch, tag or commit after the @, got ${quote(revision)}; leave it out for main`,
      { origin: "usage" },
    );
  return { repo, revision };
}

/** As it was written, without the revision that is meant anyway. */
export function hubIdText({ repo, revision }: HubId): string {
  return revision === DEFAULT_REVISION ? repo : `${repo}@${revision}`;
}

/** Whether a revision is a commit: it names the same content for ever. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}

/** Where a hub has the files of a revision. */
export function resolveUrl(endpoint: string, { repo, revision }: HubId): string {
  return `${endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/`;
}

/** Where a hub lists the files of a revision. */
export function listingUrl(endpoint: string, { repo, revision }: HubId): string {
  return `${endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}`;
}
