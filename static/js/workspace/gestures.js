/**
 * Hands on the stage: drag and pinch, wheel, lasso and rectangle, hover and click. The keys are in
 * keys.js; nothing here can be done by pointer alone.
 */
import { pictureOf } from "./pictures.js";

const STILL = 4;
const REACH = 14;
const DWELL = 125;
const LONG_PRESS = 550;

/** Let pointers act on a stage. */
export function followHands(stage) {
  const { place, svg } = stage;
  const hands = new Map();
  let drag = null;
  let outline = null;
  let pressed = null;

  const at = (event) => {
    const box = place.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const isOpen = (event) => stage.scene && stage.store.state.view !== "matrix" && !event.target.closest("[data-matrix], [data-stage-waiting]");

  place.addEventListener("pointerdown", (event) => {
    if (!isOpen(event) || event.button > 0) return;
    const [x, y] = at(event);
    hands.set(event.pointerId, [x, y]);
    const { tool } = stage.store.state;
    if (stage.isScatter && tool !== "pan" && hands.size === 1) {
      outline = { tool, from: [x, y], line: [[x, y]], how: howOf(event, stage) };
      place.setPointerCapture(event.pointerId);
      return;
    }
    outline = null;
    drag = { from: [x, y], view: { ...stage.view }, moved: false };
    const tile = event.target.closest?.(".ws-tile");
    clearTimeout(pressed);
    if (tile && event.pointerType === "touch") pressed = setTimeout(() => stage.onDouble(Number(tile.dataset.number)), LONG_PRESS);
  });

  place.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (outline && hands.has(event.pointerId)) {
      stretch(outline, x, y);
      drawOutline(stage.ink, outline);
      return;
    }
    if (hands.has(event.pointerId)) {
      const before = new Map(hands);
      hands.set(event.pointerId, [x, y]);
      if (hands.size === 2) {
        clearTimeout(pressed);
        pinch(stage, before, hands);
        drag = null;
      } else if (drag) {
        if (!drag.moved && Math.hypot(x - drag.from[0], y - drag.from[1]) < STILL) return;
        if (!drag.moved) place.setPointerCapture(event.pointerId);
        drag.moved = true;
        clearTimeout(pressed);
        stage.goTo({ ...stage.view, x: drag.view.x + x - drag.from[0], y: drag.view.y + y - drag.from[1] });
      }
      return;
    }
    if (stage.isScatter && stage.scene) hoverPoint(stage, x, y);
  });

  const end = (event) => {
    clearTimeout(pressed);
    hands.delete(event.pointerId);
    if (outline) {
      const { line, tool, from, how } = outline;
      outline = null;
      clearInk(stage.ink);
      const ring = tool === "rectangle" ? corners(from, line.at(-1)) : line;
      if (event.type === "pointerup" && ring.length > 2) stage.onOutline(ring.map(([x, y]) => stage.toScene(x, y)), how);
    }
    if (drag?.moved) stage.skipClick = true;
    drag = null;
    setTimeout(() => {
      stage.skipClick = false;
    });
  };
  place.addEventListener("pointerup", end);
  place.addEventListener("pointercancel", end);

  place.addEventListener(
    "wheel",
    (event) => {
      if (!isOpen(event)) return;
      event.preventDefault();
      const [x, y] = at(event);
      const step = event.deltaMode === 1 ? 18 : 1;
      stage.zoom(Math.exp(-event.deltaY * step * (event.ctrlKey ? 0.01 : 0.0015)), x, y);
    },
    { passive: false },
  );

  svg.addEventListener("pointerover", (event) => {
    const tile = event.target.closest(".ws-tile");
    if (tile && !hands.size) stage.raise(Number(tile.dataset.number));
  });
  svg.addEventListener("pointerout", () => stage.lift.drop());
  svg.addEventListener("blur", () => stage.lift.drop());
  place.addEventListener("click", (event) => {
    if (!isOpen(event) || stage.skipClick) return;
    const tile = event.target.closest(".ws-tile");
    if (tile) pick(stage, Number(tile.dataset.number), event);
    else if (stage.isScatter && stage.store.state.tool === "pan") pickPoint(stage, ...at(event));
  });
  svg.addEventListener("dblclick", (event) => {
    const tile = event.target.closest(".ws-tile");
    if (tile) stage.onDouble(Number(tile.dataset.number));
  });
  place.addEventListener("pointerleave", () => forgetPoint(stage));
}

