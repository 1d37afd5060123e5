/** The pictures of slices: asked for by a lead, made by a job, shown one by one as they come. */
import { read, send } from "./wire.js";

const EVERY = 2000;
const ACTIVE = ["queued", "running"];

export class Making {
  constructor(root, { model, onPictures }) {
    Object.assign(this, { root, model, onPictures });
    this.button = root.querySelector("[data-make-pictures]");
    this.button?.addEventListener("click", () => this.begin());
    this.tell();
    if (model.slices.some(({ picture }) => !picture)) this.follow();
  }

  tell(words = null) {
    const missing = this.model.slices.filter(({ picture }) => !picture).length;
    if (this.button) this.button.disabled = !missing;
    const place = this.root.querySelector("[data-pictures-say]");
    if (place) place.textContent = words ?? (missing ? `${missing} of ${this.model.slices.length} slices have no picture yet.` : "Every slice has its picture.");
  }

  async begin() {
    this.button.disabled = true;
    try {
      await send(this.model.urls.pictures, {});
      this.tell("The job waits in the queue.");
      this.follow();
    } catch (error) {
      this.tell(error.message);
      this.button.disabled = false;
    }
  }

  /** Look at the jobs until none is active. */
  async follow() {
    clearTimeout(this.timer);
    let found;
    try {
      found = await read(this.model.urls.jobs);
    } catch (error) {
      if (!error.offline) return;
      this.timer = setTimeout(() => this.follow(), 5 * EVERY);
      return;
    }
    let came = 0;
    for (const slice of this.model.slices) {
      const url = found.pictures?.[slice.number];
      if (!url || slice.picture === url) continue;
      slice.picture = url;
      came += 1;
    }
    if (came) this.onPictures();
    const active = found.jobs.find(({ state }) => ACTIVE.includes(state));
    const failed = found.jobs.find(({ state }) => state === "failed");
    if (active) {
      this.tell(`${active.stage || "Waiting in the queue"}${active.total ? `: ${active.done} of ${active.total}` : ""}`);
      this.timer = setTimeout(() => this.follow(), EVERY);
    } else {
      this.tell(failed?.error ? `The last job failed: ${failed.error}` : null);
    }
  }
}
