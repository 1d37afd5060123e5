/**
 * The state as a readable query string, and back. One table, so that nothing is forgotten.
 */
import { START } from "./store.js";

const whole = { read: (text) => (/^\d+$/.test(text) ? Number(text) : undefined), write: String };
const words = (...allowed) => ({
  read: (text) => (allowed.includes(text) ? text : undefined),
  write: String,
});
const plain = { read: (text) => text, write: String };
const flag = { read: (text) => (text === "1" ? true : text === "0" ? false : undefined), write: (on) => (on ? "1" : "0") };
const numbers = (wanted, are = Number.isFinite) => ({
  read: (text) => {
    const found = text.split(",").filter(Boolean).map(Number);
    return (!wanted || found.length === wanted) && found.every(are) ? found : undefined;
  },
  write: (list) => list.join(","),
});
const share = (most) => ({
  read: (text) => (/^\d+$/.test(text) && Number(text) <= most ? Number(text) : undefined),
  write: String,
});

const PARTS = {
  view: words("mosaic", "scatter", "matrix"),
  layout: words("map", "even"),
  colour: words("slice", "accuracy", "confidence", "spuriousness", "coherence"),
  slice: whole,
  also: numbers(0, Number.isInteger),
  sort: words("number", "size", "accuracy", "confidence", "coherence", "spuriousness", "mark"),
  descending: flag,
  guide: words("worst", "odd", "spurious"),
  find: plain,
  predicted: plain,
  mark: words("none", "any", "core", "spurious", "mixed", "wrong_labels"),
  accuracy: words("0.5", "0.8", "0.95"),
  cell: numbers(2, Number.isInteger),
  order: words("errors", "typical", "border", "random"),
  page: whole,
  at: numbers(3),
  opacity: share(100),
  threshold: share(90),
  contour: flag,
};

/** Read a query string; what is not understood is left out. */
export function readAddress(search) {
  const given = new URLSearchParams(search);
  const state = {};
  for (const [key, { read }] of Object.entries(PARTS)) {
    const text = given.get(key);
    const value = text === null ? undefined : read(text);
    if (value !== undefined) state[key] = value;
  }
  return state;
}

/** Write a query string that names only what differs from the start. */
export function writeAddress(state, defaults = START) {
  const given = new URLSearchParams();
  for (const [key, { write }] of Object.entries(PARTS)) {
    const value = state[key];
    if (value === null || value === undefined || value === "") continue;
    if (JSON.stringify(value) === JSON.stringify(defaults[key])) continue;
    given.set(key, write(value));
  }
  const text = given.toString().replaceAll("%2C", ",");
  return text ? `?${text}` : "";
}

const OTHERS = ["split", "saved", "measure"];

/** The state as a query string, with those other parameters that the address has. */
function written(state) {
  const given = new URLSearchParams(location.search);
  const kept = OTHERS.filter((name) => given.has(name)).map((name) => `${name}=${encodeURIComponent(given.get(name))}`);
  const own = writeAddress(state).slice(1);
  const text = [...kept, own].filter(Boolean).join("&");
  return text ? `?${text}` : "";
}

/** Put a parameter that is not of the state into the address, or take it out: null. */
export function setParameter(name, value) {
  const url = new URL(location.href);
  if (value === null) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  const text = url.search.replaceAll("%2C", ",");
  if (text !== location.search) history.replaceState(null, "", `${location.pathname}${text}`);
}

/** Keep address and store in step, both ways; other parameters of the address stay. */
export function followAddress(store) {
  store.on(Object.keys(PARTS), (_state, _changed, how) => {
    if (how === "none") return;
    const next = `${location.pathname}${written(store.state)}`;
    if (next === `${location.pathname}${location.search}`) return;
    if (how === "push") history.pushState(null, "", next);
    else history.replaceState(null, "", next);
  });
  window.addEventListener("popstate", () => {
    const all = Object.fromEntries(Object.keys(PARTS).map((key) => [key, START[key]]));
    store.set({ ...all, ...readAddress(location.search) }, { history: "none" });
  });
}
