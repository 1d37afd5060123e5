/**
 * The picture with its highlight: shows one stimulus at a time and says when it was painted.
 */
import { drawHeat } from "./heatmap.js";

const REMEMBERED = "gazecheck:overlay";
const HALF_MAXIMUM = 0.5;
const LONGEST = 448;

/** Wait until what was just put into the page has been painted; give that moment. */
export function painted() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => requestAnimationFrame(resolve));
  });
}

/** Read settings that may be kept by this browser; a locked store is no reason to fail. */
export function remembered(key, fallback) {
  try {
    return { ...fallback, ...JSON.parse(localStorage.getItem(key) ?? "{}") };
  } catch {
    return fallback;
  }
}

/** Keep settings, where the browser allows it. */
export function remember(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Private windows may refuse; the settings then last as long as the page.
  }
}

export class Viewer {
  constructor(stage) {
    this.photo = stage.querySelector("[data-photo]");
    this.canvas = stage.querySelector("[data-heat]");
    this.note = stage.querySelector("[data-dead]");
    this.slider = stage.querySelector("[data-opacity]");
    this.contour = stage.querySelector("[data-contour]");
    this.peekButton = stage.querySelector("[data-peek]");
    this.stimulus = null;
    this.peeking = null;
    this.resetLog();
    const kept = remembered(REMEMBERED, { opacity: 70, contour: true });
    this.slider.value = kept.opacity;
    this.contour.checked = kept.contour;
    this.slider.addEventListener("input", () => this.adjusted());
    this.contour.addEventListener("change", () => this.adjusted());
    this.peekButton.addEventListener("pointerdown", (event) => {
      this.peekButton.setPointerCapture?.(event.pointerId);
      this.peek(true);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.peekButton.addEventListener(end, () => this.peek(false));
    }
    this.peekButton.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /**
   * Put a stimulus on the page.
   *
   * @param {{grid: string, side: number, dead: boolean, width: number, height: number}} stimulus
   * @param {HTMLImageElement} [photo] Decoded; left out, the picture on the page stays.
   * @returns {Promise<number>} When it was painted, on the clock of event time stamps.
   */
  async show(stimulus, photo = null) {
    this.stimulus = stimulus;
    this.resetLog();
    if (photo) {
      photo.className = this.photo.className;
      photo.dataset.photo = "";
      photo.alt = this.photo.alt;
      this.photo.replaceWith(photo);
      this.photo = photo;
    }
    this.peek(false);
    this.draw();
    return painted();
  }

  draw() {
    const { grid, side, dead, width, height } = this.stimulus;
    const scale = LONGEST / Math.max(width, height, 1);
    const across = Math.max(1, Math.round(width * scale));
    const down = Math.max(1, Math.round(height * scale));
    if (this.canvas.width !== across) this.canvas.width = across;
    if (this.canvas.height !== down) this.canvas.height = down;
    const drawn = drawHeat(this.canvas, dead ? "" : grid, side, {
      opacity: this.slider.value / 100,
      contour: this.contour.checked ? HALF_MAXIMUM : null,
    });
    this.canvas.hidden = !drawn || this.peeking !== null;
    this.note.hidden = drawn || !dead;
  }

  adjusted() {
    this.draw();
    remember(REMEMBERED, { opacity: Number(this.slider.value), contour: this.contour.checked });
  }

  /** Show the photo alone while something is held. */
  peek(on) {
    if (on === (this.peeking !== null)) return;
    const now = performance.now();
    if (on) {
      this.peeking = now;
      this.log.peeks += 1;
    } else {
      this.log.photo_ms += now - this.peeking;
      this.peeking = null;
    }
    this.peekButton.setAttribute("aria-pressed", String(on));
    this.canvas.hidden = on || this.stimulus === null || !this.note.hidden;
  }

  resetLog() {
    this.log = { peeks: 0, photo_ms: 0 };
    if (this.peeking !== null) this.peeking = performance.now();
  }

  /** What was done with the overlay while this stimulus was shown. */
  report() {
    const held = this.peeking === null ? 0 : performance.now() - this.peeking;
    return {
      opacity: this.slider.value / 100,
      contour: this.contour.checked ? HALF_MAXIMUM : 0,
      peeks: this.log.peeks,
      photo_ms: Math.round(this.log.photo_ms + held),
      viewport: window.innerWidth,
      density: window.devicePixelRatio,
    };
  }
}

/** Hold Space anywhere but on a control reached by keyboard: the photo alone. */
export function peekWithSpace(viewer, isBlocked = () => false) {
  const native = (target) =>
    target.closest?.("button, a, summary, input, dialog") && target.matches(":focus-visible");
  document.addEventListener("keydown", (event) => {
    if (event.code !== "Space" || isBlocked() || native(event.target)) return;
    event.preventDefault();
    if (!event.repeat) viewer.peek(true);
  });
  document.addEventListener("keyup", (event) => {
    if (event.code === "Space") viewer.peek(false);
  });
  window.addEventListener("blur", () => viewer.peek(false));
}
