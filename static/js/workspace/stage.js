/**
 * The stage: points under tiles under ink, one view for all three. What moves is moved at once;
 * what rests is drawn in full.
 */
import { colourOf, css, drawLegend, huesOf, packed, themeColours, viridis } from "./colours.js";
import { isFiltered, predicateOf } from "./filters.js";
import { followHands } from "./gestures.js";
import { nextTowards } from "./geometry.js";
import { Lift } from "./lift.js";
import { Points } from "./points.js";
import { fitted, frameOf, medianSide, sceneOf, zoomed } from "./scene.js";
import { Tiles } from "./tiles.js";

const REST = 120;
const EVEN_BELOW = 48;

export class Stage {
  /**
   * @param {HTMLElement} place
   * @param {{store: object, model: object, lists: object, onDouble: (number: number) => void,
   *   onOutline: (ring: [number, number][], how: string) => void, onOpened: () => void,
   *   onSized: () => void}} parts
   */
  constructor(place, { store, model, lists, onDouble, onOutline, onOpened, onSized }) {
    Object.assign(this, { place, store, model, lists, onDouble, onOutline, onOpened, onSized });
    this.svg = place.querySelector("[data-tiles]");
    this.ink = place.querySelector("[data-ink]");
    this.tiles = new Tiles(this.svg);
    this.points = new Points(place.querySelector("[data-points]"));
    this.lift = new Lift(
      this.svg.querySelector("[data-group=lift]"),
      place.querySelector("[data-card]"),
      async (number) => (await lists.ofSlice(number, { order: "typical" })).images,
    );
    this.chosen = null;
    this.view = { k: 1, x: 0, y: 0 };
    this.width = 0;
    this.height = 0;
    this.asked = false;
    this.onFrame = null;
    new ResizeObserver(() => this.#resized()).observe(place);
    followHands(this);
  }

  get isScatter() {
    return this.store.state.view === "scatter";
  }

  /** Map in the scatter; what was chosen, or what is legible, in the mosaic. */
  get layout() {
    return this.isScatter ? "map" : (this.store.state.layout ?? this.opening ?? "even");
  }

  /** The layout to open with: the map where its tiles can be read, and the index where not. */
  #open() {
    const scene = sceneOf(this.model, "map");
    this.opening = medianSide(scene) * fitted(scene, this.width, this.height).k < EVEN_BELOW ? "even" : "map";
    this.onOpened(this.opening);
  }

  /** Build tiles and colours anew: other slices, another layout, another size. */
  rebuild() {
    if (!this.width) return;
    this.lift.drop();
    this.scene = sceneOf(this.model, this.layout, this.width / this.height);
    this.fit = fitted(this.scene, this.width, this.height, { isCentral: this.isScatter });
    this.tiles.build(this.scene, this.model);
    this.view = this.#remembered() ?? { ...this.fit };
    this.place.dataset.view = this.store.state.view;
    this.hues = null;
    this.restyle();
    this.#rest();
  }

  /** Take the points when they have come. */
  takePoints() {
    this.points.take(this.model.columns, frameOf(this.model.payload.bounds));
    this.arrangement = null;
    if (this.store.state.cell) this.restyle(); // which slices are in a cell is known only now
    else this.draw();
  }

  /** What colours need to know. */
  palette() {
    const encoding = this.store.state.colour;
    if (encoding === "slice" && !this.hues) {
      const middles = new Map(this.model.slices.map(({ number, middle }) => [number, middle]));
      const tiles = new Map([...this.scene.tiles].map(([number, { middle }]) => [number, middle]));
      this.hues = huesOf(this.model.slices, this.scene.isTrue ? [middles] : [middles, tiles]);
    }
    return { hues: this.hues, theme: themeColours(), hasMarks: this.model.hasMarks, threshold: this.model.payload.threshold };
  }

  /** Colour everything as the state and the marks say. */
  restyle() {
    if (!this.scene) return;
    const { colour, slice, also } = this.store.state;
    const palette = this.palette();
    const passes = predicateOf(this.model, this.store.state);
    this.colourAt = (one) => colourOf(one, colour, palette);
    this.tiles.style({ colourAt: this.colourAt, encoding: colour, active: slice, also: new Set(also), passes });
    drawLegend(document.querySelector("[data-legend]"), colour, palette);
    this.arrangement = null;
    this.draw();
  }

  /** Choose points; null for none. */
  choose(mask) {
    this.chosen = mask;
    this.arrangement = null;
    this.draw();
  }

  #arrange() {
    const { columns, slices } = this.model;
    const theme = themeColours();
    const passes = predicateOf(this.model, this.store.state);
    const bySlice = slices.map((slice) => packed(this.colourAt(slice) ?? theme.edge));
    const n = columns.x.length;
    const colours = new Uint32Array(n);
    if (this.store.state.colour === "confidence") {
      const scale = Array.from({ length: 256 }, (_, i) => packed(viridis(i / 255, theme)));
      for (let i = 0; i < n; i += 1) colours[i] = scale[columns.confidence[i]];
    } else {
      for (let i = 0; i < n; i += 1) colours[i] = bySlice[columns.slice[i]];
    }
    if (this.store.state.colour === "spuriousness") for (const [row, kind] of this.model.imageMarks) colours[row] = packed(theme[kind]);
    this.arrangement = { colours, bright: this.chosen ?? this.#bright(passes) };
    this.points.ground = packed(theme.surface);
    this.points.arrange(colours, this.arrangement.bright, packed(theme.line));
  }

