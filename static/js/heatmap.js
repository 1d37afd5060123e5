/**
 * Attention maps drawn over pictures: a small grid of uint8 in, pixels out.
 *
 * The value is interpolated first and coloured afterwards, with half-pixel centres, as
 * torch.nn.functional.interpolate(mode="bilinear", align_corners=False) does. Everything but
 * `drawHeat` is a pure function of its arguments.
 */

/** 256 colours, three bytes each, as matplotlib publishes them (CC0). */
const TABLES = {
  inferno:
    "AAADAAAEAAAGAQAHAQEJAQELAgEOAgIQAwISBAMUBAMWBQQYBgQbBwUdCAYfCQYhCgcjCwcmDQgoDggqDwktEAkvEg" +
    "oyEwo0FAs2Fgs5Fws7GQs+GgtAHAxDHQxFHwxHIAxKIgtMJAtOJgtQJwtSKQtUKwpWLQpYLgpaMApcMgldNAlfNQlg" +
    "NwlhOQliOwlkPAllPglmQAlmQQlnQwpoRQppRgppSAtqSgtqSwxrTQxrTw1sUA1sUg5sUw5tVQ9tVw9tWBBtWhFtWx" +
    "FuXRJuXxJuYBNuYhRuYxRuZRVuZhVuaBZuahduaxdubRhubhhucBluchltcxptdRttdhtteBxtehxtex1sfR1sfh5s" +
    "gB9rgR9rgyBrhSBqhiFqiCFqiSJpiyJpjSNpjiRokCRokSVnkyVnlSZmliZmmCdlmShkmyhknCljniljoCpioSthoy" +
    "thpCxgpixfpy1fqS5eqy5drC9crjBbrzFbsTFasjJZtDNYtTNXtzRWuDVWujZVuzdUvTdTvjhSvzlRwTpQwjtPxDxO" +
    "xT1Nxz5MyD5LyT9Ky0BJzEFIzUJHz0RG0EVE0UZD0kdC1EhB1UlA1ko/10s+2U092k4720863FA53VI43lM331Q24F" +
    "Y04lcz41gy5Fox5Vsw5lwu5l4t518s6GEr6WIq6mQo62Un7Gcm7Wgl7Woj7mwi720h8G8f8HAe8XId8nQc8nUa83cZ" +
    "83kY9HoW9XwV9X4U9oAS9oER94MQ94UO+IcN+IgM+IoL+YwJ+Y4I+ZAI+pEH+pMG+pUG+pcG+5kG+5sG+50G+54H+6" +
    "AH+6II+6QK+6YL+6gN+6oO+6wQ+64S+7AU+7EW+7MY+7Ua+7cc+7ke+rsh+r0j+r8l+sEo+cMq+cUs+ccv+Mkx+Ms0" +
    "+M03988699E89tM/9tVC9ddF9dlI9NtL9NxP895S8+BW8+JZ8uRd8uZg8ehk8elo8ets8e1w8e508fB58fJ98vOB8v" +
    "SF8/aJ9PeN9fiR9vqV9/uZ+fyd+v2g/P6k",
};

const DEFAULTS = { opacity: 0.75, threshold: 0, contour: null, map: "inferno" };
const tables = new Map();

/** Decode base64 into bytes. */
export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Give the 768 bytes of a colour map; "grey" is made, inferno is the published table. */
export function coloursOf(map) {
  if (!tables.has(map)) {
    if (map === "grey") tables.set(map, Uint8Array.from({ length: 768 }, (_, i) => (i / 3) | 0));
    else if (map in TABLES) tables.set(map, bytesOf(TABLES[map]));
    else throw new RangeError(`no colour map ${map}; there are inferno and grey`);
  }
  return tables.get(map);
}

/** Weights of the two source cells for each target pixel along one axis. */
function taps(side, size) {
  const low = new Int32Array(size);
  const high = new Int32Array(size);
  const share = new Float32Array(size);
  for (let i = 0; i < size; i += 1) {
    const at = Math.max(0, ((i + 0.5) * side) / size - 0.5);
    low[i] = Math.min(side - 1, Math.floor(at));
    high[i] = Math.min(side - 1, low[i] + 1);
    share[i] = at - low[i];
  }
  return { low, high, share };
}

/**
 * Enlarge a square grid.
 *
 * @param {ArrayLike<number>} grid side * side values, row by row, 0 to 255.
 * @param {number} side Cells along each side.
 * @param {number} width Target width in pixels.
 * @param {number} [height] Target height; the width if left out.
 * @returns {Float32Array} height * width values in [0, 1].
 */
