/**
 * Plane geometry of the mosaic: rings of [x, y], boxes, hulls. Pure functions.
 */

/** The box of some rings: x, y, width, height. */
export function boxOf(rings) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const ring of rings) {
    for (const [x, y] of ring) {
      left = Math.min(left, x);
      top = Math.min(top, y);
      right = Math.max(right, x);
      bottom = Math.max(bottom, y);
    }
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** Twice the signed area of a ring; positive when it turns from x towards y. */
export function doubleArea(ring) {
  let sum = 0;
  for (let i = 0; i < ring.length; i += 1) {
    const [ax, ay] = ring[i];
    const [bx, by] = ring[(i + 1) % ring.length];
    sum += ax * by - bx * ay;
  }
  return sum;
}

/** The middle of mass of a ring; the mean of its corners when it has no area. */
export function middleOf(ring) {
  const area = doubleArea(ring);
  let [x, y] = [0, 0];
  if (Math.abs(area) < 1e-9) {
    for (const [px, py] of ring) [x, y] = [x + px / ring.length, y + py / ring.length];
    return [x, y];
  }
  for (let i = 0; i < ring.length; i += 1) {
    const [ax, ay] = ring[i];
    const [bx, by] = ring[(i + 1) % ring.length];
    const cross = ax * by - bx * ay;
    x += (ax + bx) * cross;
    y += (ay + by) * cross;
  }
  return [x / (3 * area), y / (3 * area)];
}

/** Shrink a convex ring by a margin; empty if nothing is left. */
export function inset(ring, margin) {
  const turning = Math.sign(doubleArea(ring)) || 1;
  let left = ring;
  for (let i = 0; i < ring.length && left.length; i += 1) {
    const [ax, ay] = ring[i];
    const [bx, by] = ring[(i + 1) % ring.length];
    const length = Math.hypot(bx - ax, by - ay);
    if (length < 1e-9) continue;
    const nx = (-(by - ay) / length) * turning;
    const ny = ((bx - ax) / length) * turning;
    left = keepSide(left, ([x, y]) => (x - ax) * nx + (y - ay) * ny - margin);
  }
  return left;
}

/** Cut a convex ring by a half plane given as a signed distance. */
function keepSide(ring, distance) {
  const kept = [];
  for (let i = 0; i < ring.length; i += 1) {
    const here = ring[i];
    const next = ring[(i + 1) % ring.length];
    const d = distance(here);
    const e = distance(next);
    if (d >= 0) kept.push(here);
    if (d >= 0 !== e >= 0) {
      const t = d / (d - e);
      kept.push([here[0] + (next[0] - here[0]) * t, here[1] + (next[1] - here[1]) * t]);
    }
  }
  return kept;
}

/** A circle as a ring of 24 corners, for slices without an area. */
export function disc([x, y], radius) {
  return Array.from({ length: 24 }, (_, i) => {
    const angle = (i / 24) * 2 * Math.PI;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
}

/** The convex hull of points, by Andrew's monotone chain; fewer than three corners: no area. */
export function hullOf(points) {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const turn = (o, a, b) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
  const chain = (list) => {
    const line = [];
    for (const point of list) {
      while (line.length > 1 && turn(line.at(-2), line.at(-1), point) <= 0) line.pop();
      line.push(point);
    }
    line.pop();
    return line;
  };
  return sorted.length < 3 ? sorted : [...chain(sorted), ...chain(sorted.reverse())];
}

/** Path data of some rings. */
export function pathOf(rings) {
  const number = (value) => Math.round(value * 100) / 100;
  return rings
    .map((ring) => `M${ring.map(([x, y]) => `${number(x)} ${number(y)}`).join("L")}Z`)
    .join("");
}

/**
 * Which of some places lies next in a direction: nearness along it, and 2.2 times across it.
 *
 * @param {number} from Index of the place to go from.
 * @param {[number, number][]} places
 * @param {[number, number]} way Unit step, as [1, 0] for the right.
 * @returns {number} Index, or -1 when there is nothing that way.
 */
export function nextTowards(from, places, [dx, dy]) {
  const [ax, ay] = places[from];
  let best = -1;
  let least = Infinity;
  places.forEach(([x, y], index) => {
    if (index === from) return;
    const along = (x - ax) * dx + (y - ay) * dy;
    const across = Math.abs((x - ax) * dy - (y - ay) * dx);
    if (along <= 1e-6) return;
    const far = along + 2.2 * across;
    if (far < least) [least, best] = [far, index];
  });
  return best;
}

/** Where a ring begins and ends along a level line; null if the line misses it. */
export function chordOf(ring, y) {
  const at = [];
  for (let i = 0; i < ring.length; i += 1) {
    const [ax, ay] = ring[i];
    const [bx, by] = ring[(i + 1) % ring.length];
    if (ay > y !== by > y) at.push(ax + ((y - ay) / (by - ay)) * (bx - ax));
  }
  return at.length ? [Math.min(...at), Math.max(...at)] : null;
}
