/**
 * The slice table: everything the mosaic tells, without seeing it. Rows are made once and told
 * anew; order and filters move and hide them.
 */
import { chipsOf, isFiltered, NO_FILTER, shownSlices } from "./filters.js";
import { count, KINDS, percent, spuriousness } from "./model.js";

const FLAT = { worst: "accuracy", odd: null, spurious: "spuriousness" };

export class Table {
  constructor(part, { store, model }) {
    Object.assign(this, { part, store, model });
    this.body = part.querySelector("[data-rows]");
    this.rows = new Map();
    this.order = [];
    this.#listen();
  }

  /** Make a row for every slice there is now. */
  rebuild() {
    this.part.querySelector("[data-skeleton]").hidden = true;
    this.rows.clear();
    for (const slice of this.model.slices) this.rows.set(slice.number, rowOf(slice));
    const choice = this.part.querySelector("[data-filter=predicted]");
    choice.replaceChildren(new Option("Every class", ""), ...this.model.classes.map((name, i) => new Option(name, String(i))));
    this.refresh();
  }

  /** Tell all values, order and filters as they are now. */
  refresh() {
    if (!this.rows.size) return; // not built yet
    const { state } = this.store;
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    this.order = shownSlices(this.model, state).map(({ number }) => number);
    for (const slice of this.model.slices) tell(this.rows.get(slice.number), slice, this.model, state);
    const rows = this.order.map((number) => this.rows.get(number).row);
    const { children } = this.body;
    const isSame = children.length === rows.length && rows.every((row, at) => row === children[at]);
    if (!isSame) this.body.replaceChildren(...rows); // to move rows is to lay the whole table out anew
    if (focused?.isConnected) focused.focus({ preventScroll: true });
    this.#rove();
    this.#head(state);
  }

  /** One row takes the tab key: the chosen one, else the first. */
  #rove() {
    const { slice } = this.store.state;
    const stop = this.order.includes(slice) ? slice : this.order[0];
    for (const [number, { button }] of this.rows) button.tabIndex = number === stop ? 0 : -1;
  }

  #head(state) {
    const all = this.model.slices.length;
    const { nMarked } = this.model;
    this.part.querySelector("[data-n-marked]").textContent = `${count(nMarked)} of ${count(all)} marked`;
    this.part.querySelector("[data-n-shown]").textContent = isFiltered(state) ? `${count(this.order.length)} / ${count(all)} slices` : `${count(all)} slices`;
    this.part.querySelector("[data-no-match]").hidden = this.order.length > 0;
    const sorted = state.guide ? FLAT[state.guide] : state.sort;
    const falls = state.guide ? state.guide !== "worst" : state.descending;
    for (const button of this.part.querySelectorAll("[data-sort]")) {
      const isIt = button.dataset.sort === sorted;
      if (isIt) button.closest("th").setAttribute("aria-sort", falls ? "descending" : "ascending");
      else button.closest("th").removeAttribute("aria-sort");
    }
    for (const button of this.part.querySelectorAll("[data-guide]")) button.setAttribute("aria-pressed", String(button.dataset.guide === state.guide));
    for (const field of this.part.querySelectorAll("[data-filter]")) field.value = state[field.dataset.filter];
    const find = this.part.querySelector("[data-find]");
    if (find.value !== state.find && document.activeElement !== find) find.value = state.find;
    this.part.querySelector("[data-chips]").replaceChildren(
      ...chipsOf(this.model, state).map(([words, change]) => {
        const chip = Object.assign(document.createElement("button"), { type: "button", className: "ws-chip is-on" });
        chip.append(`${words} `, Object.assign(document.createElement("span"), { textContent: "×", ariaHidden: "true" }));
        chip.setAttribute("aria-label", `Take away the filter: ${words}`);
        chip.addEventListener("click", () => this.store.set(change));
        return chip;
      }),
    );
  }

  /** Bring the chosen row into sight. */
  reveal() {
    this.rows.get(this.store.state.slice)?.row.scrollIntoView({ block: "nearest" });
  }

  /** The slice some places on in the table's order. */
  step(by) {
    const at = this.order.indexOf(this.store.state.slice);
    return at < 0 ? (this.order[0] ?? null) : (this.order[at + by] ?? null);
  }

  /** Begin with a guide: filter, order, and choose the first. */
  begin(guide) {
    const isOn = this.store.state.guide === guide;
    this.store.set({ ...NO_FILTER, guide: isOn ? null : guide });
    if (!isOn && this.order.length) this.store.set({ slice: this.order[0], also: [], page: 1 });
    this.reveal();
  }

  #listen() {
    const { part, store } = this;
    part.addEventListener("click", (event) => {
      const sort = event.target.closest("[data-sort]");
      const guide = event.target.closest("[data-guide]");
      const row = event.target.closest("tr[data-number]");
      if (sort) this.#sort(sort.dataset.sort);
      else if (guide) this.begin(guide.dataset.guide);
      else if (event.target.closest("[data-clear-filters]")) store.set(NO_FILTER);
      else if (row) this.#pick(Number(row.dataset.number), event);
    });
    for (const field of part.querySelectorAll("[data-filter]")) {
      field.addEventListener("change", () => store.set({ [field.dataset.filter]: field.value }));
    }
    part.querySelector("[data-find]").addEventListener("input", (event) => store.set({ find: event.target.value }, { history: "replace" }));
    this.body.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const at = this.order.indexOf(Number(event.target.closest("tr").dataset.number));
      const next = this.order[at + by];
      if (next === undefined) return;
      store.set({ slice: next, also: [], page: 1 }, { history: "replace" });
      this.rows.get(next).button.focus();
    });
  }

  #sort(key) {
    const { state } = this.store;
    const isSame = !state.guide && state.sort === key;
    this.store.set({ guide: null, sort: key, descending: isSame ? !state.descending : ["size", "spuriousness"].includes(key) });
  }

  #pick(number, event) {
    const { slice, also } = this.store.state;
    if ((event.ctrlKey || event.metaKey) && slice !== null && number !== slice) {
      this.store.set({ also: also.includes(number) ? also.filter((one) => one !== number) : [...also, number] });
    } else {
      this.store.set({ slice: number, also: [], page: 1 });
    }
  }
}