export function upsample(grid, side, width, height = width) {
  const across = taps(side, width);
  const down = taps(side, height);
  const field = new Float32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const top = down.low[y] * side;
    const bottom = down.high[y] * side;
    const v = down.share[y];
    for (let x = 0; x < width; x += 1) {
      const left = across.low[x];
      const right = across.high[x];
      const u = across.share[x];
      const above = grid[top + left] * (1 - u) + grid[top + right] * u;
      const below = grid[bottom + left] * (1 - u) + grid[bottom + right] * u;
      field[y * width + x] = (above * (1 - v) + below * v) / 255;
    }
  }
  return field;
}

/**
 * Colour a field; more opaque where the value is higher, clear below the threshold.
 *
 * @returns {Uint8ClampedArray} Four bytes a pixel, alpha not multiplied in.
 */
export function colour(field, { opacity, threshold, map } = DEFAULTS) {
  const table = coloursOf(map);
  const pixels = new Uint8ClampedArray(field.length * 4);
  for (let i = 0; i < field.length; i += 1) {
    const value = field[i];
    if (value <= 0 || value < threshold) continue;
    const entry = Math.round(value * 255) * 3;
    pixels[i * 4] = table[entry];
    pixels[i * 4 + 1] = table[entry + 1];
    pixels[i * 4 + 2] = table[entry + 2];
    pixels[i * 4 + 3] = value * opacity * 255;
  }
  return pixels;
}

/**
 * Find the line along which a field passes a level, by marching squares.
 *
 * @returns {number[]} x1, y1, x2, y2 of each piece, in pixels; pixel centres lie at one half.
 */
export function outline(field, width, height, level) {
  const pieces = [];
  const cut = (a, b) => (level - a) / (b - a);
  for (let y = 0; y + 1 < height; y += 1) {
    for (let x = 0; x + 1 < width; x += 1) {
      const i = y * width + x;
      const nw = field[i];
      const ne = field[i + 1];
      const sw = field[i + width];
      const se = field[i + width + 1];
      const inside =
        (nw >= level ? 8 : 0) | (ne >= level ? 4 : 0) | (se >= level ? 2 : 0) | (sw >= level ? 1 : 0);
      if (inside === 0 || inside === 15) continue;
      const cx = x + 0.5;
      const cy = y + 0.5;
      const north = () => [cx + cut(nw, ne), cy];
      const south = () => [cx + cut(sw, se), cy + 1];
      const west = () => [cx, cy + cut(nw, sw)];
      const east = () => [cx + 1, cy + cut(ne, se)];
      const saddle = (nw + ne + sw + se) / 4 >= level;
      for (const [from, to] of sides(inside, saddle, { north, south, west, east })) {
        pieces.push(...from(), ...to());
      }
    }
  }
  return pieces;
}

/** Which sides of a cell the line joins; in a saddle the centre's value decides. */
function sides(inside, saddle, { north, south, west, east }) {
  const folded = inside > 7 ? 15 - inside : inside;
  if (folded === 5) {
    const joined = (inside === 5) === saddle;
    return joined
      ? [[west, north], [south, east]]
      : [[west, south], [north, east]];
  }
  return {
    1: [[west, south]],
    2: [[south, east]],
    3: [[west, east]],
    4: [[north, east]],
    6: [[north, south]],
    7: [[west, north]],
  }[folded];
}

/**
 * Draw a map on a canvas, which keeps its width and height.
 *
 * @param {HTMLCanvasElement} canvas Where; what was there is cleared.
 * @param {string} gridBase64 side * side bytes, row by row; 255 is the image's maximum.
 * @param {number} side Cells along each side; 0 or all zeros draw nothing.
 * @param {{opacity?: number, threshold?: number, contour?: number|null, map?: string}} [options]
 *   Opacity at the maximum, values below `threshold` clear, a line at `contour` (or none), and
 *   one of inferno, grey.
 * @returns {boolean} Whether there was any attention to draw.
 */
export function drawHeat(canvas, gridBase64, side, options = {}) {
  const chosen = { ...DEFAULTS, ...options };
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  const grid = bytesOf(gridBase64);
  if (!side || grid.length !== side * side || !grid.some((value) => value > 0)) return false;
  const field = upsample(grid, side, width, height);
  context.putImageData(new ImageData(colour(field, chosen), width, height), 0, 0);
  if (chosen.contour !== null) strokeOutline(context, field, width, height, chosen.contour);
  return true;
}

/** A white line on a dark one, legible on any photo. */
function strokeOutline(context, field, width, height, level) {
  const pieces = outline(field, width, height, level);
  const path = new Path2D();
  for (let i = 0; i < pieces.length; i += 4) {
    path.moveTo(pieces[i], pieces[i + 1]);
    path.lineTo(pieces[i + 2], pieces[i + 3]);
  }
  const unit = Math.max(width, height) / 448;
  context.lineCap = "round";
  context.strokeStyle = "rgb(10 12 16 / 75%)";
  context.lineWidth = 3.5 * unit;
  context.stroke(path);
  context.strokeStyle = "#fff";
  context.lineWidth = 1.6 * unit;
  context.stroke(path);
}
