/** The workspace's dialogs: marking with a note, history, export, keys, saving a slice. */
import { KINDS, titleOf } from "./model.js";

const DEFAULT_SCORES = { core: 0, spurious: 1, mixed: 0.5, wrong_labels: 0.5, clear: 0.5 };
const FORMATS = { csv: "CSV", jsonl: "JSONL", parquet: "Parquet" };

export class Dialogs {
  constructor(root, { store, model, marking }) {
    Object.assign(this, { root, store, model, marking });
    for (const button of root.querySelectorAll("[data-open]")) button.addEventListener("click", () => this.open(button.dataset.open));
    for (const dialog of root.querySelectorAll("dialog")) {
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
      });
    }
    this.form = root.querySelector("[data-annotate-form]");
    this.form?.addEventListener("submit", () => this.#save());
    this.own = root.querySelector("[data-own-score]");
    this.score = root.querySelector("#ws-score");
    this.own.addEventListener("change", () => this.#tellScore());
    this.score.addEventListener("input", () => this.#tellScore());
    this.form.addEventListener("change", ({ target }) => {
      if (target.name === "kind" && !this.own.checked) this.score.value = DEFAULT_SCORES[target.value];
      this.#tellScore();
    });
  }

  get isOpen() {
    return Boolean(this.root.querySelector("dialog[open]"));
  }

  open(name) {
    const dialog = this.root.querySelector(`[data-dialog=${name}]`);
    if (name === "log") this.tellLog();
    if (name === "export") this.#tellExports();
    dialog.showModal();
  }

  /** Ask for a mark with a note. */
  annotate() {
    const { numbers } = this.marking;
    const slice = this.model.byNumber.get(this.store.state.slice);
    if (!slice) return;
    const many = numbers.length > 1;
    this.root.querySelector("#ws-annotate-title").textContent = many ? `Mark ${numbers.length} slices` : `Mark ${titleOf(slice)}`;
    this.root.querySelector("[data-annotate-many]").textContent = many ? `For slices ${numbers.join(", ")}.` : "";
    const kind = slice.mark?.kind ?? "core";
    for (const choice of this.form.querySelectorAll("[name=kind]")) choice.checked = choice.value === kind;
    this.form.querySelector("#ws-note").value = slice.mark?.note ?? "";
    this.own.checked = false;
    this.score.value = DEFAULT_SCORES[kind];
    this.#tellScore();
    const notes = new Set(this.model.slices.map((one) => one.mark?.note).filter(Boolean));
    this.root.querySelector("[data-notes]").replaceChildren(...[...notes].sort().map((note) => new Option(note, note)));
    this.open("annotate");
    this.form.querySelector("[name=kind]:checked").focus();
  }

  #tellScore() {
    this.score.disabled = !this.own.checked;
    this.root.querySelector("[data-score-says]").textContent = Number(this.score.value).toFixed(2);
  }

  #save() {
    const kind = this.form.querySelector("[name=kind]:checked").value;
    const score = this.own.checked && kind !== "clear" ? 1 - Number(this.score.value) : null;
    this.marking.mark(kind, { note: this.form.querySelector("#ws-note").value.trim(), score });
  }

  /** Tell the last changes. */
  tellLog() {
    const place = this.root.querySelector("[data-log]");
    const { log } = this.model;
    if (!log.length) {
      place.replaceChildren(Object.assign(document.createElement("li"), { className: "muted", textContent: "Nothing was marked or changed yet." }));
      return;
    }
    place.replaceChildren(
      ...log.map((event) => {
        const item = document.createElement("li");
        const time = Object.assign(document.createElement("time"), { dateTime: event.at, textContent: timeOf(event.at) });
        const words = Object.assign(document.createElement("span"), { textContent: `${event.words}${event.in_force === false ? " (taken back)" : ""}` });
        item.append(time, words, Object.assign(document.createElement("span"), { className: "muted", textContent: event.by ?? "" }));
        item.classList.toggle("is-undone", event.in_force === false);
        return item;
      }),
    );
  }

  #tellExports() {
    const place = this.root.querySelector("[data-exports]");
    const given = this.model.urls.export;
    if (!given) return;
    const link = (file, words) => Object.assign(document.createElement("a"), { href: given.replace("slices.csv", file), textContent: words, download: "" });
    const kinds = { slices: "Slices with their measures and marks", images: "Images with slice and score", marks: "Marks", log: "History" };
    place.replaceChildren(
      ...Object.entries(kinds).map(([name, words]) => {
        const item = document.createElement("li");
        item.append(Object.assign(document.createElement("span"), { textContent: words }));
        const links = Object.assign(document.createElement("span"), { className: "actions" });
        links.append(...Object.entries(FORMATS).map(([format, said]) => {
          const made = link(`${name}.${format}`, said);
          made.setAttribute("aria-label", `${said}: ${words}`);
          return made;
        }));
        item.append(links);
        return item;
      }),
      (() => {
        const item = document.createElement("li");
        item.append(Object.assign(document.createElement("span"), { textContent: "How it was made" }));
        const links = Object.assign(document.createElement("span"), { className: "actions" });
        links.append(link("methods.txt", "Paragraph for a paper"), link("run.json", "Run as JSON"));
        item.append(links);
        return item;
      })(),
    );
  }
}

function timeOf(at) {
  const date = new Date(at);
  return Number.isNaN(date.valueOf()) ? String(at) : date.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

export const KEY_TO_KIND = Object.fromEntries(Object.entries(KINDS).map(([kind, { key }]) => [key, kind]));
