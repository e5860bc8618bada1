import { JanusError, quote } from "../errors.js";

/** A URL in a message: a password or a signature is nobody's to read, a long one is cut. */
export function urlText(url: URL): string {
  return quote(`${url.origin}${url.pathname}`, 200);
}

/** E_NETWORK: the network, or a server that does not do what is asked. `where` is the operation and the file. */
export function networkError(where: string, reason: string, cause?: unknown): JanusError {
  return new JanusError("E_NETWORK", `${where}: ${reason}`, { origin: "model", cause });
}

/** Whether an error means that nobody answered: a refusal is an answer. */
export function isUnreachable(error: unknown): error is JanusError {
  return error instanceof JanusError && error.code === "E_NETWORK" && error.cause !== undefined;
}

/** E_INTEGRITY: the file is another one than it was when it was first asked for. */
export function changedFile(where: string, was: string, is: string): JanusError {
  return new JanusError(
    "E_INTEGRITY",
    `${where}: expected the file unchanged since it was opened (${was}), found another (${is}); load it again`,
    { origin: "model" },
  );
}

/** E_FORMAT: a page for a reader came in place of the file. */
export function pageInstead(where: string): JanusError {
  return new JanusError(
    "E_FORMAT",
    `${where}: expected a file, found an HTML page; the server wants a login, or answers so when there is no such file`,
    { origin: "model" },
  );
}

/** A status that means that the same request may do better later. */
export function isTransient(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** What a status means for the caller, with the next step. */
export function statusReason(response: Response): string {
  const { status, headers } = response;
  const said = headers.get("x-error-message");
  const got = `got status ${status}${said === null ? "" : ` (${quote(said, 120)})`}`;
  return `expected the file, ${got}; ${hubStep(headers.get("x-error-code")) ?? nextStep(status)}`;
}

/** What a model hub's own codes mean: it answers 401 to a stranger for what does not exist, too. */
function hubStep(code: string | null): string | undefined {
  switch (code) {
    case "RepoNotFound":
      return "there is no such repository, or it is private and wants a token that may read it";
    case "GatedRepo":
      return "its terms are to be accepted on the hub, by the owner of the token";
    case "RevisionNotFound":
      return "there is no such branch, tag or commit";
    default:
      return undefined;
  }
}

function nextStep(status: number): string {
  switch (status) {
    case 401:
      return "it wants a token or a password";
    case 403:
      return "it is not for this caller, or a signature in the URL has expired";
    case 404:
    case 410:
      return "there is no such file, or no longer";
    case 429:
      return "the server is asked too often; load it later";
    default:
      return isTransient(status) ? "the server is in trouble; load it later" : "is this the base URL of a checkpoint?";
  }
}
