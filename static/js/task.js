/**
 * The task page: paints a task, takes one answer, sends it in the background and goes on.
 *
 * The next tasks are fetched ahead, so that going on waits for nothing. Undo walks back through
 * what was shown on this page; before that it asks the server.
 */
import { AnswerQueue, newId, postJson } from "./answer_queue.js";
import { ExposureClock } from "./exposure_clock.js";
import { Viewer, peekWithSpace, remember, remembered } from "./viewer.js";

const AHEAD = 5;
const LOW_WATER = 3;
const IDLE_MS = 60000;
const TOO_FAST_MS = 250;
const CHIP_AFTER_MS = 1500;
const RETRY_MS = 3000;

const find = (name) => document.querySelector(`[data-${name}]`);
const settings = JSON.parse(document.getElementById("task-settings").textContent);
const base = `/s/${settings.sitting}/`;
const say = (name, values = {}) =>
  (settings.words[name] ?? "").replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
const desk = find("task");
const buttons = Array.from(document.querySelectorAll("[data-answer]"));
const answerOfKey = Object.fromEntries(
  buttons.flatMap((button) => button.dataset.keys.split(" ").filter(Boolean).map((key) => [key, button.dataset.answer])),
);
const helpDialog = find("help-dialog");
const curtain = find("curtain");
const viewer = new Viewer(find("stage"));
const clock = new ExposureClock();
const queue = new AnswerQueue(
  settings.sitting,
  { answer: `${base}answer/`, undo: `${base}undo/` },
  heard,
);

const tasks = [{ ...settings.task, photo: null }];
const given = [];
const times = [];
let index = 0;
let ready = false;
let leaving = false;
let hasLeft = false;
let asking = null;
let hasWarned = false;
let keysOn = remembered("gazecheck:keys", { on: true }).on;
let idleTimer = 0;
let chipTimer = 0;

/* ---- showing ---- */

async function decoded(task) {
  const photo = new Image(task.width, task.height);
  photo.src = task.blob ?? task.picture;
  await photo.decode();
  return photo;
}

async function show(task, { isFirst = false } = {}) {
  setReady(false);
  words(task);
  const askedAt = performance.now();
  const preloaded = Boolean(task.photo);
  let photo = null;
  try {
    if (isFirst) await viewer.photo.decode();
    else photo = await (task.photo ?? decoded(task));
  } catch {
    photo = await again(task);
  }
  if (task !== tasks[index]) return;
  const decodedAt = performance.now();
  const shownAt = await viewer.show(task, photo);
  task.way = {
    request_to_shown_ms: Math.max(0, shownAt - askedAt),
    decoded_to_shown_ms: Math.max(0, shownAt - decodedAt),
    preloaded: Number(preloaded),
    n_changes: task.changes ?? 0,
  };
  task.photo = null;
  if (task !== tasks[index]) return;
  clock.start(shownAt);
  setReady(true);
  if (isFirst) postJson(`${base}serve/`, { assignment: task.assignment }).catch(() => undefined);
  if (isFirst) sharpen(task);
}

/** Once more from the server; if that fails too, the annotator may say so. */
async function again(task) {
  try {
    return await decoded({ ...task, blob: null });
  } catch {
    return null;
  }
}

/** The page carries a small picture; put the full one in its place when it is here. */
async function sharpen(task) {
  try {
    const photo = await decoded(task);
    if (task !== tasks[index] || photo.naturalWidth <= viewer.photo.naturalWidth) return;
    photo.className = viewer.photo.className;
    photo.alt = viewer.photo.alt;
    viewer.photo.replaceWith(photo);
    viewer.photo = photo;
  } catch {
    // The small one is good enough to judge by.
  }
}

function words(task) {
  const number = settings.answered + 1;
  const place = { n: number, of: settings.total };
  find("question").textContent = task.question;
  find("count").textContent = say("count", place);
  find("progress").value = settings.answered;
  find("left").textContent = say("left", { n: minutesLeft() });
  find("live").textContent = say("image", place);
  viewer.photo.alt = say("image", place);
  for (const field of document.querySelectorAll("[data-report-form] [name=assignment]")) {
    field.value = task.assignment;
  }
  find("label").hidden = !task.label;
  find("label").querySelector("strong").textContent = task.label;
  find("previous").hidden = !task.previous;
  find("previous-answer").textContent = say(`answer:${task.previous}`);
  find("undo").disabled = given.length === 0 && !settings.undo;
  document.title = document.title.replace(/^[^·]*/, `${say("count", place)} `);
}

