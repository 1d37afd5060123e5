/**
 * The keyboard: everything the pointer can do. Single letters act only while the focus is in the
 * workspace and can be switched off.
 */
import { KEY_TO_KIND } from "./dialogs.js";
import { remember, remembered } from "../viewer.js";

const KEPT = "gazecheck:workspace-keys";
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STRIDE = 60;
const NEXT_VIEW = { v: "mosaic", p: "scatter", m: "matrix" };

/** Let keys act. */
export function followKeys(root, { store, stage, table, detail, marking, dialogs, chosen }) {
  const box = root.querySelector("[data-single-keys]");
  box.checked = remembered(KEPT, { single: true }).single;
  box.addEventListener("change", () => remember(KEPT, { single: box.checked }));

  const letters = {
    "[": () => go(table.step(-1)),
    "]": () => go(table.step(1)),
    "+": () => stage.zoom(1.4),
    "=": () => stage.zoom(1.4),
    "-": () => stage.zoom(1 / 1.4),
    0: () => stage.fitAll(),
    u: () => marking.mark("clear"),
    e: () => store.set({ layout: stage.layout === "map" ? "even" : "map" }),
    h: () => detail.cycleOverlay(),
    l: () => store.set(store.state.view === "scatter" && store.state.tool === "lasso" ? { tool: "pan" } : { view: "scatter", tool: "lasso" }),
    i: (event) => chosen.pick("slice", event),
    "/": () => root.querySelector("[data-find]").focus(),
    "?": () => dialogs.open("keys"),
  };

  function go(number) {
    if (number === null || number === undefined) return;
    store.set({ slice: number, also: [], page: 1 });
    table.reveal();
    stage.reveal(number);
    if (document.activeElement === stage.svg) stage.raise(number);
  }

  const withControl = (event) => {
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) marking.undo();
    else if (key === "y" || (key === "z" && event.shiftKey)) marking.redo();
    else return false;
    return true;
  };

  const inMosaic = (event) => {
    const way = WAYS[event.key];
    if (way && event.shiftKey) stage.move(-way[0] * STRIDE, -way[1] * STRIDE);
    else if (way) go(store.state.slice === null ? table.step(0) : stage.neighbour(way));
    else if (event.key === "Enter") {
      if (store.state.slice === null) go(table.step(0));
      else dialogs.annotate();
    } else if (event.key === " ") toggle();
    else return false;
    return true;
  };

  /** Take the slice just gone to into the choice, and stay on it. */
  function toggle() {
    const { slice, also } = store.state;
    if (slice === null) return;
    store.set({ also: also.includes(slice) ? also.filter((one) => one !== slice) : [...also, slice] });
  }

  const letter = (event) => {
    if (!box.checked) return false;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (KEY_TO_KIND[key]) marking.mark(KEY_TO_KIND[key]);
    else if (NEXT_VIEW[key]) store.set({ view: NEXT_VIEW[key] });
    else if (letters[key]) letters[key](event);
    else return false;
    return true;
  };

  const escape = () => {
    stage.lift.drop();
    if (chosen.mask) chosen.clear();
    else if (store.state.also.length) store.set({ also: [] });
    else return false;
    return true;
  };

  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.defaultPrevented || dialogs.isOpen) return;
    const isTyping = target.matches?.("input:not([type=range], [type=checkbox], [type=radio]), textarea, select");
    if (event.ctrlKey || event.metaKey) {
      if (!isTyping && withControl(event)) event.preventDefault();
      return;
    }
    const isHere = root.contains(target) || target === document.body || target.id === "main";
    if (isTyping || !isHere || root.dataset.state !== "ready") return;
    const done =
      (target === stage.svg && inMosaic(event)) ||
      (event.key === "Escape" && escape()) ||
      ((!event.altKey || event.key.toLowerCase() === "i") && letter(event));
    if (done) event.preventDefault();
  });

  stage.svg.addEventListener("focus", () => {
    if (store.state.slice !== null && stage.svg.matches(":focus-visible")) stage.raise(store.state.slice);
  });
}
