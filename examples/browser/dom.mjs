// The page's elements, by id and kind.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @param {readonly (Node | string)[]} [children]
 */
export function make(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * What went wrong, as a sentence: messages begin small and have no full stop.
 *
 * @param {unknown} error
 */
export function sentence(error) {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^[a-z]/, (first) => first.toUpperCase()).replace(/[^.!?]$/, "$&.");
}

/**
 * Shows one of two controls in place of the other, with the focus if that had it: a control that goes takes it along, and a keyboard would have to start anew.
 *
 * @param {HTMLElement} gone
 * @param {HTMLElement} come
 */
export function swap(gone, come) {
  const focused = gone.contains(document.activeElement);
  come.hidden = false;
  if (focused) come.focus();
  gone.hidden = true;
}

/**
 * Shows a problem where it happened, and scrolls there if that is elsewhere; or takes it away.
 *
 * @param {string} id
 * @param {unknown} [error]
 */
export function showProblem(id, error) {
  const box = byId(id, HTMLElement);
  box.hidden = error === undefined;
  const place = document.getElementById(`${id}-text`) ?? box;
  place.textContent = error === undefined ? "" : sentence(error);
  if (error !== undefined) box.scrollIntoView({ block: "nearest" });
}

/** @param {number} bytes */
export function size(bytes) {
  const [unit, divisor] = bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  return `${(bytes / Number(divisor)).toFixed(bytes >= 1e8 && bytes < 1e9 ? 0 : 1)} ${unit}`;
}
