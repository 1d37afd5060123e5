/**
 * The confusion matrix in words: a table of truths and predictions, and beside it the cells that
 * matter as small mosaics. Choosing a cell filters everything else to it.
 */
import { CellPictures, sharedCorner } from "./cellpictures.js";
import { css } from "./colours.js";
import { cellWords } from "./detail.js";
import { hullOf, pathOf, boxOf, disc } from "./geometry.js";
import { count, images } from "./model.js";
import { frameOf, sceneOf } from "./scene.js";
import { pictureIn, shape } from "./tiles.js";

const MOST_CLASSES = 20;
const ALL_UP_TO = 30;
const MOST_PANELS = 9;
const MOST_NAMED = 6;
const CENTRAL = 0.97;

export class Matrix {
  constructor(place, { store, model, stage, isLead, onFind }) {
    Object.assign(this, { place, store, model, stage, isLead, onFind });
    this.pictures = new CellPictures({ model, onChange: () => this.refresh() });
    place.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Draw it, when it is what is looked at. */
  refresh() {
    const isShown = this.store.state.view === "matrix";
    this.place.hidden = !isShown;
    if (!isShown) return;
    if (!this.model.columns) {
      this.place.replaceChildren(Object.assign(document.createElement("p"), { className: "muted", textContent: "The matrix appears when the images have been loaded." }));
      return;
    }
    const kept = this.place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.place.replaceChildren(this.#table(), this.#panels());
    if (kept) this.place.querySelector(`[data-key="${kept}"]`)?.focus();
  }

  /** Light the chosen slice everywhere. */
  tell() {
    if (this.place.hidden) return;
    const chosen = String(this.store.state.slice);
    for (const one of this.place.querySelectorAll("[data-number]")) {
      const isIt = one.dataset.number === chosen;
      if (one.tagName === "BUTTON") one.setAttribute("aria-pressed", String(isIt));
      else one.classList.toggle("is-active", isIt);
    }
  }

  #clicked(event) {
    const wanted = event.target.closest("[data-find-cell]");
    if (wanted) this.onFind(wanted.dataset.findCell);
    const cell = event.target.closest("[data-cell]");
    const slice = event.target.closest("[data-number]");
    if (slice) this.store.set({ slice: Number(slice.dataset.number), also: [], page: 1 });
    else if (cell) {
      const chosen = cell.dataset.cell.split(".").map(Number);
      const isOn = this.store.state.cell?.join(".") === cell.dataset.cell;
      this.store.set({ cell: isOn ? null : chosen, page: 1 });
    }
  }

  /** The classes shown: all, or the most confused ones. */
  #classes() {
    const c = this.model.classes.length;
    const all = Array.from({ length: c }, (_, i) => i);
    if (c <= ALL_UP_TO) return all;
    const counts = this.model.confusion();
    const errors = all.map((i) => all.reduce((sum, j) => sum + (i === j ? 0 : counts[i * c + j] + counts[j * c + i]), 0));
    return all.sort((i, j) => errors[j] - errors[i]).slice(0, MOST_CLASSES).sort((i, j) => i - j);
  }