function howOf(event, stage) {
  if (event.shiftKey) return "add";
  if (event.altKey) return "subtract";
  return stage.store.state.how;
}

/** Choose a slice; with Ctrl or Shift, add it to the choice or take it out. */
function pick(stage, number, event) {
  const { slice, also } = stage.store.state;
  if ((event.ctrlKey || event.metaKey || event.shiftKey) && slice !== null && number !== slice) {
    const next = also.includes(number) ? also.filter((one) => one !== number) : [...also, number];
    stage.store.set({ also: next });
  } else {
    stage.store.set({ slice: number, also: [], page: 1 });
  }
}

function pickPoint(stage, x, y) {
  const row = rowAt(stage, x, y);
  if (row >= 0) stage.store.set({ slice: stage.model.slices[stage.model.columns.slice[row]].number, also: [], page: 1 });
}

function rowAt(stage, x, y) {
  if (!stage.points.n) return -1;
  const [sx, sy] = stage.toScene(x, y);
  return stage.points.nearest(sx, sy, REACH / stage.view.k, stage.arrangement?.bright ?? null);
}

function pinch(stage, before, now) {
  const [[ax, ay], [bx, by]] = [...before.values()];
  const [[cx, cy], [dx, dy]] = [...now.values()];
  const factor = Math.hypot(dx - cx, dy - cy) / Math.max(1, Math.hypot(bx - ax, by - ay));
  stage.zoom(factor, (cx + dx) / 2, (cy + dy) / 2);
  stage.move((cx + dx - ax - bx) / 2, (cy + dy - ay - by) / 2);
}

function stretch(outline, x, y) {
  const [lx, ly] = outline.line.at(-1);
  if (outline.tool === "rectangle") outline.line[1] = [x, y];
  else if (Math.hypot(x - lx, y - ly) > 2) outline.line.push([x, y]);
}

const corners = ([ax, ay], [bx, by]) => [[ax, ay], [bx, ay], [bx, by], [ax, by]];

function drawOutline(ink, { tool, from, line }) {
  const context = ink.getContext("2d");
  context.clearRect(0, 0, ink.width, ink.height);
  const ring = tool === "rectangle" ? corners(from, line.at(-1)) : line;
  context.beginPath();
  ring.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  const accent = getComputedStyle(ink).getPropertyValue("--accent");
  context.globalAlpha = 0.12;
  context.fillStyle = accent;
  context.fill();
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.strokeStyle = accent;
  context.stroke();
}

function clearInk(ink) {
  ink.getContext("2d").clearRect(0, 0, ink.width, ink.height);
}

/** A ring at once, a card after a moment. */
function hoverPoint(stage, x, y) {
  const row = rowAt(stage, x, y);
  if (row === stage.hovered) return;
  forgetPoint(stage);
  if (row < 0) return;
  stage.hovered = row;
  const px = stage.points.xs[row] * stage.view.k + stage.view.x;
  const py = stage.points.ys[row] * stage.view.k + stage.view.y;
  const context = stage.ink.getContext("2d");
  context.lineWidth = 2;
  context.strokeStyle = getComputedStyle(stage.ink).getPropertyValue("--text");
  context.beginPath();
  context.arc(px, py, 7, 0, 2 * Math.PI);
  context.stroke();
  stage.dwell = setTimeout(() => tellPoint(stage, row, px, py), DWELL);
}

function forgetPoint(stage) {
  clearTimeout(stage.dwell);
  if (stage.hovered === undefined || stage.hovered === null || stage.hovered < 0) return;
  stage.hovered = null;
  clearInk(stage.ink);
  stage.lift.card.hidden = true;
}

async function tellPoint(stage, row, x, y) {
  let found;
  try {
    found = await stage.lists.some([row]);
  } catch {
    return;
  }
  if (stage.hovered !== row || !found.images.length) return;
  const { card } = stage.lift;
  const slice = stage.model.slices[stage.model.columns.slice[row]];
  const title = Object.assign(document.createElement("p"), { className: "ws-card__title", textContent: `In slice ${slice.number}` });
  const holder = Object.assign(document.createElement("div"), { className: "ws-card__one" });
  holder.append(pictureOf(found.images[0], stage.model, stage.store.state));
  card.replaceChildren(title, holder);
  card.hidden = false;
  card.style.left = `${Math.max(8, Math.min(stage.width - card.offsetWidth - 8, x + 14))}px`;
  card.style.top = `${Math.max(8, Math.min(stage.height - card.offsetHeight - 8, y + 14))}px`;
}
