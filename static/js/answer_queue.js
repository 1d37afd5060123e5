/**
 * Answers on their way to the server, kept by the browser until each has been acknowledged.
 *
 * One entry is sent at a time and in order. Every answer carries an id made here, so sending it
 * again after a lost reply changes nothing.
 */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;
const PATIENCE = 20000;

/** An id for one answer; `crypto.randomUUID` is missing where the page is not served over TLS. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export function csrfToken() {
  const cookie = document.cookie.split("; ").find((part) => part.startsWith("csrftoken="));
  return (
    cookie?.slice("csrftoken=".length) ??
    document.querySelector("[name=csrfmiddlewaretoken]")?.value ??
    ""
  );
}

/** Post JSON; `keepalive` lets it finish after the page has gone. */
export async function postJson(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify(body),
    credentials: "same-origin",
    keepalive: true,
    signal: AbortSignal.timeout?.(PATIENCE),
  });
  const reply = await response.json().catch(() => ({}));
  return { status: response.status, reply };
}

export class AnswerQueue {
  /**
   * @param {string} name Where this sitting's entries are kept.
   * @param {{answer: string, undo: string}} urls
   * @param {(event: string, detail?: object) => void} tell Called with "waiting" whenever the
   *   queue changes, and with "elsewhere", "stale", "surplus" or "lost" when the server says so.
   */
  constructor(name, urls, tell) {
    this.key = `gazecheck:queue:${name}`;
    this.urls = urls;
    this.tell = tell;
    this.entries = this.load();
    this.sending = false;
    this.wait = FIRST_WAIT;
    this.failed = false;
    window.addEventListener("online", () => this.flush(true));
  }

  get waitingAnswers() {
    return this.entries.filter((entry) => entry.kind === "answer").length;
  }

  get isEmpty() {
    return this.entries.length === 0;
  }

  push(entry) {
    this.entries.push(entry);
    this.save();
    this.flush();
  }

  /** Send what there is; resolves once the queue is empty or a try has failed. */
  async flush(atOnce = false) {
    if (this.sending && !atOnce) return;
    if (this.sending) return;
    clearTimeout(this.timer);
    this.sending = true;
    try {
      while (this.entries.length > 0) {
        const entry = this.entries[0];
        const { status, reply } = await postJson(this.urls[entry.kind], this.body(entry));
        if (!this.settled(status)) throw new Error(`status ${status}`);
        this.entries.shift();
        this.failed = false;
        this.wait = FIRST_WAIT;
        this.save();
        this.report(status, reply);
      }
    } catch {
      this.failed = true;
      this.tell("waiting");
      this.timer = setTimeout(() => this.flush(), this.wait);
      this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
    } finally {
      this.sending = false;
    }
  }

  /** Whether a status ends the matter; a server in trouble or a lost cookie does not. */
  settled(status) {
    if (status === 403 || status === 404) {
      this.tell("lost");
      return false;
    }
    return status === 200 || status === 400 || status === 409;
  }

  report(status, reply) {
    this.tell("waiting");
    if (reply.status === "elsewhere") this.tell("elsewhere");
    else if (status === 409 || status === 400) this.tell("stale");
    else if (reply.surplus) this.tell("surplus");
  }

  body({ kind: _kind, queuedAt, ...rest }) {
    const delay = Math.max(0, Date.now() - queuedAt);
    return { ...rest, delay_ms: delay > 1500 ? delay : 0 };
  }

  load() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  }

  save() {
    try {
      if (this.entries.length) localStorage.setItem(this.key, JSON.stringify(this.entries));
      else localStorage.removeItem(this.key);
    } catch {
      // Without a store the queue lasts as long as the page.
    }
    this.tell("waiting");
  }
}