  #table() {
    const { model } = this;
    const c = model.classes.length;
    const counts = model.confusion();
    const shown = this.#classes();
    let most = 1;
    for (const i of shown) for (const j of shown) if (i !== j) most = Math.max(most, counts[i * c + j]);
    const table = document.createElement("table");
    table.className = "ws-cells";
    const caption = table.createCaption();
    caption.textContent = shown.length < c ? `Rows: truth. Columns: prediction. The ${shown.length} most confused of ${c} classes` : "Rows: truth. Columns: prediction";
    const head = table.createTHead().insertRow();
    head.append(corner(), ...shown.map((j) => headCell(model.className(j), "col")));
    const body = table.createTBody();
    for (const i of shown) {
      const row = body.insertRow();
      row.append(headCell(model.className(i), "row"), ...shown.map((j) => this.#cell(i, j, counts[i * c + j], most)));
    }
    const box = document.createElement("div");
    box.className = "ws-cells-box";
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Confusion matrix");
    box.append(table);
    return box;
  }

  #cell(i, j, n, most) {
    const cell = document.createElement("td");
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: n ? count(n) : "·" });
    const key = `${i}.${j}`;
    button.dataset.cell = key;
    button.dataset.key = key;
    button.setAttribute("aria-label", `${n ? count(n) : "·"}: ${cellWords([i, j], this.model)}, ${images(n)}`);
    button.setAttribute("aria-pressed", String(this.store.state.cell?.join(".") === key));
    if (i === j) button.className = "is-right";
    else if (n) button.style.setProperty("--heat", `${Math.round(100 * Math.sqrt(n / most))}%`);
    cell.append(button);
    return cell;
  }

  /** Cells worth a panel: all four of two classes, else the chosen one and the top confusions. */
  #worthy() {
    const { model, store } = this;
    const c = model.classes.length;
    if (c === 2) return [[0, 0], [0, 1], [1, 0], [1, 1]];
    const counts = model.confusion();
    const cells = [];
    for (let i = 0; i < c; i += 1) for (let j = 0; j < c; j += 1) if (i !== j && counts[i * c + j]) cells.push([i, j]);
    cells.sort((a, b) => counts[b[0] * c + b[1]] - counts[a[0] * c + a[1]]);
    const { cell } = store.state;
    const rest = cells.filter(([i, j]) => !cell || i !== cell[0] || j !== cell[1]);
    return [...(cell ? [cell] : []), ...rest].slice(0, Math.min(MOST_PANELS, 6 + (cell ? 1 : 0)));
  }

  #panels() {
    const place = document.createElement("div");
    place.className = "ws-panels";
    place.classList.toggle("is-two", this.model.classes.length === 2);
    const scene = sceneOf(this.model, this.stage.layout);
    const worthy = this.#worthy();
    this.pictures.want(worthy);
    place.append(...worthy.map((cell) => this.#panel(cell, scene)));
    if (!worthy.length) place.append(Object.assign(document.createElement("p"), { className: "muted", textContent: "No image is predicted wrongly: there is no confusion to show." }));
    return place;
  }

  #panel(cell, scene) {
    const { model, store } = this;
    const counts = model.countsIn(cell);
    const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
    const key = cell.join(".");
    const panel = document.createElement("section");
    panel.className = "ws-panel";
    panel.classList.toggle("is-wrong", cell[0] !== cell[1]);
    panel.classList.toggle("is-chosen", store.state.cell?.join(".") === key);
    const words = `Truth: ${model.className(cell[0])}, predicted: ${model.className(cell[1])}. ${images(total)}`;
    panel.setAttribute("aria-label", words);
    const head = Object.assign(document.createElement("h3"), { textContent: words });
    const only = Object.assign(document.createElement("button"), { type: "button", className: "button button--small", textContent: store.state.cell?.join(".") === key ? "Show all again" : "Only these" });
    only.dataset.cell = key;
    only.dataset.key = `only-${key}`;
    panel.append(head, this.#mosaic(cell, counts, scene), this.#names(cell, counts), this.#shared(cell, counts), only);
    return panel;
  }

  /** How many pictures are of whole slices, and a way to have the cell's own. */
  #shared(cell, counts) {
    const line = document.createElement("p");
    line.className = "ws-panel__shared small muted";
    const inside = [...counts.keys()].map((number) => this.pictures.of(cell, this.model.byNumber.get(number)));
    const n = inside.filter((picture) => picture?.isShared).length;
    line.hidden = n === 0 && inside.every(Boolean);
    if (n) line.append(`Hatched: ${n} of ${inside.length} pictures are of the whole slice. `);
    if (!this.isLead) return line;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button button--small", textContent: "Make pictures of these images" });
    button.dataset.findCell = cell.join(".");
    button.dataset.key = `find-${cell.join(".")}`;
    button.setAttribute("aria-label", `Make pictures of these images: ${cellWords(cell, this.model)}`);
    line.append(button);
    return line;
  }

  #mosaic(cell, counts, scene) {
    const { model, store, stage } = this;
    const svg = shape("svg", { viewBox: `-8 -8 ${scene.width + 16} ${scene.height + 16}`, class: "ws-panel__mosaic", "aria-hidden": "true" });
    const rings = scene.isTrue ? hullsIn(model, cell) : null;
    for (const slice of model.slices) {
      const n = counts.get(slice.number) ?? 0;
      const own = n ? (rings?.get(slice.number) ?? scene.tiles.get(slice.number).rings) : scene.tiles.get(slice.number).rings;
      const d = pathOf(own);
      const clip = `ws-panel-${cell.join("-")}-${slice.number}`;
      const group = shape("g", { class: `ws-tile${n ? "" : " is-out"}${slice.number === store.state.slice ? " is-active" : ""}`, ...(n ? { "data-number": slice.number } : {}) });
      const colour = stage.colourAt?.(slice);
      const picture = n ? this.pictures.of(cell, slice) : null;
      if (picture) {
        const image = pictureIn(boxOf(own), clip);
        image.setAttribute("href", picture.url);
        group.append(shape("clipPath", { id: clip }, shape("path", { d })), image);
        if (picture.isShared) group.append(sharedCorner(own, clip));
      }
      const fill = n && !picture && colour ? css(colour) : "transparent";
      group.append(shape("path", { d, class: "ws-tile__line", stroke: n && colour ? css(colour) : "currentColor", fill, "vector-effect": "non-scaling-stroke" }));
      svg.append(group);
    }
    return svg;
  }

  #names(cell, counts) {
    const list = document.createElement("p");
    list.className = "ws-panel__names small";
    const sorted = [...counts].sort((a, b) => b[1] - a[1]);
    for (const [number, n] of sorted.slice(0, MOST_NAMED)) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "ws-chip", textContent: `${number}: ${count(n)}` });
      button.dataset.number = number;
      button.dataset.key = `${cell.join(".")}-${number}`;
      button.setAttribute("aria-label", `${number}: ${count(n)} of its images are here, slice ${number}`);
      button.setAttribute("aria-pressed", String(number === this.store.state.slice));
      list.append(button);
    }
    if (sorted.length > MOST_NAMED) list.append(` and ${sorted.length - MOST_NAMED} more`);
    return list;
  }
}

