/**
 * A tile taken up: enlarged over its place, with six real images of the slice beside it, for a
 * picture alone is hard to read. What is lifted takes no pointer, so it never flickers.
 */
import { pathOf } from "./geometry.js";
import { images, percent, spuriousness, titleOf } from "./model.js";
import { pictureOf } from "./pictures.js";
import { pictureIn, shape } from "./tiles.js";

const WAIT = 60;
const DWELL = 125;
const LEAST = 220;
const MOST_TIMES = 6;
const CROPS = 6;
const MARGIN = 8;

export class Lift {
  /**
   * @param {SVGGElement} place
   * @param {HTMLElement} card
   * @param {(number: number) => Promise<object[]>} typicalOf Images to show beside.
   */
  constructor(place, card, typicalOf) {
    this.place = place;
    this.card = card;
    this.typicalOf = typicalOf;
    this.number = null;
    this.timers = [];
  }

  /** Lift a tile after a moment. */
  raise(part, { view, width, height, colour, model, overlay }) {
    if (this.number === part.slice.number) return;
    this.drop();
    this.number = part.slice.number;
    this.timers = [
      setTimeout(() => this.#show(part, { view, width, height, colour }), WAIT),
      setTimeout(() => this.#tell(part, { model, overlay, width, height }), DWELL),
    ];
  }

  drop() {
    this.card.hidden = true;
    if (this.number === null) return;
    this.timers.forEach(clearTimeout);
    this.number = null;
    this.place.replaceChildren();
  }

  #show({ slice, tile }, { view, width, height, colour }) {
    const { box } = tile;
    const [w, h] = [box.width * view.k, box.height * view.k];
    const times = Math.max(1.12, Math.min(MOST_TIMES, LEAST / Math.max(w, h)));
    const cx = (box.x + box.width / 2) * view.k + view.x;
    const cy = (box.y + box.height / 2) * view.k + view.y;
    const keep = (at, half, most) => Math.max(half + MARGIN, Math.min(most - half - MARGIN, at));
    const ox = keep(cx, (w * times) / 2, width);
    const oy = keep(cy, (h * times) / 2, height);
    const clip = shape("clipPath", { id: "ws-clip-lift" }, shape("path", { d: pathOf(tile.rings) }));
    const group = shape("g", { class: "ws-lifted" }, clip);
    if (slice.picture) {
      const image = pictureIn(box, "ws-clip-lift");
      image.setAttribute("href", slice.picture);
      group.append(image);
    }
    group.append(shape("path", { d: pathOf(tile.rings), class: "ws-tile__line", stroke: colour, "vector-effect": "non-scaling-stroke" }));
    const at = (x, y, k) => `translate(${x}px,${y}px) scale(${k}) translate(${-(box.x + box.width / 2)}px,${-(box.y + box.height / 2)}px)`;
    group.style.transform = at(cx, cy, view.k);
    this.place.replaceChildren(group);
    this.lifted = { x: ox, y: oy, w: w * times, h: h * times };
    requestAnimationFrame(() => {
      group.style.transform = at(ox, oy, view.k * times);
    });
  }

  async #tell({ slice }, { model, overlay, width, height }) {
    const { number } = slice;
    const far = spuriousness(slice);
    const title = Object.assign(document.createElement("p"), { className: "ws-card__title", textContent: titleOf(slice) });
    const words = Object.assign(document.createElement("p"), {
      className: "small muted",
      textContent: `${images(slice.size)}, accuracy ${percent(slice.accuracy)}${far === null || !model.hasMarks ? "" : `, spuriousness ${far.toFixed(2)}`}`,
    });
    const row = Object.assign(document.createElement("div"), { className: "ws-card__images" });
    this.card.replaceChildren(title, words, row);
    this.#beside(width, height);
    let found = [];
    try {
      found = await this.typicalOf(number);
    } catch {
      words.textContent += "; its images cannot be loaded now";
    }
    if (this.number !== number) return;
    row.replaceChildren(...found.slice(0, CROPS).map((image) => pictureOf(image, model, overlay, { bare: true })));
    this.#beside(width, height);
  }

  /** Put the card next to the lifted tile, inside the stage. */
  #beside(width, height) {
    const { x, y, w, h } = this.lifted ?? { x: width / 2, y: height / 2, w: 0, h: 0 };
    this.card.hidden = false;
    const across = this.card.offsetWidth;
    const down = this.card.offsetHeight;
    const right = x + w / 2 + MARGIN;
    const left = right + across + MARGIN <= width ? right : Math.max(MARGIN, x - w / 2 - MARGIN - across);
    const top = Math.max(MARGIN, Math.min(height - down - MARGIN, y - h / 2));
    this.card.style.left = `${left}px`;
    this.card.style.top = `${top}px`;
  }
}
