/**
 * What the page says by itself: toasts with a way back, and bands that stay as long as what they
 * tell is so.
 */

const STAYS = 7000;

export class Notices {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.toasts = root.querySelector("[data-toasts]");
    this.bands = root.querySelector("[data-bands]");
    this.status = root.querySelector("[data-saved]");
    this.kept = new Map();
  }

  /** Say something for a while; `stays`: until a person dismisses it. */
  toast(words, { verb = null, act = null, note = "", list = [], isBad = false, stays = false } = {}) {
    const toast = Object.assign(document.createElement("div"), { className: `ws-toast${isBad ? " is-bad" : ""}` });
    const text = Object.assign(document.createElement("p"), { textContent: words });
    toast.append(text);
    if (note) {
      const more = Object.assign(document.createElement("details"), { className: "ws-toast__more" });
      more.append(Object.assign(document.createElement("summary"), { textContent: note }));
      const items = list.map(({ number, before, after }) =>
        Object.assign(document.createElement("li"), { textContent: `slice ${number}: ${(before ?? 0.5).toFixed(2)} → ${(after ?? 0.5).toFixed(2)}` }),
      );
      const place = document.createElement("ul");
      place.append(...items);
      more.append(place);
      toast.append(more);
    }
    if (verb) toast.append(leaving(toast, verb, act));
    if (stays) toast.append(leaving(toast, "Dismiss"));
    const kept = stays ? [] : this.toasts.querySelectorAll("[data-stays]");
    toast.toggleAttribute("data-stays", stays);
    this.toasts.replaceChildren(...kept, toast);
    clearTimeout(this.timer);
    if (!stays) this.timer = setTimeout(() => this.#leave(toast), isBad ? 2 * STAYS : STAYS);
  }

  /** Go, unless a person is at it. */
  #leave(toast) {
    if (toast.matches(":hover") || toast.contains(document.activeElement) || toast.querySelector("[open]")) this.timer = setTimeout(() => this.#leave(toast), STAYS);
    else toast.remove();
  }

  /** Put a band above the workspace, once per name. */
  band(name, words, { kind = "warn", verb = null, act = null } = {}) {
    const old = this.kept.get(name);
    if (old && !verb && !old.querySelector("button")) {
      old.querySelector("p").textContent = words;
      return;
    }
    this.unband(name);
    const band = Object.assign(document.createElement("div"), { className: `notice notice--${kind} ws-band` });
    band.setAttribute("role", kind === "bad" ? "alert" : "status");
    band.append(Object.assign(document.createElement("p"), { textContent: words }));
    if (verb) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "button button--small", textContent: verb });
      button.addEventListener("click", act);
      band.append(button);
    }
    this.kept.set(name, band);
    this.bands.append(band);
  }

  unband(name) {
    this.kept.get(name)?.remove();
    this.kept.delete(name);
  }

  saving() {
    this.status.textContent = "Saving…";
  }

  saved() {
    this.status.textContent = "Saved";
    this.unband("offline");
  }

  notSaved(error) {
    this.status.textContent = "Not saved";
    if (error.offline) this.offline();
  }

  offline() {
    if (!this.kept.has("offline")) this.band("offline", "The server cannot be reached. What you see stays; marks are not saved until it answers again.");
  }

  online() {
    this.unband("offline");
    this.unband("follow");
  }

  failedToFollow(error) {
    this.band("follow", `News from others cannot be had: ${error.message}`);
  }
}

/** A button that takes its toast away, and may do something. */
function leaving(toast, words, act = () => {}) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button button--small", textContent: words });
  button.addEventListener("click", () => {
    toast.remove();
    act();
  });
  return button;
}