/** Hulls of slices' images inside one cell, the central ones, as rings by slice number. */
function hullsIn(model, [truth, said]) {
  const { x, y, slice, label, predicted } = model.columns;
  const frame = frameOf(model.payload.bounds);
  const members = model.slices.map(() => []);
  for (let i = 0; i < model.n; i += 1) {
    if (label[i] === truth && predicted[i] === said) members[slice[i]].push([(x[i] - frame.x0) * frame.scale, (y[i] - frame.y0) * frame.scale]);
  }
  return new Map(model.slices.map(({ number }, place) => [number, members[place].length ? [hullOrDisc(members[place])] : []]));
}

function hullOrDisc(points) {
  const middle = (axis) => points.map((point) => point[axis]).sort((a, b) => a - b)[points.length >> 1];
  const [mx, my] = [middle(0), middle(1)];
  const near = [...points].sort((a, b) => Math.hypot(a[0] - mx, a[1] - my) - Math.hypot(b[0] - mx, b[1] - my));
  const hull = hullOf(near.slice(0, Math.max(3, Math.ceil(near.length * CENTRAL))));
  const { width, height } = boxOf([hull]);
  return hull.length < 3 || Math.min(width, height) < 3 ? disc([mx, my], 6) : hull;
}

function headCell(name, scope) {
  const cell = Object.assign(document.createElement("th"), { scope, textContent: name, title: name });
  return cell;
}

function corner() {
  return document.createElement("td");
}
