/**
 * Which points lie inside an outline, fast: the outline is drawn into a raster once and every
 * point looks its cell up; only points in cells that the line itself crosses are tested exactly.
 */
import { inside } from "./geometry.js";

const SIDE = 1024;
const OUT = 0;
const IN = 1;
const RIM = 2;

/** Fill an outline (in raster units) into SIDE * SIDE cells of OUT, IN and RIM. */
function rasterOf(ring) {
  const cells = new Uint8Array(SIDE * SIDE);
  const crossings = Array.from({ length: SIDE }, () => []);
  const edges = ring.map((from, i) => [from, ring[(i + 1) % ring.length]]);
  for (const [[ax, ay], [bx, by]] of edges) {
    const [low, high] = ay < by ? [ay, by] : [by, ay];
    for (let row = Math.max(0, Math.ceil(low - 0.5)); row < Math.min(SIDE, Math.ceil(high - 0.5)); row += 1) {
      crossings[row].push(ax + ((row + 0.5 - ay) / (by - ay)) * (bx - ax));
    }
  }
  crossings.forEach((at, row) => {
    at.sort((a, b) => a - b);
    for (let i = 0; i + 1 < at.length; i += 2) {
      const from = Math.max(0, Math.floor(at[i]));
      const to = Math.min(SIDE - 1, Math.floor(at[i + 1]));
      if (to >= from) cells.fill(IN, row * SIDE + from, row * SIDE + to + 1);
    }
  });
  for (const edge of edges) rim(cells, edge);
  return cells;
}

/** Mark every cell that an edge touches. */
function rim(cells, [[ax, ay], [bx, by]]) {
  const first = Math.max(0, Math.floor(Math.min(ay, by)));
  const last = Math.min(SIDE - 1, Math.floor(Math.max(ay, by)));
  for (let row = first; row <= last; row += 1) {
    let [from, to] = [ax, bx];
    if (ay !== by) {
      const share = (y) => Math.min(1, Math.max(0, (y - ay) / (by - ay)));
      from = ax + share(row) * (bx - ax);
      to = ax + share(row + 1) * (bx - ax);
    }
    const left = Math.max(0, Math.floor(Math.min(from, to) - 1e-6));
    const right = Math.min(SIDE - 1, Math.floor(Math.max(from, to) + 1e-6));
    if (right >= left) cells.fill(RIM, row * SIDE + left, row * SIDE + right + 1);
  }
}

/**
 * Say for every point whether it lies inside an outline.
 *
 * @param {Float32Array} xs
 * @param {Float32Array} ys
 * @param {[number, number][]} ring Outline in the same units; closed by itself.
 * @returns {Uint8Array} 1 inside, 0 outside.
 */
export function pointsInside(xs, ys, ring) {
  const mask = new Uint8Array(xs.length);
  if (ring.length < 3) return mask;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of ring) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const across = (SIDE - 2) / Math.max(right - left, 1e-9);
  const down = (SIDE - 2) / Math.max(bottom - top, 1e-9);
  const cells = rasterOf(ring.map(([x, y]) => [(x - left) * across + 1, (y - top) * down + 1]));
  for (let i = 0; i < xs.length; i += 1) {
    const x = xs[i];
    const y = ys[i];
    if (x < left || x > right || y < top || y > bottom) continue;
    const cell = cells[(((y - top) * down + 1) | 0) * SIDE + (((x - left) * across + 1) | 0)];
    if (cell === IN || (cell === RIM && inside(ring, x, y))) mask[i] = 1;
  }
  return mask;
}

/** Join a new mask with the one there was: replace, add, or subtract. */
export function joined(old, found, how) {
  if (!old || how === "replace") return found;
  const mask = new Uint8Array(found.length);
  for (let i = 0; i < mask.length; i += 1) mask[i] = how === "add" ? old[i] | found[i] : old[i] & (1 - found[i]);
  return mask;
}

/** How many are chosen. */
export function sizeOf(mask) {
  let n = 0;
  for (let i = 0; i < mask.length; i += 1) n += mask[i];
  return n;
}

/** Indices of what is chosen. */
export function indicesOf(mask) {
  const found = [];
  for (let i = 0; i < mask.length; i += 1) if (mask[i]) found.push(i);
  return found;
}
