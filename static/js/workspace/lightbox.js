/** One image large: the photo, and beside it the same with the highlight. */
import { KINDS } from "./model.js";
import { captionOf, drawOn } from "./pictures.js";
import { send, WireError } from "./wire.js";

const OWN_KEYS = { c: "core", s: "spurious", u: "clear" };

export class Lightbox {
  constructor(dialog, { store, model, lists, onFlag, onMark }) {
    Object.assign(this, { dialog, store, model, lists, onFlag, onMark });
    this.place = (name) => dialog.querySelector(`[data-${name}]`);
    this.images = [];
    this.at = 0;
    this.place("light-under").addEventListener("load", () => this.draw());
    for (const button of dialog.querySelectorAll("[data-light-step]")) {
      button.addEventListener("click", () => this.step(Number(button.dataset.lightStep)));
    }
    this.place("flag").addEventListener("click", () => this.flag());
    for (const button of dialog.querySelectorAll("[data-own]")) button.addEventListener("click", () => this.mark(button.dataset.own));
    this.place("should-be").addEventListener("change", () => this.current?.flagged?.label_is_wrong && this.flag(true));
    dialog.addEventListener("keydown", (event) => this.#key(event));
    dialog.addEventListener("close", () => this.changed && this.onFlag());
  }

  get current() {
    return this.images[this.at] ?? null;
  }

  open(images, at) {
    this.images = images;
    this.at = at;
    this.changed = false;
    this.place("should-be").replaceChildren(new Option("not said", ""), ...this.model.classes.map((name, i) => new Option(name, String(i))));
    this.#show();
    this.dialog.showModal();
  }

  step(by) {
    const next = this.at + by;
    if (next < 0 || next >= this.images.length) return;
    this.at = next;
    this.#show();
  }

  #show() {
    const image = this.current;
    this.place("light-title").textContent = `${image.name}, ${this.at + 1} of ${this.images.length}`;
    this.place("light-photo").src = image.full;
    this.place("light-photo").alt = `Photo: ${this.model.className(image.label)}`;
    this.place("light-under").src = image.full;
    this.place("light-words").textContent = captionOf(image, this.model);
    this.place("light-status").textContent = "";
    for (const button of this.dialog.querySelectorAll("[data-light-step]")) {
      button.disabled = this.images[this.at + Number(button.dataset.lightStep)] === undefined;
    }
    this.#tellFlag();
    this.#tellScore();
    this.draw();
    this.#renew();
  }

  /** Marks came meanwhile: tell the score that follows from them. */
  follow() {
    if (!this.dialog.open || !this.current) return;
    this.#tellScore();
    this.#renew();
  }

  /** Ask for this image's score anew, if marks came since it was told. */
  async #renew() {
    const image = this.current;
    if (image.revision === this.model.revision) return;
    try {
      const [{ score, mark, revision }] = (await this.lists.some([image.index])).images;
      Object.assign(image, { score, mark, revision });
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (image === this.current) this.place("light-status").textContent = `The spuriousness is from before the latest marks. ${error.message}`;
    }
    if (image === this.current) this.#tellScore();
  }

  /** Say how spurious this image is, and who says so. */
  #tellScore() {
    const { index, score, mark } = this.current;
    const kind = this.model.imageMarks.get(index);
    for (const button of this.dialog.querySelectorAll("[data-own]")) {
      if (button.dataset.own !== "clear") button.setAttribute("aria-pressed", String(button.dataset.own === kind));
      else button.disabled = !kind;
    }
    const by = mark?.kind === kind && mark?.by ? ` by ${mark.by}` : "";
    this.place("light-score").textContent = kind
      ? `${KINDS[kind].glyph} This image was marked ${KINDS[kind].name}${by}: spuriousness ${kind === "core" ? "0" : "1"}.00.`
      : this.model.hasMarks
        ? `Spuriousness ${(1 - score).toFixed(2)}, from other marks.`
        : "Spuriousness is not known before the first mark.";
  }

  /** Set this image's score by hand, or leave it to the other marks again. */
  async mark(kind) {
    const image = this.current;
    if (kind === "clear" && !this.model.imageMarks.has(image.index)) return;
    const refusal = await this.onMark(kind, [image.index]);
    this.place("light-status").textContent = refusal === null ? "Saved. Ctrl Z in the workspace takes it back." : `Not saved. ${refusal}`;
  }

  #tellFlag() {
    const flagged = this.current.flagged;
    this.place("flag").setAttribute("aria-pressed", String(Boolean(flagged?.label_is_wrong)));
    this.place("should-be").value = flagged?.should_be ?? "";
  }

  /** Draw the highlight as the overlay's controls say. */
  draw() {
    const image = this.current;
    if (!image) return;
    const under = this.place("light-under");
    const canvas = this.place("light-heat");
    if (under.naturalWidth) {
      const longest = Math.max(under.naturalWidth, under.naturalHeight);
      canvas.width = Math.round((448 * under.naturalWidth) / longest);
      canvas.height = Math.round((448 * under.naturalHeight) / longest);
    }
    drawOn(canvas, image, this.store.state);
    this.place("light-says").textContent = image.heat.dead ? "No positive attention" : this.store.state.shown ? "Where the model looks" : "Highlight is off (H)";
  }

  /** Say that the label is wrong, or take that back. */
  async flag(isWrong = !this.current.flagged?.label_is_wrong) {
    const image = this.current;
    const chosen = this.place("should-be").value;
    const flagged = { label_is_wrong: isWrong, should_be: isWrong && chosen !== "" ? Number(chosen) : null };
    const status = this.place("light-status");
    try {
      await send(this.model.urls.flag, { index: image.index, ...flagged });
    } catch (error) {
      status.textContent = `Not saved. ${error.message}`;
      this.#tellFlag();
      return;
    }
    image.flagged = isWrong ? flagged : null;
    this.changed = true;
    status.textContent = isWrong ? "Saved: the label is wrong." : "Saved: the label stands.";
    this.#tellFlag();
  }

  #key(event) {
    if (event.target.matches("select, input")) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (steps[event.key]) this.step(steps[event.key]);
    else if (OWN_KEYS[event.key] && !event.ctrlKey && !event.metaKey && !this.place("flag").closest("[hidden]")) this.mark(OWN_KEYS[event.key]);
    else if (event.key === "f" && !this.place("flag").closest("[hidden]")) this.flag();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
