/**
 * The chosen slice in full: its measures, its mark, and strips of its images. Shows the images of
 * a confusion cell or of a lasso as well.
 */
import { Lightbox } from "./lightbox.js";
import { count, images, KINDS, percent, spuriousness, titleOf } from "./model.js";
import { pictureOf, redraw } from "./pictures.js";
import { remember, remembered } from "../viewer.js";

const PAGE = 24;
const KEPT = "gazecheck:workspace-overlay";
const WORDS_AFTER = 2000;
const SKELETON_AFTER = 150;
const NOTHING = {
  errors: "No image of this slice is predicted wrongly.",
  typical: "This slice has no images.",
  border: "This slice has no images.",
  random: "This slice has no images.",
};

/** The overlay as this browser left it. */
export const keptOverlay = () => remembered(KEPT, {});

export class Detail {
  constructor(part, { store, model, lists, onMark }) {
    Object.assign(this, { part, store, model, lists });
    this.place = (name) => part.querySelector(`[data-${name}]`);
    this.rows = null;
    this.shown = [];
    this.lightbox = new Lightbox(document.querySelector("[data-dialog=lightbox]"), { store, model, lists, onMark, onFlag: () => this.load({ anew: true }) });
    this.#listen();
    this.tellOverlay();
  }

  /** Show images by their rows instead of a slice's; null goes back. */
  showRows(rows, words = "") {
    this.rows = rows;
    this.rowWords = words;
    this.refresh();
    this.load();
  }

  /** Tell the measures and the mark as they are now. */
  refresh() {
    const { slice: number, order } = this.store.state;
    const slice = this.model.byNumber.get(number) ?? null;
    const hasRows = this.rows !== null || (this.store.state.cell !== null && !slice);
    this.place("no-slice").hidden = Boolean(slice) || hasRows;
    this.place("detail").hidden = !slice || this.rows !== null;
    this.place("strip").hidden = !slice && !hasRows;
    this.place("orders").hidden = !slice || this.rows !== null;
    for (const button of this.place("orders").children) button.setAttribute("aria-pressed", String(button.value === order));
    this.#line(slice);
    if (slice) this.#measures(slice);
  }

