/**
 * The points: up to some hundred thousand, stamped into an ImageData by the processor, with no
 * element of their own. Drawn in random order, so that no class covers another by its rank; what
 * a filter or a choice leaves out is drawn first, and paler.
 */

const MOST_PIXELS = 2_000_000;
const CELLS = 256;

/** A random order that is the same every time: Fisher-Yates by a small generator. */
export function shuffled(n) {
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i += 1) order[i] = i;
  let seed = 0x9e3779b9;
  for (let i = n - 1; i > 0; i -= 1) {
    seed = (Math.imul(seed ^ (seed >>> 15), 0x85ebca6b) + 0x6d2b79f5) >>> 0;
    const j = seed % (i + 1);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
}

/**
 * Stamp squares into pixels.
 *
 * @param {Uint32Array} pixels width * height, packed colours.
 * @param {{xs: Float32Array, ys: Float32Array, colours: Uint32Array}} points In drawing order.
 * @param {{k: number, x: number, y: number}} view In pixels of the canvas.
 * @param {number} size Side of a stamp.
 */
export function splat(pixels, width, height, { xs, ys, colours }, view, size) {
  const { k } = view;
  const ox = view.x - size / 2 + 0.5;
  const oy = view.y - size / 2 + 0.5;
  const right = width - size;
  const bottom = height - size;
  const n = xs.length;
  if (size === 2) {
    for (let i = 0; i < n; i += 1) {
      const x = (xs[i] * k + ox) | 0;
      const y = (ys[i] * k + oy) | 0;
      if (x <= 0 || y <= 0 || x > right || y > bottom) continue;
      const at = y * width + x;
      const c = colours[i];
      pixels[at] = c;
      pixels[at + 1] = c;
      pixels[at + width] = c;
      pixels[at + width + 1] = c;
    }
    return;
  }
  const stamp = stampOf(size, width);
  for (let i = 0; i < n; i += 1) {
    const x = (xs[i] * k + ox) | 0;
    const y = (ys[i] * k + oy) | 0;
    if (x <= 0 || y <= 0 || x > right || y > bottom) continue;
    const at = y * width + x;
    const c = colours[i];
    for (let j = 0; j < stamp.length; j += 1) pixels[at + stamp[j]] = c;
  }
}

/** Offsets of a stamp's pixels: a square, with its corners off from four pixels on. */
function stampOf(size, width) {
  const offsets = [];
  const middle = (size - 1) / 2;
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      if (size >= 4 && Math.hypot(x - middle, y - middle) > size / 2) continue;
      offsets.push(y * width + x);
    }
  }
  return Int32Array.from(offsets);
}

export class Points {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.ground = 0xffffffff;
    this.image = null;
    this.n = 0;
    this.firstDrawn = null;
  }

  /** Take the plotted places, in drawing units. */
  take({ x, y }, { x0, y0, scale }) {
    this.n = x.length;
    this.xs = new Float32Array(this.n);
    this.ys = new Float32Array(this.n);
    for (let i = 0; i < this.n; i += 1) {
      this.xs[i] = (x[i] - x0) * scale;
      this.ys[i] = (y[i] - y0) * scale;
    }
    this.order = shuffled(this.n);
    this.cells = null;
    this.arranged = null;
  }

  /**
   * Set what the points look like.
   *
   * @param {Uint32Array} colours By row.
   * @param {Uint8Array|null} bright By row, 1 for what is drawn on top; null for all.
   * @param {number} pale Packed colour of the others.
   */
  arrange(colours, bright, pale) {
    const { n, order } = this;
    const xs = new Float32Array(n);
    const ys = new Float32Array(n);
    const out = new Uint32Array(n);
    let low = 0;
    let high = n;
    if (!bright) {
      for (let i = 0; i < n; i += 1) {
        const row = order[i];
        xs[i] = this.xs[row];
        ys[i] = this.ys[row];
        out[i] = colours[row];
      }
    } else {
      for (let i = 0; i < n; i += 1) {
        const row = order[i];
        const at = bright[row] ? (high -= 1) : low;
        if (!bright[row]) low += 1;
        xs[at] = this.xs[row];
        ys[at] = this.ys[row];
        out[at] = bright[row] ? colours[row] : pale;
      }
    }
    this.arranged = { xs, ys, colours: out };
  }

  /** Side of a stamp in pixels of the canvas. */
  sizeAt(zoom, density) {
    const base = this.n > 50_000 ? 2 : this.n > 8_000 ? 3 : this.n > 3_000 ? 4 : 6;
    const grown = base * Math.min(3, Math.max(1, Math.sqrt(zoom) * 0.8));
    return Math.max(2, Math.round(grown * density));
  }

  /** Draw at a view given in CSS pixels; `zoom` is 1 when all fits. */
  draw(width, height, view, zoom) {
    let density = window.devicePixelRatio || 1;
    density = Math.min(density, Math.sqrt(MOST_PIXELS / Math.max(1, width * height)));
    const across = Math.max(1, Math.round(width * density));
    const down = Math.max(1, Math.round(height * density));
    if (!this.image || this.image.width !== across || this.image.height !== down) {
      this.canvas.width = across;
      this.canvas.height = down;
      this.image = new ImageData(across, down);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    this.pixels.fill(this.ground);
    if (this.arranged) {
      const scaled = { k: view.k * density, x: view.x * density, y: view.y * density };
      splat(this.pixels, across, down, this.arranged, scaled, this.sizeAt(zoom, density));
    }
    this.context.putImageData(this.image, 0, 0);
    if (this.arranged && this.firstDrawn === null) {
      this.firstDrawn = performance.now();
      performance.mark("workspace-first-points");
    }
  }


  /** The row of the point next to a place in drawing units, within a radius; -1 if none. */
  nearest(x, y, radius, bright = null) {
    if (!this.n) return -1;
    this.cells ??= bucketsOf(this.xs, this.ys);
    const { start, rows, side } = this.cells;
    const cell = (value) => Math.min(CELLS - 1, Math.max(0, Math.floor(value / side)));
    let best = -1;
    let least = radius * radius;
    for (let cy = cell(y - radius); cy <= cell(y + radius); cy += 1) {
      for (let cx = cell(x - radius); cx <= cell(x + radius); cx += 1) {
        const at = cy * CELLS + cx;
        for (let i = start[at]; i < start[at + 1]; i += 1) {
          const row = rows[i];
          if (bright && !bright[row]) continue;
          const far = (this.xs[row] - x) ** 2 + (this.ys[row] - y) ** 2;
          if (far < least) [least, best] = [far, row];
        }
      }
    }
    return best;
  }
}

/** Sort rows into square cells, for finding the nearest. */
function bucketsOf(xs, ys) {
  let most = 1;
  for (let i = 0; i < xs.length; i += 1) most = Math.max(most, xs[i], ys[i]);
  const side = most / CELLS + 1e-6;
  const cellOf = (i) => Math.min(CELLS - 1, Math.floor(ys[i] / side)) * CELLS + Math.min(CELLS - 1, Math.floor(xs[i] / side));
  const start = new Uint32Array(CELLS * CELLS + 1);
  for (let i = 0; i < xs.length; i += 1) start[cellOf(i) + 1] += 1;
  for (let i = 0; i < CELLS * CELLS; i += 1) start[i + 1] += start[i];
  const next = start.slice();
  const rows = new Uint32Array(xs.length);
  for (let i = 0; i < xs.length; i += 1) rows[next[cellOf(i)]++] = i;
  return { start, rows, side };
}
