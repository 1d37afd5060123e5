/** The pictures of slices: asked for by a lead, made by a job, shown one by one as they come. */
import { read, send } from "./wire.js";

const EVERY = 2000;
const ACTIVE = ["queued", "running"];

export class Making {
  constructor(root, { model, notices, isLead, onPictures, onJob }) {
    Object.assign(this, { root, model, notices, isLead, onPictures, onJob });
    this.button = root.querySelector("[data-make-pictures]");
    this.button?.addEventListener("click", () => this.begin());
    root.querySelector("[data-make-hulls]")?.addEventListener("click", () => this.begin({ hulls: true }));
    root.querySelector("[data-open=export]").addEventListener("click", () => this.follow());
    this.tell();
    if (this.missing) this.follow();
  }

  get missing() {
    return this.model.slices.filter(({ picture }) => !picture).length;
  }

  /** Say how many are missing, above the mosaic and in the dialog, or what a job is doing. */
  tell(words = null, isActive = false) {
    const { missing } = this;
    if (this.button) this.button.disabled = !missing || isActive;
    const said = words ?? (missing ? `${missing} of ${this.model.slices.length} slices have no picture yet.` : "Every slice has its picture.");
    const place = this.root.querySelector("[data-pictures-say]");
    if (place) place.textContent = said;
    if (isActive) this.notices.band("pictures", `Pictures of the slices: ${said}`, { kind: "info" });
    else if (!missing) this.notices.unband("pictures");
    else if (!this.isLead) this.notices.band("pictures", said, { kind: "info" });
    else this.notices.band("pictures", said, { kind: "info", verb: "Make the pictures", act: () => this.begin() });
  }

  /** Have the pictures found that are missing: of slices, in a `cell` ("0.1"), or inside `hulls`. */
  async begin(what = {}) {
    this.tell("the job waits in the queue", true);
    try {
      await send(this.model.urls.pictures, what);
      this.follow();
    } catch (error) {
      this.tell(error.message);
      if (what.cell || what.hulls || error.status === 409) this.notices.toast(error.message, { isBad: true, stays: error.status === 409 });
    }
  }

  /** Look at the jobs until none is active. */
  async follow() {
    clearTimeout(this.timer);
    let found;
    try {
      found = await read(this.model.urls.jobs);
    } catch (error) {
      if (error.offline) this.timer = setTimeout(() => this.follow(), 5 * EVERY);
      else this.tell(error.message);
      return;
    }
    this.#take(found.pictures ?? {});
    this.onJob();
    this.#tellHulls(found.hulls ?? [0, 0]);
    const own = found.jobs.filter(({ kind }) => kind === "invert");
    const active = own.find(({ state }) => ACTIVE.includes(state));
    const failed = own.find(({ state }) => state === "failed");
    if (active) {
      this.tell(`${active.stage || "waiting in the queue"}${active.total ? `, ${active.done} of ${active.total}` : ""}`, true);
      this.timer = setTimeout(() => this.follow(), EVERY);
    } else {
      this.tell(failed?.error ? `The last job failed: ${failed.error}` : null);
    }
  }

  /** Offer the paper's figure as soon as one of its pictures is there. */
  #tellHulls([there, all]) {
    this.root.querySelector("[data-hulls-say]").textContent = `${there} of ${all} slices have a picture inside their hull.`;
    for (const link of this.root.querySelectorAll("a[data-hulls]")) {
      link.hidden = !there;
      link.href = this.model.urls.export.replace("slices.csv", `hulls.${link.dataset.hulls}`);
    }
  }

  #take(pictures) {
    let came = 0;
    for (const slice of this.model.slices) {
      const url = pictures[slice.number];
      if (!url || slice.picture === url) continue;
      slice.picture = url;
      came += 1;
    }
    if (came) this.onPictures();
  }
}