  #line(slice) {
    const line = this.place("cell-line");
    const { cell } = this.store.state;
    line.replaceChildren();
    line.hidden = this.rows === null && !cell;
    if (this.rows !== null) {
      line.append(heading(`${images(this.rows.length)}${this.rowWords}`), verb("Back to the slice", () => this.showRows(null)));
    } else if (cell) {
      const words = cellWords(cell, this.model);
      line.append(heading(slice ? `Only: ${words}` : words), verb("Show all", () => this.store.set({ cell: null, page: 1 })));
    }
  }

  #measures(slice) {
    const far = spuriousness(slice);
    const { model } = this;
    this.place("name").textContent = titleOf(slice);
    this.place("words").textContent = `${images(slice.size)}, predicted ${model.className(slice.predicted)}`;
    const known = far !== null && model.hasMarks;
    const how = slice.mark ? "set by a person" : `from other marks, ± ${(slice.doubt ?? 0).toFixed(2)}`;
    this.place("measures").replaceChildren(
      ...[
        ["Accuracy", percent(slice.accuracy, 1)],
        ["Mean confidence", percent(slice.confidence, 1)],
        ["Coherence", slice.coherence === null ? "–" : slice.coherence.toFixed(2)],
        ["Spuriousness", known ? `${far.toFixed(2)}` : "–", known ? how : "not known before the first mark"],
      ].flatMap(([name, value, note]) => [
        Object.assign(document.createElement("dt"), { textContent: name }),
        described(value, note),
      ]),
    );
    this.#truths(slice);
    const { mark } = slice;
    const kind = mark && KINDS[mark.kind];
    this.place("mark-line").textContent = mark
      ? `${kind?.glyph ?? ""} Marked ${kind?.name ?? mark.kind}${mark.by ? ` by ${mark.by}` : ""}${mark.note ? `: ${mark.note}` : ""}`
      : "Not marked by anybody.";
    for (const button of this.part.querySelectorAll("[data-mark]")) button.setAttribute("aria-pressed", String(mark?.kind === button.dataset.mark));
    const merge = this.part.querySelector("[data-change=merge]");
    if (merge) merge.disabled = !this.store.state.also.length;
    if (merge) merge.textContent = this.store.state.also.length ? `Merge with ${this.store.state.also.join(", ")}` : "Merge (choose others with Space)";
  }

  /** Small bars of true classes. */
  #truths(slice) {
    const place = this.place("truths");
    place.replaceChildren();
    const counts = (slice.true ?? []).map((n, i) => [this.model.className(i), n]).filter(([, n]) => n).sort((a, b) => b[1] - a[1]).slice(0, 5);
    if (counts.length < 2 && !slice.errors) return;
    for (const [name, n] of counts) {
      const row = document.createElement("p");
      const meter = Object.assign(document.createElement("meter"), { min: 0, max: slice.size, value: n });
      meter.setAttribute("aria-label", `Truth ${name}`);
      row.append(span(`is ${name}`), meter, span(`${count(n)}`));
      place.append(row);
    }
  }

  /** Get the images there should be, and show them. */
  async load({ anew = false } = {}) {
    const { slice, cell, page } = this.store.state;
    if (slice === null && !this.rows && !cell) return;
    if (anew) this.lists.forget();
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const place = this.place("thumbs");
    this.part.dataset.state = "loading";
    const held = [...place.children].findIndex((item) => item.contains(document.activeElement));
    const timers = [setTimeout(() => skeleton(place), SKELETON_AFTER), setTimeout(() => say(place, "Loading images…"), WORDS_AFTER)];
    try {
      const found = await this.#wanted(page, signal);
      if (signal.aborted) return;
      timers.forEach(clearTimeout);
      this.#fill(found);
      if (held >= 0 && document.activeElement === document.body) place.children[held]?.querySelector("button")?.focus({ preventScroll: true });
      this.part.dataset.state = found.images.length ? "ready" : "empty";
    } catch (error) {
      timers.forEach(clearTimeout);
      if (signal.aborted || error.name === "AbortError") return;
      this.part.dataset.state = error.offline ? "offline" : "error";
      say(place, `The images could not be loaded. ${error.message}`, verb("Try again", () => this.load()));
      this.place("pager").replaceChildren();
    }
  }

  async #wanted(page, signal) {
    const { slice, cell, order } = this.store.state;
    if (!this.rows && slice !== null) return this.lists.ofSlice(slice, { order, page, cell }, { signal });
    const rows = this.rows ?? this.model.rowsIn(cell);
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    const at = Math.min(page, pages);
    const found = await this.lists.some(rows.slice((at - 1) * PAGE, at * PAGE), { signal });
    return { ...found, page: at, pages };
  }

  #fill({ images: found, page, pages }) {
    this.shown = found;
    const place = this.place("thumbs");
    const { order, cell } = this.store.state;
    if (!found.length) {
      const isCell = cell && !this.rows;
      say(place, isCell ? "This slice holds no image of that kind." : NOTHING[order], order === "errors" && !isCell && verb("Show typical images", () => this.store.set({ order: "typical", page: 1 })));
    } else {
      place.replaceChildren(
        ...found.map((image, i) => {
          const item = document.createElement("li");
          const button = Object.assign(document.createElement("button"), { type: "button", className: "ws-thumb" });
          button.append(pictureOf(image, this.model, this.store.state));
          button.addEventListener("click", () => this.lightbox.open(this.shown, i));
          item.append(button);
          return item;
        }),
      );
    }
    const pager = this.place("pager");
    pager.replaceChildren();
    if (pages < 2) return;
    const turn = (words, to) => Object.assign(verb(words, () => this.store.set({ page: to }, { history: "replace" })), { disabled: to < 1 || to > pages });
    pager.append(turn("← Before", page - 1), span(`Page ${page} of ${pages}`), turn("Next →", page + 1));
  }

  /** Tell the overlay's controls and draw everything anew. */
  tellOverlay() {
    const { opacity, threshold, contour, shown } = this.store.state;
    for (const field of this.part.querySelectorAll("[data-overlay]")) {
      const value = this.store.state[field.dataset.overlay];
      if (field.type === "checkbox") field.checked = value;
      else field.value = value;
    }
    this.part.querySelector("[data-says=opacity]").textContent = `${opacity} %`;
    this.part.querySelector("[data-says=threshold]").textContent = `${threshold} %`;
    remember(KEPT, { opacity, threshold, contour, shown });
    redraw(this.part, this.store.state);
    this.lightbox.draw();
  }

  /** Colour, outline alone, off, and round again. */
  cycleOverlay() {
    const { shown, opacity, contour } = this.store.state;
    if (shown && opacity > 0) this.store.set({ opacity: 0, contour: true }, { history: "replace" });
    else if (shown && contour) this.store.set({ shown: false }, { history: "replace" });
    else this.store.set({ shown: true, opacity: 70, contour: true }, { history: "replace" });
  }

  #listen() {
    const { part, store } = this;
    part.addEventListener("input", ({ target }) => {
      const name = target.dataset.overlay;
      if (name) store.set({ [name]: target.type === "checkbox" ? target.checked : Number(target.value) }, { history: "replace" });
    });
    const peek = part.querySelector("[data-peek]");
    const hold = (isOn) => {
      part.classList.toggle("is-peeking", isOn);
      peek.setAttribute("aria-pressed", String(isOn));
    };
    peek.addEventListener("pointerdown", () => hold(true));
    peek.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && hold(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) peek.addEventListener(end, () => hold(false));
  }
}

/** A confusion cell as a sentence. */
export function cellWords([truth, said], model) {
  return truth === said
    ? `${model.className(truth)}, recognised`
    : `truth ${model.className(truth)}, predicted ${model.className(said)}`;
}

const span = (text) => Object.assign(document.createElement("span"), { textContent: text });
const heading = (text) => Object.assign(document.createElement("h3"), { textContent: text });

function described(value, note) {
  const made = Object.assign(document.createElement("dd"), { textContent: value });
  if (note) made.append(Object.assign(document.createElement("span"), { className: "ws-note", textContent: note }));
  return made;
}

/** A small button. */
export function verb(words, act) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button button--small", textContent: words });
  button.addEventListener("click", act);
  return button;
}

function say(place, words, action = null) {
  const item = Object.assign(document.createElement("li"), { className: "ws-none" });
  item.append(Object.assign(document.createElement("p"), { textContent: words }));
  if (action) item.append(action);
  place.replaceChildren(item);
}

function skeleton(place) {
  place.replaceChildren(
    ...Array.from({ length: 8 }, () => Object.assign(document.createElement("li"), { className: "ws-thumb-skeleton", ariaHidden: "true" })),
  );
}
