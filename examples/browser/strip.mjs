// The fused sequence, position by position: what is text shows its token, what comes of a picture its patch's colour.
import { byId, make } from "./dom.mjs";

/** From here on positions of pictures are drawn smaller. */
const MANY = 200;

export class Strip {
  /** @param {(patch: number) => void} onPatch is told of the patch of a position that was pointed at */
  constructor(onPatch) {
    this.onPatch = onPatch;
    this.list = byId("strip", HTMLOListElement);
    this.line = byId("token-line", HTMLParagraphElement);
    /** @type {HTMLLIElement[]} */
    this.cells = [];
    /** Positions of patches. @type {number[]} */
    this.places = [];
    this.list.addEventListener("pointerover", ({ target }) => this.#say(target));
    this.list.addEventListener("pointerdown", ({ target }) => this.#say(target));
    this.list.addEventListener("focusin", ({ target }) => this.#say(target));
    this.list.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {readonly number[]} ids
   * @param {Uint8Array} isImage by position
   * @param {import("./vocabulary.mjs").Vocabulary | undefined} vocabulary
   * @param {number} perImage patches of a picture
   */
  show(ids, isImage, vocabulary, perImage) {
    this.places = [...ids.keys()].filter((t) => isImage[t]);
    /** @type {string[]} */
    this.says = [];
    let patch = 0;
    this.cells = ids.map((id, t) => {
      const at = `Position ${t + 1} of ${ids.length}`;
      const cell = make("li", { tabIndex: t === 0 ? 0 : -1 });
      if (isImage[t]) {
        cell.className = "image";
        this.says?.push(`${at}: patch ${(patch % perImage) + 1} of picture ${Math.floor(patch / perImage) + 1}`);
        patch++;
      } else {
        const token = vocabulary?.token(id) ?? `#${id}`;
        cell.className = /^<.+>$/.test(token.trim()) ? "special" : "text";
        cell.textContent = printed(token);
        this.says?.push(`${at}: token ${id}, ${JSON.stringify(token)}`);
      }
      cell.setAttribute("aria-label", this.says?.[t] ?? "");
      return cell;
    });
    this.list.classList.toggle("many", this.places.length > MANY);
    this.list.replaceChildren(...this.cells);
    this.line.textContent = "";
    const text = ids.length - this.places.length;
    byId("sequence-note", HTMLParagraphElement).textContent =
      `${ids.length} positions: ${text} of text${this.places.length > 0 ? `, ${this.places.length} of ${this.places.length > perImage ? "pictures" : "the picture"}, each in the colour of its patch` : ""}.`;
  }

  /** @param {Uint8ClampedArray} colours [patches, 3] */
  colour(colours) {
    for (const [patch, t] of this.places.entries()) {
      const [r, g, b] = colours.subarray(patch * 3, patch * 3 + 3);
      this.cells[t].style.background = `rgb(${r} ${g} ${b})`;
    }
  }

  /** @param {number} patch */
  point(patch) {
    this.#mark(this.places[patch]);
  }

  /** @param {number | undefined} position */
  #mark(position) {
    for (const cell of this.list.querySelectorAll(".now")) cell.classList.remove("now");
    if (position !== undefined) this.cells[position]?.classList.add("now");
  }

  /** @param {EventTarget | null} target */
  #say(target) {
    const t = this.cells.indexOf(/** @type {HTMLLIElement} */ (target));
    if (t < 0) return;
    this.line.textContent = this.says?.[t] ?? "";
    this.#mark(t);
    const patch = this.places.indexOf(t);
    if (patch >= 0) this.onPatch(patch);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const t = this.cells.indexOf(/** @type {HTMLLIElement} */ (event.target));
    const last = this.cells.length - 1;
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: t - 1,
      ArrowUp: t - 1,
      ArrowRight: t + 1,
      ArrowDown: t + 1,
      Home: 0,
      End: last,
    };
    const next = places[event.key];
    if (t < 0 || next === undefined) return;
    event.preventDefault();
    const cell = this.cells[Math.min(last, Math.max(0, next))];
    this.cells[t].tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }
}

/**
 * What a cell shows of a token: blanks as something, and the wide bars of special tokens, which many fonts lack, as plain ones.
 *
 * @param {string} token
 */
function printed(token) {
  return token.replaceAll("\n", "⏎").replaceAll(/^ | $/g, "\u00a0").replaceAll("｜", "|").replaceAll("▁", "_") || "·";
}
