/**
 * Views kept under a name: what the address says, with the images that are chosen. Every member
 * opens them; a person changes one's own, a lead any.
 */
import { setParameter, writeAddress } from "./address.js";
import { images } from "./model.js";
import { indicesOf } from "./selection.js";
import { read, send } from "./wire.js";

export class Views {
  constructor(root, { store, model, chosen, notices }) {
    Object.assign(this, { root, store, model, chosen, notices });
    this.dialog = root.querySelector("[data-dialog=views]");
    this.list = this.dialog.querySelector("[data-views]");
    this.says = this.dialog.querySelector("[data-views-say]");
    this.form = this.dialog.querySelector("[data-keep-form]");
    root.querySelector("[data-open=views]").addEventListener("click", () => this.#opened());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#keep();
    });
    chosen.onChange = () => setParameter("saved", null);
  }

  /** Choose the images of the view that the address names, once the points are there. */
  async follow() {
    const id = new URLSearchParams(location.search).get("saved");
    if (!id) return;
    try {
      const view = await read(`${this.model.urls.saved_views}${encodeURIComponent(id)}/`);
      if (!view.chosen.length) return;
      const mask = new Uint8Array(this.model.n);
      for (const row of view.chosen) mask[row] = 1;
      this.chosen.take(mask);
      setParameter("saved", id);
    } catch (error) {
      this.notices.toast(`The saved view could not be opened. ${error.message}`, { isBad: true });
    }
  }

  #opened() {
    const { size } = this.chosen;
    this.dialog.querySelector("[data-keep-words]").textContent = size ? `Keeps what is looked at, with the ${images(size)} chosen.` : "Keeps what is looked at: view, place, filters, slice.";
    this.#ask(() => read(this.model.urls.saved_views));
  }

  #keep() {
    const name = this.form.querySelector("input").value.trim();
    if (!name) return;
    const chosen = this.chosen.mask ? indicesOf(this.chosen.mask) : [];
    const body = { name, query: writeAddress(this.store.state), images: chosen };
    this.#ask(() => send(this.model.urls.saved_views, body), `“${name}” was saved.`, () => this.form.reset());
  }

  /** Do something that gives the list back, and show it. */
  async #ask(act, words = "", after = () => {}) {
    try {
      const { views } = await act();
      this.#fill(views);
      after();
      this.says.textContent = words || (views.length ? "" : "No view was saved yet.");
    } catch (error) {
      this.says.textContent = `${words ? "Not saved. " : ""}${error.message}`;
    }
  }

  #fill(views) {
    this.list.replaceChildren(...views.map((view) => this.#item(view)));
  }

  #item(view) {
    const item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), { href: view.url, textContent: view.name });
    const about = [view.split, view.images ? images(view.images) : "", view.by].filter(Boolean).join(" · ");
    item.append(link, Object.assign(document.createElement("span"), { className: "muted", textContent: about }));
    if (view.can_change) item.append(this.#change(view));
    return item;
  }

  #change(view) {
    const made = this.root.querySelector("[data-change-view]").content.cloneNode(true);
    const form = made.querySelector("form");
    const field = made.querySelector("input");
    made.querySelector("summary").setAttribute("aria-label", `Change “${view.name}”`);
    field.setAttribute("aria-label", `New name of “${view.name}”`);
    field.value = view.name;
    const url = `${this.model.urls.saved_views}${view.id}/`;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask(() => send(url, { name: field.value.trim() }), `“${view.name}” has its new name.`);
    });
    made.querySelector("[data-delete-view]").addEventListener("click", () => this.#ask(() => send(`${url}delete/`), `“${view.name}” was deleted.`));
    return made;
  }
}
