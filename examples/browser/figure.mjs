// The three panels: the squares that go in, the colours of their patches, and what looks like one of them.
import { byId, make } from "./dom.mjs";
import { Similarity } from "./similarity.mjs";

const PANELS = /** @type {const} */ (["square", "features", "similarity"]);

/** Dark to light, of even steps to the eye: low to high similarity. */
const RAMP = [
  [18, 14, 38],
  [74, 20, 92],
  [146, 38, 103],
  [214, 74, 70],
  [247, 144, 47],
  [252, 238, 170],
];

/**
 * What a figure shows.
 *
 * @typedef {object} Seen
 * @property {{ dims: readonly number[], data: Float32Array }} pixels pixel_values [B,N,3,S,S]
 * @property {import("../../dist/entry/browser/index.js").JanusConfig["preprocess"]} preprocess how the levels became pixel_values
 * @property {Float32Array} features image_features [n,P,W]
 * @property {number} width W
 * @property {number} grid patches along a side
 * @property {number} patchSize pixels along the side of a patch
 */

export class Figure {
  /** @param {(patch: number) => void} onPatch is told of a patch, counted through all pictures, that was pointed at */
  constructor(onPatch) {
    this.onPatch = onPatch;
    /** By panel, one for each picture. @type {Record<(typeof PANELS)[number], HTMLElement[]>} */
    this.squares = { square: [], features: [], similarity: [] };
    this.patch = -1;
    drawScale();
  }

  /** @param {Seen} seen */
  show(seen) {
    this.seen = seen;
    this.similarity = new Similarity(seen.features, seen.width);
    const size = seen.pixels.dims[4];
    const count = seen.features.length / seen.width / seen.grid ** 2;
    for (const name of PANELS) {
      const squares = Array.from({ length: count }, (_, picture) => this.#makeSquare(name, picture, count));
      byId(name, HTMLDivElement).replaceChildren(...squares);
      this.squares[name] = squares;
    }
    for (let picture = 0; picture < count; picture++) {
      const image = squarePixels(seen, picture);
      for (const name of PANELS) draw(this.squares[name][picture], "base", size, image);
    }
    byId("square-note", HTMLSpanElement).textContent =
      `Padded to a square of ${size}\u00a0×\u00a0${size} pixels, cut into ${seen.grid}\u00a0×\u00a0${seen.grid} patches of ${seen.patchSize}.`;
    this.patch = -1;
  }

  /** @param {Uint8ClampedArray} colours [patches, 3] */
  colour(colours) {
    this.#overlay("features", (patch) => [...colours.subarray(patch * 3, patch * 3 + 3), 255]);
  }

  /**
   * Points at a patch: outlines it everywhere and shows what is like it.
   *
   * @param {number} patch
   * @returns {string} what to say of it
   */
  point(patch) {
    const { seen, similarity } = this;
    if (!seen || !similarity) return "";
    const { grid, patchSize } = seen;
    this.patch = patch;
    const cosines = similarity.to(patch);
    const low = cosines.reduce((least, cosine) => Math.min(least, cosine), 1);
    this.#overlay("similarity", (p) => [...ramp(low < 1 ? (cosines[p] - low) / (1 - low) : 1), 255]);
    byId("scale-low", HTMLSpanElement).textContent = low.toFixed(2);
    const [picture, place] = [Math.floor(patch / grid ** 2), patch % grid ** 2];
    const [row, column] = [Math.floor(place / grid), place % grid];
    const share = (100 * patchSize) / seen.pixels.dims[4];
    for (const name of PANELS) {
      for (const [i, square] of this.squares[name].entries()) {
        const mark = /** @type {HTMLElement} */ (square.lastElementChild);
        mark.hidden = i !== picture;
        Object.assign(mark.style, {
          left: `${column * share}%`,
          top: `${row * share}%`,
          width: `${share}%`,
          height: `${share}%`,
        });
      }
    }
    const closest = [...cosines.keys()].filter((p) => p !== patch).sort((a, b) => cosines[b] - cosines[a])[0];
    const of = this.squares.square.length > 1 ? ` of picture ${picture + 1}` : "";
    if (closest === undefined) return `row ${row + 1}, column ${column + 1}${of}`;
    const near = closest % grid ** 2;
    return (
      `Row ${row + 1}, column ${column + 1}${of}. Most alike: row ${Math.floor(near / grid) + 1}, column ${(near % grid) + 1}` +
      `${this.squares.square.length > 1 ? ` of picture ${Math.floor(closest / grid ** 2) + 1}` : ""}, cosine ${cosines[closest].toFixed(3)}; least: ${low.toFixed(3)}.`
    );
  }

  /**
   * @param {(typeof PANELS)[number]} name
   * @param {number} picture
   * @param {number} count
   */
  #makeSquare(name, picture, count) {
    const square = make("div", { className: "square" }, [
      make("canvas", { className: "base" }),
      make("canvas", { className: "over", hidden: true }),
      make("span", { className: "mark-patch", hidden: true }),
    ]);
    const at = (/** @type {PointerEvent} */ { clientX, clientY }) => {
      const { seen } = this;
      if (!seen) return;
      const { left, top, width, height } = square.getBoundingClientRect();
      const step = seen.patchSize / seen.pixels.dims[4];
      const cell = (/** @type {number} */ share) => Math.min(seen.grid - 1, Math.max(0, Math.floor(share / step)));
      const [row, column] = [cell((clientY - top) / height), cell((clientX - left) / width)];
      this.#turnTo(picture * seen.grid ** 2 + row * seen.grid + column);
    };
    square.addEventListener("pointermove", at);
    square.addEventListener("pointerdown", at);
    if (name !== "similarity") return square;
    square.tabIndex = 0;
    square.setAttribute("role", "application");
    square.setAttribute(
      "aria-label",
      `Patches${count > 1 ? ` of picture ${picture + 1}` : ""}: the arrow keys choose one`,
    );
    square.setAttribute("aria-describedby", "patch-line");
    square.addEventListener("keydown", (event) => {
      const { seen } = this;
      if (!seen) return;
      const first = picture * seen.grid ** 2;
      const place = Math.floor(this.patch / seen.grid ** 2) === picture ? this.patch - first : 0;
      const next = step(place, event.key, seen.grid, seen.grid ** 2);
      if (next === undefined) return;
      event.preventDefault();
      this.#turnTo(first + next);
    });
    return square;
  }