function minutesLeft() {
  const sorted = times.toSorted?.((a, b) => a - b) ?? [...times].sort((a, b) => a - b);
  const each = sorted.length < AHEAD ? settings.secondsEach : sorted[sorted.length >> 1] + 0.5;
  return Math.max(1, Math.round((each * (settings.total - settings.answered)) / 60));
}

function setReady(on) {
  ready = on;
  desk.dataset.state = on ? "ready" : "loading";
  for (const button of buttons) button.disabled = !on;
  if (on) for (const button of buttons) delete button.dataset.chosen;
}

/* ---- fetching ahead ---- */

function fetchAhead() {
  asking ??= (async () => {
    try {
      const response = await fetch(`${base}ahead/?after=${tasks.at(-1).position}`);
      if (!response.ok) return null;
      const reply = await response.json();
      const known = new Set(tasks.map((task) => task.assignment));
      for (const task of reply.tasks) if (!known.has(task.assignment)) tasks.push(prefetch(task));
      return reply;
    } catch {
      return null;
    } finally {
      asking = null;
    }
  })();
  return asking;
}

function prefetch(task) {
  task.photo = (async () => {
    const response = await fetch(task.picture);
    if (!response.ok) throw new Error(`picture: ${response.status}`);
    task.blob = URL.createObjectURL(await response.blob());
    return decoded(task);
  })();
  task.photo.catch(() => undefined);
  return task;
}

/* ---- answering ---- */

function answer(choice, event) {
  if (!ready || leaving) return;
  const timing = clock.read(event.timeStamp);
  const task = tasks[index];
  setReady(false);
  mark(choice);
  const client_uuid = newId();
  given.push({ client_uuid, answer: choice });
  times.push((timing.shown_to_answer_ms - timing.hidden_ms) / 1000);
  task.previous = "";
  queue.push({
    kind: "answer",
    assignment: task.assignment,
    answer: choice,
    client_uuid,
    ...timing,
    ...task.way,
    input_kind: kindOf(event),
    overlay: viewer.report(),
    queuedAt: Date.now(),
  });
  settings.answered += 1;
  if (timing.shown_to_answer_ms < TOO_FAST_MS && !hasWarned) {
    hasWarned = true;
    drop(say("fast"), say("fastText"));
  }
  goOn();
}

/** Fill the pressed button in the same frame. */
function mark(choice) {
  for (const button of buttons) button.toggleAttribute("data-chosen", button.dataset.answer === choice);
}

function kindOf(event) {
  if (event.type === "keydown" || event.detail === 0) return "key";
  return event.pointerType || "mouse";
}

