/**
 * Signs on the points of images that a person marked one by one: a dot for core, a square for
 * spurious. A line of no length has its cap drawn alone, and keeps its size whatever the zoom.
 */
import { shape } from "./tiles.js";

const CAPS = { core: "round", spurious: "square" };

/** Give the signs as the page shows them, for a file that has no sheet of styles. */
export function ownMarksOf(stage) {
  const group = stage.svg.querySelector("[data-group=own]");
  if (getComputedStyle(group).display === "none") return [];
  return [...group.querySelectorAll("path")].map((path) => {
    const { stroke, strokeWidth } = getComputedStyle(path);
    const cap = path.getAttribute("stroke-linecap");
    return shape("path", { d: path.getAttribute("d"), fill: "none", stroke, "stroke-width": strokeWidth, "stroke-linecap": cap, "vector-effect": "non-scaling-stroke" });
  });
}

/** Draw the signs of all marked images anew, one path a kind. */
export function drawOwnMarks(stage, model) {
  const group = stage.svg.querySelector("[data-group=own]");
  const { xs, ys } = stage.points;
  if (!xs) return;
  const d = { core: "", spurious: "" };
  for (const [row, kind] of model.imageMarks) d[kind] += `M${xs[row].toFixed(2)} ${ys[row].toFixed(2)}h0`;
  group.replaceChildren(
    ...Object.entries(CAPS).flatMap(([kind, cap]) => {
      const drawn = { d: d[kind], "stroke-linecap": cap, "vector-effect": "non-scaling-stroke" };
      return [shape("path", { ...drawn, class: "ws-own-rim" }), shape("path", { ...drawn, class: `ws-own-${kind}` })];
    }),
  );
}
