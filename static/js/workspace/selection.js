/**
 * Which points lie inside an outline, fast: the outline is drawn into a raster once and every
 * point looks its cell up; only points in cells that the line itself crosses are tested exactly.
 */
const SIDE = 512;
const OUT = 0;
const IN = 1;
const RIM = 2;

/** Fill an outline (corners in raster units) into SIDE * SIDE cells of OUT, IN and RIM. */
function rasterOf(cx, cy) {
  const cells = new Uint8Array(SIDE * SIDE);
  const corners = cx.length;
  const crossings = new Float64Array(corners);
  for (let row = 0; row < SIDE; row += 1) {
    const middle = row + 0.5;
    let found = 0;
    for (let i = 0, j = corners - 1; i < corners; j = i, i += 1) {
      if (cy[i] > middle === cy[j] > middle) continue;
      const at = cx[i] + ((middle - cy[i]) / (cy[j] - cy[i])) * (cx[j] - cx[i]);
      let place = found;
      while (place && crossings[place - 1] > at) {
        crossings[place] = crossings[place - 1];
        place -= 1;
      }
      crossings[place] = at;
      found += 1;
    }
    for (let i = 0; i + 1 < found; i += 2) {
      cells.fill(IN, row * SIDE + Math.max(0, crossings[i] | 0), row * SIDE + Math.min(SIDE - 1, crossings[i + 1] | 0) + 1);
    }
  }
  for (let i = 0, j = corners - 1; i < corners; j = i, i += 1) rim(cells, cx[j], cy[j], cx[i], cy[i]);
  return cells;
}

/** Mark every cell that an edge touches. */
function rim(cells, ax, ay, bx, by) {
  const first = Math.max(0, Math.floor(Math.min(ay, by)));
  const last = Math.min(SIDE - 1, Math.floor(Math.max(ay, by)));
  const slope = ay === by ? 0 : (bx - ax) / (by - ay);
  const low = Math.min(ay, by);
  const high = Math.max(ay, by);
  for (let row = first; row <= last; row += 1) {
    const from = ay === by ? ax : ax + (Math.max(low, row) - ay) * slope;
    const to = ay === by ? bx : ax + (Math.min(high, row + 1) - ay) * slope;
    const left = Math.max(0, Math.floor(Math.min(from, to) - 1e-6));
    const right = Math.min(SIDE - 1, Math.floor(Math.max(from, to) + 1e-6));
    if (right >= left) cells.fill(RIM, row * SIDE + left, row * SIDE + right + 1);
  }
}

/** Whether a place is inside, by the even-odd rule. */
function isInside(rx, ry, x, y) {
  let odd = false;
  for (let i = 0, j = rx.length - 1; i < rx.length; j = i, i += 1) {
    if (ry[i] > y !== ry[j] > y && x < ((rx[j] - rx[i]) * (y - ry[i])) / (ry[j] - ry[i]) + rx[i]) odd = !odd;
  }
  return odd;
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
  const rx = Float64Array.from(ring, ([x]) => x);
  const ry = Float64Array.from(ring, ([, y]) => y);
  const left = Math.min(...rx);
  const right = Math.max(...rx);
  const top = Math.min(...ry);
  const bottom = Math.max(...ry);
  const across = (SIDE - 2) / Math.max(right - left, 1e-9);
  const down = (SIDE - 2) / Math.max(bottom - top, 1e-9);
  const cells = rasterOf(rx.map((x) => (x - left) * across + 1), ry.map((y) => (y - top) * down + 1));
  const n = xs.length;
  for (let i = 0; i < n; i += 1) {
    const x = xs[i];
    if (x < left || x > right) continue;
    const y = ys[i];
    if (y < top || y > bottom) continue;
    const cell = cells[(((y - top) * down + 1) | 0) * SIDE + (((x - left) * across + 1) | 0)];
    if (cell === OUT) continue;
    mask[i] = cell === IN || isInside(rx, ry, x, y) ? 1 : 0;
  }
  return mask;
}

/** Join a new mask with the one there was: replace, add, or subtract. */
export function joined(old, found, how) {
  if (how === "replace") return found;
  const mask = new Uint8Array(found.length);
  if (!old) return how === "add" ? found : mask;
  for (let i = 0; i < mask.length; i += 1) mask[i] = how === "add" ? old[i] | found[i] : old[i] & (1 - found[i]);
  return mask;
}

/** Count what is chosen: images, those predicted wrongly, and slices they are from. */
export function summaryOf(mask, { slice, label, predicted }, nSlices) {
  const seen = new Uint8Array(nSlices);
  let size = 0;
  let wrong = 0;
  for (let i = 0; i < mask.length; i += 1) {
    if (!mask[i]) continue;
    size += 1;
    if (label[i] !== predicted[i]) wrong += 1;
    seen[slice[i]] = 1;
  }
  return { size, wrong, slices: sizeOf(seen) };
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
