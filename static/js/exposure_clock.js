/**
 * How long a stimulus was on the screen, with hidden time and time out of focus kept apart.
 *
 * All moments are on the clock of `performance.now()` and of event time stamps.
 */
export class ExposureClock {
  constructor(page = document, view = window) {
    this.page = page;
    this.shownAt = null;
    this.pausedAt = null;
    page.addEventListener("visibilitychange", (event) => this.changed(event.timeStamp));
    view.addEventListener("blur", (event) => this.changed(event.timeStamp, false));
    view.addEventListener("focus", (event) => this.changed(event.timeStamp, true));
    this.focused = page.hasFocus();
    this.state = this.stateNow();
    this.since = performance.now();
    this.totals = { hidden: 0, blurred: 0, seen: 0 };
  }

  /** Begin anew at the moment of paint. */
  start(shownAt) {
    this.shownAt = shownAt;
    this.totals = { hidden: 0, blurred: 0, seen: 0 };
    this.state = this.stateNow();
    this.since = shownAt;
  }

  /** A curtain over the picture counts as hidden. */
  pause(now = performance.now()) {
    this.pausedAt = now;
    this.changed(now);
  }

  resume(now = performance.now()) {
    this.pausedAt = null;
    this.changed(now);
  }

  /** Give what passed between paint and an event, in milliseconds. */
  read(answeredAt) {
    this.changed(answeredAt);
    const round = (value) => Math.round(Math.max(0, value) * 10) / 10;
    return {
      shown_to_answer_ms: round(answeredAt - this.shownAt),
      hidden_ms: round(this.totals.hidden),
      blur_ms: round(this.totals.blurred),
    };
  }

  changed(now, focused = this.focused) {
    this.totals[this.state] += Math.max(0, now - this.since);
    this.since = Math.max(this.since, now);
    this.focused = focused;
    this.state = this.stateNow();
  }

  stateNow() {
    if (this.pausedAt !== null || this.page.visibilityState === "hidden") return "hidden";
    return this.focused ? "seen" : "blurred";
  }
}
