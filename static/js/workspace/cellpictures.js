/**
 * Pictures of slices inside one cell of the matrix. Until a cell has its own, the picture of the
 * whole slice stands in, with a hatched corner that says so.
 */
import { boxOf } from "./geometry.js";
import { read } from "./wire.js";
import { shape } from "./tiles.js";

const CORNER = 0.34;
const LINES = 4;

export class CellPictures {
  /** @param {{model: object, onChange: () => void}} parts */
  constructor({ model, onChange }) {
    Object.assign(this, { model, onChange });
    this.forget();
  }

  /** Know nothing any more, as when there are other slices. */
  forget() {
    this.known = new Map();
    this.asked = new Set();
  }

  /** A slice's picture in a cell, or the slice's own in its stead; null where there is none. */
  of([truth, said], slice) {
    const url = this.known.get(`${truth}.${said}`)?.[slice.number];
    return url ? { url, isShared: false } : slice.picture ? { url: slice.picture, isShared: true } : null;
  }

  /** Ask for the pictures of cells that nobody asked for yet. */
  want(cells) {
    const fresh = cells.map((cell) => cell.join(".")).filter((key) => !this.asked.has(key));
    fresh.forEach((key) => this.asked.add(key));
    if (fresh.length) this.#ask(fresh);
  }

  /** Ask again, as while a job finds them. */
  again() {
    if (this.asked.size) this.#ask([...this.asked]);
  }

  async #ask(keys) {
    let found;
    try {
      found = (await read(`${this.model.urls.jobs}?cells=${keys.join(",")}`)).cells ?? {};
    } catch {
      keys.forEach((key) => this.asked.delete(key)); // the slices' pictures stand in; asked again when drawn anew
      return;
    }
    let came = false;
    for (const [key, pictures] of Object.entries(found)) {
      came ||= JSON.stringify(pictures) !== JSON.stringify(this.known.get(key) ?? {});
      this.known.set(key, pictures);
    }
    if (came) this.onChange();
  }
}

/** The hatched corner, upper right of a tile's rings, clipped to it. */
export function sharedCorner(rings, clip) {
  const box = boxOf(rings);
  const right = box.x + box.width;
  const far = Math.max(...rings.flat().map(([x, y]) => x - y));
  const depth = CORNER * Math.min(box.width, box.height);
  const along = (offset) => `${box.x} ${box.x - far + offset}L${right} ${right - far + offset}`;
  const lines = Array.from({ length: LINES }, (_, i) => `M${along((depth * (i + 0.5)) / LINES)}`).join("");
  const ground = `M${along(depth)}L${right} ${right - far - depth}L${box.x} ${box.x - far - depth}Z`;
  return shape(
    "g",
    { class: "ws-shared", "clip-path": `url(#${clip})` },
    shape("path", { d: ground, class: "ws-shared__ground" }),
    shape("path", { d: lines, class: "ws-shared__lines", "vector-effect": "non-scaling-stroke" }),
  );
}