const COLUMNS = ["size", "accuracy", "confidence", "coherence", "spuriousness", "mark"];

/** A row and its cells by name. */
function rowOf(slice) {
  const row = document.createElement("tr");
  row.dataset.number = slice.number;
  const head = Object.assign(document.createElement("th"), { scope: "row" });
  const button = Object.assign(document.createElement("button"), { type: "button", className: "ws-row" });
  head.append(button);
  const cells = {};
  for (const name of COLUMNS) {
    cells[name] = document.createElement("td");
    cells[name].dataset.of = name;
    if (name !== "mark") cells[name].className = "number";
  }
  row.append(head, ...Object.values(cells));
  return { row, button, ...cells };
}

function tell(parts, slice, model, state) {
  const { row, button, mark } = parts;
  const far = spuriousness(slice);
  const isIt = slice.number === state.slice;
  const name = slice.name && slice.name !== `Slice ${slice.number}` ? ` ${slice.name}` : "";
  if (button.textContent !== `${slice.number}${name}`) {
    button.textContent = `${slice.number}${name}`;
    button.setAttribute("aria-label", `Slice ${slice.number}${name}`);
  }
  button.title = `Slice ${slice.number}${name}, predicted ${model.className(slice.predicted)}`;
  button.setAttribute("aria-pressed", String(isIt || state.also.includes(slice.number)));
  row.classList.toggle("is-active", isIt);
  row.classList.toggle("is-also", state.also.includes(slice.number));
  fill(parts.size, count(slice.size));
  fill(parts.accuracy, percent(slice.accuracy), slice.accuracy);
  fill(parts.confidence, percent(slice.confidence), slice.confidence);
  fill(parts.coherence, slice.coherence === null ? "–" : slice.coherence.toFixed(2), slice.coherence);
  const isKnown = far !== null && model.hasMarks;
  fill(parts.spuriousness, isKnown ? far.toFixed(2) : "–", isKnown ? far : null);
  parts.spuriousness.classList.toggle("is-spread", isKnown && !slice.mark);
  parts.spuriousness.title = isKnown ? (slice.mark ? "set by a person" : `from other marks, ± ${(slice.doubt ?? 0).toFixed(2)}`) : "not known before the first mark";
  const said = slice.mark ? `${slice.mark.kind} ${slice.mark.note}` : "";
  if ((mark.dataset.said ?? "") !== said) {
    mark.dataset.said = said;
    mark.replaceChildren(...(slice.mark ? [tagOf(slice.mark)] : []));
  }
}

function tagOf({ kind, note }) {
  const { glyph, name } = KINDS[kind] ?? { glyph: "", name: kind };
  const tag = Object.assign(document.createElement("span"), { className: `ws-tag ws-tag--${kind}`, title: note || "" });
  tag.append(
    Object.assign(document.createElement("span"), { textContent: glyph, ariaHidden: "true" }),
    Object.assign(document.createElement("span"), { className: "ws-tag__word", textContent: name }),
  );
  return tag;
}

/** A number with a small bar below it. */
function fill(cell, text, share = null) {
  if (cell.textContent !== text) cell.textContent = text;
  const long = share === null || share === undefined ? "" : share.toFixed(3);
  if (cell.style.getPropertyValue("--share") !== long) cell.style.setProperty("--share", long);
}
