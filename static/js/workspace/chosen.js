/**
 * Chosen images: by lasso or rectangle, or without a pointer by slice or by filter. They can be
 * looked at, listed, and saved as a slice of their own.
 */
import { count, images } from "./model.js";
import { indicesOf, joined, pointsInside, summaryOf } from "./selection.js";
import { savedSliceWords } from "./marking.js";

const MOST_LOOKED_AT = 1200;
/** What a spreadsheet might run as a formula; guarded as in the server's tables. */
const RISKY = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20']/;

export class Chosen {
  constructor(root, { store, model, stage, detail, marking, dialogs, notices }) {
    Object.assign(this, { root, store, model, stage, detail, marking, dialogs, notices });
    this.bar = root.querySelector("[data-choice]");
    this.mask = null;
    this.onChange = () => {};
    this.bar.addEventListener("click", ({ target }) => this.#verb(target.closest("[data-chosen]")?.dataset.chosen));
    for (const button of root.querySelectorAll("[data-pick]")) {
      button.addEventListener("click", (event) => this.pick(button.dataset.pick, event));
    }
    const form = root.querySelector("[data-save-form]");
    form.addEventListener("submit", () => this.#save(form.querySelector("input").value.trim()));
  }

  /** Choose what lies inside an outline in drawing units. */
  outline(ring, how) {
    if (!this.model.columns) return;
    this.take(pointsInside(this.stage.points.xs, this.stage.points.ys, ring), how);
  }

  /** Choose a slice's images, or all that match the filters. */
  pick(what, event = {}) {
    if (!this.model.columns) return;
    const how = event.shiftKey ? "add" : event.altKey ? "subtract" : this.store.state.how;
    if (what === "shown") {
      this.take(this.stage.matching(), how);
      return;
    }
    const { slice, also } = this.store.state;
    if (slice === null) {
      this.notices.toast("Choose a slice first.");
      return;
    }
    const mask = new Uint8Array(this.model.n);
    for (const number of [slice, ...also]) for (const row of this.model.membersOf(number)) mask[row] = 1;
    this.take(mask, how);
  }

  take(found, how = "replace") {
    this.mask = joined(this.mask, found, how);
    this.counts = summaryOf(this.mask, this.model.columns, this.model.slices.length);
    if (!this.counts.size) this.mask = null;
    this.refresh();
    if (!this.mask && how === "replace") this.notices.toast("No image lies inside.");
  }

  /** Let go without a word, as when there are other slices. */
  forget() {
    this.mask = null;
    this.refresh();
  }

  clear() {
    this.forget();
    if (this.detail.rows) this.detail.showRows(null);
  }

  get size() {
    return this.mask ? this.counts.size : 0;
  }

  refresh() {
    this.onChange();
    this.stage.choose(this.mask);
    this.bar.hidden = !this.mask;
    if (!this.mask) return;
    const { wrong, slices } = this.counts;
    this.bar.querySelector("[data-n-chosen]").textContent = `${images(this.size)} chosen`;
    this.bar.querySelector("[data-chosen-note]").textContent = `of ${count(this.model.n)}, from ${slices} slice${slices === 1 ? "" : "s"}, ${count(wrong)} predicted wrongly`;
  }

  #verb(name) {
    if (name === "clear") this.clear();
    else if (name === "show") {
      const rows = indicesOf(this.mask);
      this.store.set({ page: 1 }, { history: "none" });
      this.detail.showRows(rows.slice(0, MOST_LOOKED_AT), rows.length > MOST_LOOKED_AT ? `, the first of ${count(rows.length)} chosen` : " chosen");
      this.root.dataset.panel = "detail";
    } else if (name === "list") this.#list();
    else if (["core", "spurious", "unmark"].includes(name)) this.marking.markImages(name === "unmark" ? "clear" : name, indicesOf(this.mask));
    else if (name === "save") {
      this.root.querySelector("[data-save-words]").textContent = `${images(this.size)} become a slice of their own. The other slices lose them.`;
      this.dialogs.open("save");
    }
  }

  #list() {
    const { label, predicted, slice } = this.model.columns;
    const guarded = (text) => (RISKY.test(text) ? `'${text}` : text);
    const name = (index) => `"${guarded(String(this.model.className(index))).replaceAll('"', '""')}"`;
    const lines = indicesOf(this.mask).map((row) => `${row},${this.model.slices[slice[row]].number},${name(label[row])},${name(predicted[row])}`);
    download(new Blob([["index,slice,label,predicted", ...lines, ""].join("\r\n")], { type: "text/csv" }), "chosen-images.csv");
  }

  async #save(name) {
    if (!this.mask) {
      this.notices.toast("The slices are being read anew. Save again when the points are there.", { isBad: true });
      return;
    }
    const members = indicesOf(this.mask);
    const isSaved = await this.marking.change({ kind: "lasso", name, members }, savedSliceWords(name, members.length));
    if (isSaved) this.forget();
  }
}

/** Hand a file to the person. */
export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 30_000);
}
