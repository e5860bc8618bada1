// The pictures of the question: chosen, dropped, pasted, or those of an example.
import { byId, make } from "./dom.mjs";

/** The pictures in their order, shown with a button each that takes it away. */
export class Tray {
  constructor() {
    /** @type {Blob[]} */
    this.pictures = [];
    /** @type {string[]} */
    this.urls = [];
    this.list = byId("tray", HTMLUListElement);
  }

  /** @param {readonly Blob[]} pictures */
  show(pictures) {
    for (const url of this.urls) URL.revokeObjectURL(url);
    this.pictures = [...pictures];
    this.urls = this.pictures.map((picture) => URL.createObjectURL(picture));
    this.list.replaceChildren(
      ...this.urls.map((src, i) => {
        const remove = make("button", { type: "button", textContent: "×", title: "Take away" });
        remove.setAttribute("aria-label", `Take away picture ${i + 1}`);
        remove.addEventListener("click", () => {
          this.show(this.pictures.filter((_, other) => other !== i));
          // The button is gone: on to the next one's, or to where a picture is chosen.
          const buttons = this.list.querySelectorAll("button");
          (buttons[Math.min(i, buttons.length - 1)] ?? byId("pick", HTMLInputElement)).focus();
        });
        const name = this.pictures[i] instanceof File ? /** @type {File} */ (this.pictures[i]).name : "";
        const alt = name || `Picture ${i + 1}`;
        const image = make("img", { src, alt });
        image.addEventListener("error", () => image.replaceWith(make("span", { className: "file", textContent: alt })));
        return make("li", {}, [image, remove]);
      }),
    );
  }
}

/**
 * @typedef {{ images: string[], question: string }} Example
 */

/**
 * The examples of the demo model, as buttons; and one that needs no picture.
 *
 * @param {string} folder where they lie
 * @param {(pictures: Blob[], question: string) => void} take
 * @returns {Promise<Example[]>}
 */
export async function offerExamples(folder, take) {
  /** @type {Example[]} */
  const examples = await (await fetch(`${folder}examples.json`)).json();
  const all = [...examples, { images: [], question: "Who are you?" }];
  const list = byId("examples", HTMLUListElement);
  const buttons = all.map(({ images, question }) => {
    const button = make("button", { type: "button", title: question });
    button.setAttribute("aria-label", question);
    button.setAttribute("aria-pressed", "false");
    if (images.length === 0) button.append("no picture");
    button.className = images.length > 1 ? "two" : images.length === 0 ? "word" : "";
    button.append(...images.map((name) => make("img", { src: `${folder}${name}`, alt: "", loading: "lazy" })));
    button.addEventListener("click", async () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      take(await fetchExample(folder, images), question);
    });
    return button;
  });
  list.replaceChildren(...buttons.map((button) => make("li", {}, [button])));
  return examples;
}

/**
 * @param {string} folder
 * @param {readonly string[]} names
 */
export function fetchExample(folder, names) {
  return Promise.all(
    names.map(async (name) => {
      const blob = await (await fetch(`${folder}${name}`)).blob();
      return new File([blob], name, { type: blob.type });
    }),
  );
}

/**
 * Takes what is dropped anywhere on the page, or pasted.
 *
 * @param {(pictures: File[]) => void} takePictures
 * @param {(folder: FileSystemDirectoryEntry) => void} takeFolder
 */
export function takeDrops(takePictures, takeFolder) {
  const veil = byId("veil", HTMLDivElement);
  const hasFiles = (/** @type {DragEvent} */ { dataTransfer }) => dataTransfer?.types.includes("Files") === true;
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) veil.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    // Entries are there only until this handler returns.
    const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
    const folder = entries.find((entry) => entry?.isDirectory);
    if (folder) takeFolder(/** @type {FileSystemDirectoryEntry} */ (folder));
    else if (event.dataTransfer?.files.length) takePictures([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    takePictures(files);
  });
}
