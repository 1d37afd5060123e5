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
    this.reset();
    for (const sign of ["pointerdown", "keydown"]) {
      page.addEventListener(sign, (event) => (this.firstInputAt ??= event.timeStamp), true);
    }
  }

  reset() {
    this.totals = { hidden: 0, blurred: 0, seen: 0 };
    this.counts = { hidden: 0, blurred: 0, seen: 0 };
    this.longestHidden = 0;
    this.firstInputAt = null;
  }

  /** Begin anew at the moment of paint. */
  start(shownAt) {
    this.shownAt = shownAt;
    this.reset();
    this.state = this.stateNow();
    this.counts[this.state] += 1;
    this.since = shownAt;
    this.stretch = shownAt;
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
      longest_hidden_ms: round(this.longestHidden),
      n_hidden: this.counts.hidden,
      n_blur: this.counts.blurred,
      shown_to_first_input_ms: round((this.firstInputAt ?? answeredAt) - this.shownAt),
    };
  }

  changed(now, focused = this.focused) {
    this.totals[this.state] += Math.max(0, now - this.since);
    this.since = Math.max(this.since, now);
    this.focused = focused;
    const before = this.state;
    this.state = this.stateNow();
    if (before === "hidden") {
      this.longestHidden = Math.max(this.longestHidden, this.since - this.stretch);
    }
    if (before !== this.state) {
      this.counts[this.state] += 1;
      this.stretch = this.since;
    }
  }

  stateNow() {
    if (this.pausedAt !== null || this.page.visibilityState === "hidden") return "hidden";
    return this.focused ? "seen" : "blurred";
  }
}
