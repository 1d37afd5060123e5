/**
 * The two layouts in drawing units: Map, where near means looked at alike, on one scale for both
 * axes; and Even, an index of tiles of like size. The longer side measures 1000 units.
 */
import { boxOf, chordOf, disc, inset, middleOf } from "./geometry.js";

const LONGER_SIDE = 1000;
const LEAST_RADIUS = 4;
const MOST_STRETCH = 1.5;
const DEPTHS = [0.02, 0.08, 0.14, 0.2, 0.26];
const ROOM = 0.45;

/**
 * @typedef {object} Tile
 * @property {[number, number][][]} rings Outline.
 * @property {{x: number, y: number, width: number, height: number}} box
 * @property {[number, number]} middle
 * @property {[number, number]} corner Where its number is written.
 */

/** Lay the slices out; the index stretches a little towards the shape of its stage. */
export function sceneOf(model, layout, shape = null) {
  return layout === "map" ? mapScene(model) : evenScene(model, shape);
}

/** The way from plotted coordinates to drawing units. */
export function frameOf(bounds) {
  const [x0, y0, x1, y1] = bounds;
  const scale = LONGER_SIDE / Math.max(x1 - x0, y1 - y0, 1e-9);
  return { x0, y0, scale, width: Math.max((x1 - x0) * scale, 1), height: Math.max((y1 - y0) * scale, 1) };
}

function mapScene(model) {
  const { x0, y0, scale, width, height } = frameOf(model.payload.bounds);
  const place = ([x, y]) => [(x - x0) * scale, (y - y0) * scale];
  const tiles = new Map();
  for (const slice of model.slices) {
    const { shape } = slice;
    const round = (middle, radius) => disc(place(middle), Math.max(LEAST_RADIUS, radius * scale));
    const rings = (shape.rings ?? []).map((ring) => ring.map(place));
    for (const { middle, radius } of shape.discs ?? []) rings.push(round(middle, radius));
    if (!rings.length) rings.push(round(shape.middle ?? slice.middle, shape.radius ?? 0));
    tiles.set(slice.number, tileOf(rings));
  }
  return { layout: "map", width, height, tiles, central: centralOf(model.payload, place), isTrue: true };
}

/** Where all but a few images lie, in drawing units; null where no image is far from the others. */
function centralOf({ fit }, place) {
  if (!fit?.outside) return null;
  const [x0, y0, x1, y1] = fit.bounds;
  const [[left, top], [right, bottom]] = [place([x0, y0]), place([x1, y1])];
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function evenScene(model, shape) {
  const made = model.payload.even_aspect || 1;
  const aspect = shape ? Math.min(made * MOST_STRETCH, Math.max(made / MOST_STRETCH, shape)) : made;
  const width = aspect >= 1 ? LONGER_SIDE : LONGER_SIDE * aspect;
  const height = aspect >= 1 ? LONGER_SIDE / aspect : LONGER_SIDE;
  const margin = Math.min(4, Math.max(0.6, 0.02 * Math.sqrt((width * height) / Math.max(1, model.slices.length))));
  const tiles = new Map();
  for (const slice of model.slices) {
    const ring = slice.tile.map(([x, y]) => [x * width, y * height]);
    const shrunk = inset(ring, margin);
    tiles.set(slice.number, tileOf([shrunk.length > 2 ? shrunk : ring]));
  }
  return { layout: "even", width, height, tiles, isTrue: false };
}

/** @returns {Tile} */
function tileOf(rings) {
  const largest = rings.reduce((best, ring) => (boxArea(ring) > boxArea(best) ? ring : best));
  const middle = middleOf(largest);
  return { rings, box: boxOf(rings), middle, corner: cornerOf(largest) };
}

/** As far up and left as there is room for a number. */
function cornerOf(ring) {
  const box = boxOf([ring]);
  let corner = [box.x, box.y];
  for (const depth of DEPTHS) {
    const y = box.y + depth * box.height;
    const chord = chordOf(ring, y);
    if (!chord) continue;
    corner = [chord[0], y];
    if (chord[1] - chord[0] >= ROOM * box.width) break;
  }
  return corner;
}

function boxArea(ring) {
  const { width, height } = boxOf([ring]);
  return width * height;
}

/** The median of the tiles' shorter sides, in drawing units. */
export function medianSide(scene) {
  const sides = [...scene.tiles.values()].map(({ box }) => Math.min(box.width, box.height)).sort((a, b) => a - b);
  return sides.length ? sides[sides.length >> 1] : 0;
}

/**
 * How a scene fits a stage: scale and offset in pixels, and the least scale to zoom out to, at
 * which everything is seen. `isCentral` fits where nearly all images lie.
 */
export function fitted(scene, width, height, { isCentral = false, margin = 14 } = {}) {
  const scaleOf = (box) => Math.max(1e-3, Math.min((width - 2 * margin) / box.width, (height - 2 * margin) / box.height));
  const box = (isCentral && scene.central) || { x: 0, y: 0, width: scene.width, height: scene.height };
  const k = scaleOf(box);
  return { k, x: width / 2 - (box.x + box.width / 2) * k, y: height / 2 - (box.y + box.height / 2) * k, least: scaleOf(scene) * 0.4 };
}

/** Zoom about a place of the stage, within limits. */
export function zoomed(view, factor, x, y, fit) {
  const k = Math.min(fit.k * 60, Math.max(fit.least, view.k * factor));
  return { k, x: x - ((x - view.x) * k) / view.k, y: y - ((y - view.y) * k) / view.k };
}
