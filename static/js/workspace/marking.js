/**
 * Marks, undo and redo, and what others do meanwhile. The server is right: the page shows what it
 * answers, and asks again every few seconds.
 */
import { images, KINDS } from "./model.js";
import { read, send, WireError } from "./wire.js";

const EVERY = 5000;
const MOST_TOLD = 6;

export class Marking {
  /**
   * @param {{store: object, model: object, notices: object, isLead: boolean,
   *   onState: (changes: object[]) => void, onPayload: (payload: object) => void}} parts
   */
  constructor({ store, model, notices, isLead, onState, onPayload }) {
    Object.assign(this, { store, model, notices, isLead, onState, onPayload });
    this.waiting = 0;
    this.last = Promise.resolve();
    this.refusal = ""; // what the server said last against something
  }

  /** Whether something is being saved. */
  get busy() {
    return this.waiting > 0;
  }

  /** Slices that a verb acts on: the chosen one and those added to it. */
  get numbers() {
    const { slice, also } = this.store.state;
    return slice === null ? [] : [slice, ...also.filter((number) => number !== slice)];
  }

  /**
   * Mark slices.
   *
   * @param {string} kind One of KINDS, or "clear".
   * @param {{note?: string, score?: number|null, numbers?: number[], overrule?: boolean}} [with_]
   * @returns {Promise<boolean>} Whether it was saved.
   */
  async mark(kind, { note = "", score = null, numbers = this.numbers, overrule = false } = {}) {
    if (!numbers.length) {
      this.notices.toast("Choose a slice first.");
      return false;
    }
    const body = () => ({ slices: numbers, kind, note, score, ...(overrule ? {} : { seen: this.model.revision }) });
    const which = numbers.length === 1 ? `Slice ${numbers[0]}` : `${numbers.length} slices`;
    const words = kind === "clear" ? `${which}: mark taken away.` : `${which} marked as ${KINDS[kind].name}.`;
    return this.#act(this.model.urls.marks, body, () => words, {
      undo: true,
      numbers,
      onClash: () => this.mark(kind, { note, score, numbers, overrule: true }),
    });
  }

  /**
   * Set the scores of single images by hand, whatever their slices' marks.
   *
   * @param {string} kind "core", "spurious" or "clear".
   * @param {number[]} rows Of the images.
   * @returns {Promise<boolean>} Whether it was saved.
   */
  async markImages(kind, rows, { overrule = false } = {}) {
    const body = () => ({ images: rows, kind, ...(overrule ? {} : { seen: this.model.revision }) });
    const words = kind === "clear" ? `${images(rows.length)}: own mark taken away.` : `${images(rows.length)} marked as ${KINDS[kind].name} by hand.`;
    return this.#act(this.model.urls.image_marks, body, () => words, {
      undo: true,
      onClash: () => this.markImages(kind, rows, { overrule: true }),
    });
  }

  undo() {
    return this.#act(this.model.urls.undo, {}, () => this.model.canUndo && `Undone: ${this.model.undoWords || "the last change"}.`);
  }

  redo() {
    return this.#act(this.model.urls.redo, {}, () => this.model.canRedo && `Done again: ${this.model.redoWords || "the last change"}.`);
  }

  /** Rename, merge, split, or make a slice of chosen images. */
  async change(body, words) {
    return this.#guard(async () => {
      // of the slices seen when its turn comes, so that another lead's change is not overruled unseen
      const seen = { set_version: this.model.setVersion };
      const payload = await send(this.model.urls.changes, { numbers: [], name: "", members: [], ...seen, ...body });
      await this.onPayload(payload);
      this.notices.toast(words, { verb: "Undo", act: () => this.undo() });
    });
  }

  /** Do something that gives the state back; `wordsOf` gives false where there is nothing to do. */
  async #act(url, body, wordsOf, { undo = false, numbers = [], onClash = null } = {}) {
    return this.#guard(async () => {
      const words = wordsOf();
      if (!words) return;
      const changes = (await this.#take(await send(url, typeof body === "function" ? body() : body))) ?? [];
      this.notices.toast(words, { verb: undo ? "Undo" : null, act: () => this.undo(), note: changedWords(changes, numbers), list: changes.slice(0, MOST_TOLD) });
    }, onClash);
  }

  /** Show what the server tells: marks and scores; or everything anew, and null, where the slices are others. */
  async #take(state) {
    if (state.set_version !== undefined && state.set_version !== this.model.setVersion) {
      await this.onPayload(await read(this.model.payloadUrl));
      return null;
    }
    const changes = this.model.takeState(state);
    this.onState(changes);
    return changes;
  }

  /** Do one thing after the other, and say what went wrong. */
  #guard(act, onClash = null) {
    if (!this.isLead) {
      this.notices.toast("You may look at this workspace; a lead marks.");
      return Promise.resolve(false);
    }
    this.waiting += 1;
    this.notices.saving();
    const done = this.last.then(act).then(
      () => true,
      (error) => this.#failed(error, onClash),
    );
    this.last = done.then((isSaved) => {
      this.waiting -= 1;
      if (isSaved && !this.waiting) this.notices.saved();
    });
    return done;
  }

  async #failed(error, onClash) {
    if (!(error instanceof WireError)) {
      reportError(error);
      this.refusal = "The page went wrong. Reload it to see what was saved.";
      this.notices.toast(this.refusal, { isBad: true });
      return false;
    }
    this.refusal = error.message;
    const stays = error.status === 409;
    // refused although nothing moved: newer slices, which no second try gets round
    const isClash = stays && onClash && error.state && error.state.revision !== this.model.revision;
    if (stays) await this.#catchUp(error.state);
    if (isClash) this.notices.toast(error.message, { verb: "Mark all the same", act: onClash, isBad: true, stays });
    else this.notices.toast(`Not saved. ${error.message}`, { isBad: true, stays });
    this.notices.notSaved(error);
    return false;
  }

  /** Show how things are now, after somebody else was faster. */
  async #catchUp(state) {
    try {
      if (state) await this.#take(state);
      else await this.look({ isOwn: true });
    } catch (error) {
      if (!(error instanceof WireError)) reportError(error);
    }
  }

  /** Ask for news every few seconds while the page is seen. */
  follow() {
    const ask = async () => {
      if (!document.hidden && !this.busy) await this.look();
      this.timer = setTimeout(ask, EVERY);
    };
    this.timer = setTimeout(ask, EVERY);
    window.addEventListener("online", () => this.look());
    window.addEventListener("offline", () => this.notices.offline());
  }

  /** Ask for news once; `isOwn`: amid a person's own act, which says itself what happened. */
  async look({ isOwn = false } = {}) {
    try {
      const url = new URL(this.model.urls.state, location.href);
      url.searchParams.set("since", this.model.revision);
      const state = await read(url);
      this.notices.online();
      if (!state || (this.busy && !isOwn)) return;
      const changes = await this.#take(state);
      if (isOwn) return;
      if (!changes) {
        this.notices.toast("The slices were changed by another person.");
        return;
      }
      const marked = changes.filter((change) => change.marked);
      if (marked.length) this.notices.toast(`Another person marked ${marked.length === 1 ? `slice ${marked[0].number}` : `${marked.length} slices`}.`, { note: changedWords(changes, []) });
    } catch (error) {
      if (error.offline) this.notices.offline();
      else if (error.status) this.notices.failedToFollow(error);
      else throw error;
    }
  }
}

/** How many others moved. */
function changedWords(changes, own) {
  const others = changes.filter(({ number, before, after }) => !own.includes(number) && before !== after);
  return others.length ? `${others.length} other slice${others.length === 1 ? "" : "s"} changed` : "";
}

/** Words for making a slice of images. */
export const savedSliceWords = (name, n) => `Saved “${name}”, ${images(n)}.`;
