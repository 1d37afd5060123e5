/**
 * The tiles: few, so each is an element with a name that a reader speaks. During a gesture the
 * whole drawing is moved as one; it is drawn anew when the hand rests.
 */
import { css } from "./colours.js";
import { pathOf } from "./geometry.js";
import { KINDS, sentenceOf, spuriousness } from "./model.js";

export const SVG = "http://www.w3.org/2000/svg";
const PICTURE_FROM = 28;
const LABEL_FROM = 34;
const BEYOND = 0.25;
/** So many tiles change colour slowly; more of them at once. */
const SLOWLY_UP_TO = 120;

/** Make an SVG element with attributes. */
export function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Set an attribute where it is another one: also the same value anew makes the browser style anew. */
function put(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** The picture of a slice, covering a box. */
export function pictureIn(box, clip) {
  const side = Math.max(box.width, box.height);
  return shape("image", {
    x: box.x + (box.width - side) / 2,
    y: box.y + (box.height - side) / 2,
    width: side,
    height: side,
    preserveAspectRatio: "xMidYMid slice",
    "clip-path": `url(#${clip})`,
  });
}

export class Tiles {
  constructor(svg) {
    this.svg = svg;
    this.view = svg.querySelector("[data-view]");
    this.defs = svg.querySelector("defs");
    this.tiles = svg.querySelector("[data-group=tiles]");
    this.labels = svg.querySelector("[data-group=labels]");
    this.parts = new Map();
    this.drawn = { k: 1, x: 0, y: 0 };
  }

  /** Build all tiles of a scene. */
  build(scene, model) {
    this.scene = scene;
    this.model = model;
    this.parts.clear();
    const defs = [hatching()];
    const tiles = [];
    const labels = [];
    for (const slice of model.slices) {
      const tile = scene.tiles.get(slice.number);
      const d = pathOf(tile.rings);
      const clip = `ws-clip-${slice.number}`;
      defs.push(shape("clipPath", { id: clip }, shape("path", { d })));
      const image = pictureIn(tile.box, clip);
      const ground = shape("path", { d, class: "ws-tile__ground" });
      const outline = shape("path", { d, class: "ws-tile__line", "vector-effect": "non-scaling-stroke" });
      const group = shape("g", { class: "ws-tile", id: `ws-tile-${slice.number}`, role: "option", "data-number": slice.number }, ground, image, outline);
      const label = shape("text", { x: tile.corner[0], y: tile.corner[1], dx: "0.35em", dy: "1em" });
      tiles.push(group);
      labels.push(label);
      this.parts.set(slice.number, { slice, tile, image, ground, outline, group, label, isSmall: null });
    }
    this.defs.replaceChildren(...defs);
    this.tiles.replaceChildren(...tiles);
    this.labels.replaceChildren(...labels);
    this.svg.classList.toggle("is-map", scene.isTrue);
    this.svg.classList.toggle("is-many", this.parts.size > SLOWLY_UP_TO);
  }

  /**
   * Colour, dash, name and choose.
   *
   * @param {{colourAt: (slice: object) => number[]|null, encoding: string, active: number|null,
   *   also: Set<number>, passes: (slice: object) => boolean}} looks
   */
  style({ colourAt, encoding, active, also, passes }) {
    for (const [number, { slice, outline, ground, group, label }] of this.parts) {
      const colour = colourAt(slice);
      const isSpread = encoding === "spuriousness" && !slice.mark && colour !== null;
      put(outline, "stroke", colour ? css(colour) : "currentColor");
      put(ground, "fill", colour ? css(colour) : "transparent");
      outline.classList.toggle("is-dashed", isSpread);
      outline.classList.toggle("is-thin", colour === null);
      const isActive = number === active;
      group.classList.toggle("is-active", isActive);
      group.classList.toggle("is-also", also.has(number));
      group.classList.toggle("is-out", !passes(slice));
      put(group, "aria-selected", String(isActive || also.has(number)));
      put(group, "aria-label", sentenceOf(slice, this.model));
      const words = `${number}${slice.mark ? ` ${KINDS[slice.mark.kind]?.glyph ?? ""}` : leaning(slice, encoding, this.model)}`;
      if (label.textContent !== words) label.textContent = words;
      label.classList.toggle("is-out", !passes(slice));
    }
    if (active !== null && this.parts.has(active)) {
      this.svg.setAttribute("aria-activedescendant", `ws-tile-${active}`);
      const { group } = this.parts.get(active);
      if (group !== this.tiles.lastChild && !group.contains(document.activeElement)) this.raised = group;
    } else {
      this.svg.removeAttribute("aria-activedescendant");
    }
  }

  /** Move the drawing as it is: for every frame of a gesture. */
  move(view) {
    const k = view.k / this.drawn.k;
    const x = view.x - this.drawn.x * k;
    const y = view.y - this.drawn.y * k;
    this.svg.style.transform = `translate(${x}px,${y}px) scale(${k})`;
  }

  /** Draw at a view for good, with as much detail as there is room for; pictures on demand. */
  rest(view, width, height, { hasPictures = true } = {}) {
    this.drawn = { ...view };
    this.svg.style.transform = "";
    this.view.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
    this.labels.setAttribute("font-size", 12 / view.k);
    this.labels.setAttribute("stroke-width", 3 / view.k);
    const sides = [];
    for (const part of this.parts.values()) {
      const { box } = part.tile;
      const side = Math.min(box.width, box.height) * view.k;
      sides.push(side);
      this.#detail(part, side, hasPictures && isNear(box, view, width, height));
    }
    sides.sort((a, b) => a - b);
    const median = sides[sides.length >> 1] ?? 100;
    this.svg.style.setProperty("--ws-edge", `${Math.min(3.5, Math.max(1, median / 16)).toFixed(2)}px`);
  }

  #detail(part, side, isSeen) {
    const isSmall = side < PICTURE_FROM || !part.slice.picture;
    if (part.isSmall !== isSmall) {
      part.isSmall = isSmall;
      part.group.classList.toggle("is-small", side < PICTURE_FROM);
      part.group.classList.toggle("is-bare", side >= PICTURE_FROM && !part.slice.picture);
    }
    part.label.classList.toggle("is-hidden", side < LABEL_FROM);
    part.label.classList.toggle("is-plain", isSmall);
    if (!isSmall && isSeen && !part.image.hasAttribute("href")) part.image.setAttribute("href", part.slice.picture);
  }
}

/** Propagated scores lean to one side; the sign says which, hollow. */
function leaning(slice, encoding, model) {
  const far = spuriousness(slice);
  if (encoding !== "spuriousness" || far === null || !model.hasMarks) return "";
  return far > 0.6 ? " △" : far < 0.4 ? " ○" : "";
}

function isNear({ x, y, width, height }, view, across, down) {
  const left = x * view.k + view.x;
  const top = y * view.k + view.y;
  return (
    left + width * view.k > -BEYOND * across &&
    left < (1 + BEYOND) * across &&
    top + height * view.k > -BEYOND * down &&
    top < (1 + BEYOND) * down
  );
}

/** What stands where a picture is not made yet. */
function hatching() {
  const line = shape("path", { d: "M0 8L8 0M-2 2L2 -2M6 10L10 6", class: "ws-hatch" });
  return shape("pattern", { id: "ws-hatching", width: 8, height: 8, patternUnits: "userSpaceOnUse" }, line);
}