  /** Which points pass the filters; null when nothing is filtered. */
  #bright(passes) {
    const { state } = this.store;
    if (!isFiltered(state)) return null;
    const { slice, label, predicted } = this.model.columns;
    const ok = Uint8Array.from(this.model.slices, (one) => (passes(one) ? 1 : 0));
    const mask = new Uint8Array(slice.length);
    const cell = state.cell;
    for (let i = 0; i < mask.length; i += 1) {
      mask[i] = ok[slice[i]] && (!cell || (label[i] === cell[0] && predicted[i] === cell[1])) ? 1 : 0;
    }
    return mask;
  }

  /** The rows that pass the filters, as a mask. */
  matching() {
    return this.#bright(predicateOf(this.model, this.store.state)) ?? new Uint8Array(this.model.n).fill(1);
  }

  #resized() {
    const { clientWidth, clientHeight } = this.place;
    if (!clientWidth || !clientHeight) return;
    if (clientWidth === this.width && clientHeight === this.height) return;
    this.width = clientWidth;
    this.height = clientHeight;
    this.svg.setAttribute("viewBox", `0 0 ${clientWidth} ${clientHeight}`);
    this.ink.width = clientWidth;
    this.ink.height = clientHeight;
    if (!this.opening) this.#open();
    this.rebuild();
    this.onSized();
  }

  /** Go to a view: draw at once, in full when the hand rests. */
  goTo(view, { isOver = false } = {}) {
    if (!this.scene) return;
    this.view = view;
    this.isMoving = true;
    this.lift.drop();
    this.draw();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#rest(), isOver ? 0 : REST);
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (this.scene) this.goTo(zoomed(this.view, factor, x, y, this.fit));
  }

  move(dx, dy) {
    this.goTo({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
  }

  fitAll() {
    this.goTo({ ...this.fit }, { isOver: true });
  }

  #rest() {
    this.isMoving = false;
    this.tiles.rest(this.view, this.width, this.height, { hasPictures: this.store.state.view === "mosaic" });
    this.draw();
    this.store.set({ at: this.#toRemember() }, { history: "replace" });
  }

  /** The view without regard to the window: times fit, and the place in the middle. */
  #toRemember() {
    const { k, x, y } = this.view;
    const isFit = Math.abs(k / this.fit.k - 1) < 0.005 && Math.hypot(x - this.fit.x, y - this.fit.y) < 1.5;
    if (isFit) return null;
    const round = (value) => Math.round(value * 100) / 100;
    return [round(k / this.fit.k), round((this.width / 2 - x) / k), round((this.height / 2 - y) / k)];
  }

  #remembered() {
    const { at } = this.store.state;
    if (!at) return null;
    const k = this.fit.k * at[0];
    return { k, x: this.width / 2 - at[1] * k, y: this.height / 2 - at[2] * k };
  }

  /** Go where the address says, as after "back". */
  followAddress() {
    if (!this.scene || this.isMoving) return;
    const wanted = this.#remembered() ?? { ...this.fit };
    if (Math.abs(wanted.k - this.view.k) + Math.hypot(wanted.x - this.view.x, wanted.y - this.view.y) > 2) this.goTo(wanted, { isOver: true });
  }

  /** Draw in the next frame. */
  draw() {
    if (this.asked || !this.scene) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.#frame();
    });
  }

  #frame() {
    if (this.isMoving) this.tiles.move(this.view);
    const hasPoints = this.scene.isTrue && this.model.columns !== null;
    this.points.canvas.hidden = !hasPoints;
    if (hasPoints) {
      if (!this.arrangement) this.#arrange();
      this.points.draw(this.width, this.height, this.view, this.view.k / this.fit.k);
    }
    this.onFrame?.();
  }

  /** From pixels of the stage to drawing units. */
  toScene(x, y) {
    return [(x - this.view.x) / this.view.k, (y - this.view.y) / this.view.k];
  }

  /** Lift a tile: by pointer or by key. */
  raise(number) {
    const part = this.tiles.parts.get(number);
    if (!part || this.isScatter || this.isMoving) return;
    const colour = this.colourAt(part.slice);
    this.lift.raise(part, {
      view: this.view,
      width: this.width,
      height: this.height,
      colour: colour ? css(colour) : "currentColor",
      model: this.model,
      overlay: this.store.state,
    });
  }

  /** The slice next to the active one, that way, among those that pass. */
  neighbour(way) {
    const passes = predicateOf(this.model, this.store.state);
    const shown = this.model.slices.filter((slice) => passes(slice) || slice.number === this.store.state.slice);
    if (!this.scene) return null;
    const from = shown.findIndex(({ number }) => number === this.store.state.slice);
    if (from < 0) return shown[0]?.number ?? null;
    const places = shown.map(({ number }) => this.scene.tiles.get(number).middle);
    const next = nextTowards(from, places, way);
    return next < 0 ? null : shown[next].number;
  }

  /** Bring a slice into sight when the view is zoomed. */
  reveal(number) {
    const tile = this.scene?.tiles.get(number);
    if (!tile) return;
    const x = tile.middle[0] * this.view.k + this.view.x;
    const y = tile.middle[1] * this.view.k + this.view.y;
    if (x > 20 && y > 20 && x < this.width - 20 && y < this.height - 20) return;
    this.goTo({ ...this.view, x: this.view.x + this.width / 2 - x, y: this.view.y + this.height / 2 - y }, { isOver: true });
  }
}