  /** @param {number} patch */
  #turnTo(patch) {
    if (patch !== this.patch) this.onPatch(patch);
  }

  /**
   * One pixel for a patch, stretched over the part of the square that patches cover.
   *
   * @param {(typeof PANELS)[number]} name
   * @param {(patch: number) => number[]} colourOf RGBA
   */
  #overlay(name, colourOf) {
    const { seen } = this;
    if (!seen) return;
    const { grid, patchSize } = seen;
    for (const [picture, square] of this.squares[name].entries()) {
      const image = new ImageData(grid, grid);
      for (let p = 0; p < grid ** 2; p++) image.data.set(colourOf(picture * grid ** 2 + p), p * 4);
      const canvas = draw(square, "over", grid, image);
      canvas.hidden = false;
      const covered = `${(100 * grid * patchSize) / seen.pixels.dims[4]}%`;
      Object.assign(canvas.style, { width: covered, height: covered });
    }
  }
}

/**
 * Where a key leads in a grid, row by row; undefined for keys that lead nowhere.
 *
 * @param {number} place
 * @param {string} key
 * @param {number} columns
 * @param {number} count
 */
export function step(place, key, columns, count) {
  /** @type {Record<string, number>} */
  const places = {
    ArrowLeft: place - 1,
    ArrowRight: place + 1,
    ArrowUp: place - columns,
    ArrowDown: place + columns,
    Home: 0,
    End: count - 1,
  };
  const next = places[key];
  return next === undefined ? undefined : next < 0 || next >= count ? place : next;
}

/**
 * The levels that pixel_values were made of, exactly.
 *
 * @param {Seen} seen
 * @param {number} picture
 */
function squarePixels({ pixels, preprocess: { mean, std, doNormalize, rescaleFactor } }, picture) {
  const size = pixels.dims[4];
  const image = new ImageData(size, size);
  const plane = size ** 2;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) {
      const value = pixels.data[(picture * 3 + c) * plane + i];
      image.data[i * 4 + c] = Math.round((doNormalize ? value * std[c] + mean[c] : value) / rescaleFactor);
    }
    image.data[i * 4 + 3] = 255;
  }
  return image;
}

/**
 * @param {HTMLElement} square
 * @param {string} layer
 * @param {number} side
 * @param {ImageData} image
 */
function draw(square, layer, side, image) {
  const canvas = /** @type {HTMLCanvasElement} */ (square.querySelector(`.${layer}`));
  if (canvas.width !== side || canvas.height !== side) Object.assign(canvas, { width: side, height: side });
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/**
 * @param {number} share 0 to 1
 * @returns {number[]} RGB
 */
function ramp(share) {
  const place = share * (RAMP.length - 1);
  const below = Math.min(RAMP.length - 2, Math.floor(place));
  return RAMP[below].map((level, c) => Math.round(level + (place - below) * (RAMP[below + 1][c] - level)));
}

function drawScale() {
  const canvas = byId("scale", HTMLCanvasElement);
  const image = new ImageData(canvas.width, 1);
  for (let i = 0; i < canvas.width; i++) image.data.set([...ramp(i / (canvas.width - 1)), 255], i * 4);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}