async function goOn() {
  index += 1;
  if (tasks.length - index < LOW_WATER) fetchAhead();
  while (index >= tasks.length) {
    const reply = await fetchAhead();
    if (index < tasks.length) break;
    if (reply && queue.isEmpty) return leave(reply.tasks.length ? base : `${base}done/`);
    if (reply && settings.answered >= settings.total) return finish();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return show(tasks[index]);
}

/** The last answer is given: leave once every answer has arrived. */
function finish() {
  leaving = true;
  find("count").textContent = say("count", { n: settings.total, of: settings.total });
  find("progress").value = settings.total;
  find("live").textContent = say("sending");
  if (queue.isEmpty) leave(`${base}done/`);
}

function leave(url) {
  leaving = true;
  if (!hasLeft) location.assign(url);
  hasLeft = true;
}

function undo() {
  if (given.length === 0) {
    if (settings.undo && queue.isEmpty) find("undo-form").submit();
    return;
  }
  const last = given.pop();
  times.pop();
  queue.push({ kind: "undo", client_uuid: last.client_uuid, queuedAt: Date.now() });
  settings.answered -= 1;
  leaving = false;
  index -= 1;
  tasks[index].previous = last.answer;
  tasks[index].changes = (tasks[index].changes ?? 0) + 1;
  show(tasks[index]);
}

/* ---- what the queue says ---- */

function heard(event) {
  if (event === "elsewhere" || event === "stale") {
    drop(say("elsewhere"), say("elsewhereText"), say("here"), base);
  } else if (event === "surplus") {
    leaving = true;
    if (queue.isEmpty) leave(base);
  } else if (event === "lost") {
    drop(say("lost"), say("lostText"), say("again"), base);
  }
  showChip();
}

function showChip() {
  const chip = find("chip");
  clearTimeout(chipTimer);
  const waiting = queue.waitingAnswers;
  if (waiting === 0) {
    chip.hidden = true;
    if (leaving && queue.isEmpty) leave(`${base}done/`);
    return;
  }
  const reveal = () => {
    const now = queue.waitingAnswers;
    chip.textContent = say("waiting", { n: now });
    chip.hidden = now === 0;
  };
  if (queue.failed || !chip.hidden || leaving) reveal();
  else chipTimer = setTimeout(reveal, CHIP_AFTER_MS);
}

/* ---- pausing ---- */

function drop(title, text, label = say("continue"), url = "") {
  if (curtain.open) return;
  find("curtain-title").textContent = title;
  find("curtain-text").textContent = text;
  find("continue").textContent = label;
  curtain.dataset.url = url;
  clock.pause();
  curtain.showModal();
}

curtain.addEventListener("close", () => {
  if (curtain.dataset.url) leave(curtain.dataset.url);
  clock.resume();
  document.activeElement?.blur();
  stir();
});
find("continue").addEventListener("click", () => curtain.close());
find("pause").addEventListener("click", () =>
  drop(say("paused"), say("rest")),
);

function stir() {
  clearTimeout(idleTimer);
  idleTimer = setTimeout(() => {
    if (helpDialog.open) helpDialog.close();
    drop(say("paused"), say("idle"));
  }, IDLE_MS);
}
for (const sign of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  document.addEventListener(sign, stir, { passive: true });
}

/* ---- help ---- */

function openHelp() {
  clock.pause();
  helpDialog.showModal();
}
helpDialog.addEventListener("close", () => {
  clock.resume();
  document.activeElement?.blur();
});
find("help").addEventListener("click", openHelp);
find("close").addEventListener("click", () => helpDialog.close());
find("keys-switch").checked = keysOn;
find("keys-switch").addEventListener("change", (event) => {
  keysOn = event.target.checked;
  remember("gazecheck:keys", { on: keysOn });
  document.body.dataset.singleKeys = keysOn ? "on" : "off";
});
document.body.dataset.singleKeys = keysOn ? "on" : "off";

/* ---- input ---- */

/** Name a key in lower case; where letters are not Latin, by its place on the keyboard. */
function keyOf(event) {
  if (event.key.length > 1 || /^[a-z0-9?]$/i.test(event.key)) return event.key.toLowerCase();
  return /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : event.key;
}

const isCovered = () => curtain.open || helpDialog.open;

for (const button of buttons) {
  button.addEventListener("click", (event) => {
    answer(button.dataset.answer, event);
    if (event.detail > 0) button.blur();
  });
}
find("undo-form").addEventListener("submit", (event) => {
  event.preventDefault();
  undo();
});
document.addEventListener("keydown", (event) => {
  if (!keysOn || isCovered() || event.repeat) return;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches?.("input[type=range]") && event.key.startsWith("Arrow")) return;
  const key = keyOf(event);
  if (answerOfKey[key]) {
    event.preventDefault();
    answer(answerOfKey[key], event);
  } else if (key === "z") undo();
  else if (key === "?") openHelp();
});
peekWithSpace(viewer, () => !keysOn || isCovered());
window.addEventListener("pageshow", (event) => {
  // A page out of the back/forward cache may be behind what the server knows.
  if (event.persisted) location.reload();
});

/* ---- beginning ---- */

async function begin() {
  const kept = new Set(queue.entries.map((entry) => entry.assignment));
  if (kept.has(tasks[0].assignment) || queue.entries.some((entry) => entry.kind === "undo")) {
    // Answers of an earlier visit are still here: the server does not know them yet.
    await queue.flush();
    if (queue.isEmpty) return location.reload();
  }
  queue.flush();
  stir();
  await show(tasks[0], { isFirst: true });
  window.gazecheckReady = true;
  return fetchAhead();
}

showChip();
begin();
