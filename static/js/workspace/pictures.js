/**
 * Pictures of images with their highlight, and where lists of images come from.
 */
import { drawHeat } from "../heatmap.js";
import { KINDS, percent } from "./model.js";
import { read } from "./wire.js";

const SIDE = 112;
const HALF_MAXIMUM = 0.5;
const MOST_KEPT = 200;
const drawn = new WeakMap();

/** The overlay as drawHeat takes it; null when it is switched off. */
export function heatOptions({ opacity, threshold, contour, shown }) {
  if (!shown) return null;
  const from = threshold / 100;
  return { opacity: opacity / 100, threshold: from, contour: contour ? from || HALF_MAXIMUM : null };
}

/** Draw an image's highlight on a canvas; hides the canvas when there is none to draw. */
export function drawOn(canvas, image, overlay) {
  const options = heatOptions(overlay);
  const { grid, side, dead } = image.heat;
  canvas.hidden = !options || dead || !drawHeat(canvas, grid, side, options);
}

/** What is said of an image in a few words. */
export function captionOf(image, model) {
  const sure = percent(image.confidence);
  const truth = model.className(image.label);
  return image.label === image.predicted ? `✓ ${truth} · ${sure}` : `✗ is ${truth}, said ${model.className(image.predicted)} · ${sure}`;
}

/**
 * A picture with its highlight.
 *
 * @param {object} image As the server tells it.
 * @param {object} model
 * @param {object} overlay The store's state.
 * @param {{bare?: boolean}} [how] Without caption.
 */
export function pictureOf(image, model, overlay, { bare = false } = {}) {
  const box = Object.assign(document.createElement("div"), { className: "picture" });
  const photo = Object.assign(document.createElement("img"), {
    alt: bare ? "" : `Image ${image.name}`,
    src: image.thumb,
    width: SIDE,
    height: SIDE,
    loading: "lazy",
    decoding: "async",
  });
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  canvas.setAttribute("aria-hidden", "true");
  canvas.dataset.heat = "";
  drawn.set(canvas, image);
  const draw = () => {
    canvas.height = Math.max(1, Math.round((SIDE * photo.naturalHeight) / Math.max(1, photo.naturalWidth)));
    drawOn(canvas, image, overlay);
  };
  if (photo.complete && photo.naturalWidth) draw();
  else photo.addEventListener("load", draw, { once: true });
  photo.addEventListener("error", () => box.classList.add("is-missing"), { once: true });
  box.append(photo, canvas);
  if (image.heat.dead) box.append(Object.assign(document.createElement("span"), { className: "picture__dead", textContent: "No positive attention" }));
  if (!bare) return figureOf(box, image, model);
  return box;
}

function figureOf(box, image, model) {
  const figure = document.createElement("figure");
  const caption = Object.assign(document.createElement("figcaption"), { className: "picture-caption", textContent: captionOf(image, model) });
  if (image.label !== image.predicted) caption.classList.add("is-wrong");
  const own = KINDS[model.imageMarks.get(image.index)];
  if (own) caption.append(Object.assign(document.createElement("span"), { className: "ws-own-mark", textContent: ` ${own.glyph} ${own.name} by hand` }));
  if (image.flagged?.label_is_wrong) caption.append(Object.assign(document.createElement("span"), { className: "ws-flagged", textContent: " ⚑ label wrong" }));
  figure.append(box, caption);
  return figure;
}

/** Draw all pictures below an element anew, as after a slider moved. */
export function redraw(root, overlay) {
  for (const canvas of root.querySelectorAll("canvas[data-heat]")) {
    if (drawn.has(canvas)) drawOn(canvas, drawn.get(canvas), overlay);
  }
}

/** Lists of images from the server, each asked for once. */
export class ImageLists {
  constructor(model) {
    this.model = model;
    this.kept = new Map();
  }

  forget() {
    this.kept = new Map(); // what is still under way belongs to the old one
  }

  /** A page of a slice's images in an order, or of those in a cell. */
  ofSlice(number, { order = "typical", page = 1, cell = null } = {}, options = {}) {
    const given = new URLSearchParams({ order, page: String(page) });
    if (cell) given.set("cell", cell.join("."));
    return this.#get(`${this.model.urls.images.replace("/slices/0/", `/slices/${number}/`)}?${given}`, options);
  }

  /** Some images by their row. */
  async some(rows, options = {}) {
    if (!rows.length) return { images: [], pages: 1, page: 1, n: 0 };
    return this.#get(`${this.model.urls.images_at.split("?")[0]}?at=${rows.join(",")}`, options);
  }

  async #get(url, { signal } = {}) {
    const { kept } = this;
    if (!kept.has(url)) {
      const { revision } = this.model;
      const found = await read(url, { signal });
      for (const image of found.images) image.revision = revision; // its score is of these marks, or later ones
      if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
      kept.set(url, found);
    }
    return kept.get(url);
  }
}
