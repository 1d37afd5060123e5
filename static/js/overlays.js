/* Draws the attention grid of every picture on the page, once it comes into view, and hides or
   shows them all with the "Heat" switch. */
import { drawHeat } from "./heatmap.js";

const SIDE = 112;

const draw = (picture) => {
  if (picture.querySelector("canvas")) return;
  const side = Number(picture.dataset.side);
  const canvas = document.createElement("canvas");
  const image = picture.querySelector("img");
  const ratio = image && image.naturalWidth ? image.naturalHeight / image.naturalWidth : 1;
  canvas.width = SIDE;
  canvas.height = Math.max(1, Math.round(SIDE * ratio));
  canvas.setAttribute("aria-hidden", "true");
  if (drawHeat(canvas, picture.dataset.grid, side)) picture.append(canvas);
  picture.dataset.state = "drawn";
};

const whenLoaded = (picture) => {
  const image = picture.querySelector("img");
  if (!image || (image.complete && image.naturalWidth)) draw(picture);
  else image.addEventListener("load", () => draw(picture), { once: true });
};

const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      whenLoaded(entry.target);
    }
  },
  { rootMargin: "400px" },
);

for (const picture of document.querySelectorAll("[data-grid]")) watcher.observe(picture);

for (const control of document.querySelectorAll("[data-heat-switch]")) {
  const box = control.querySelector("input");
  control.hidden = false;
  box.addEventListener("change", () => {
    document.documentElement.classList.toggle("heat-off", !box.checked);
    for (const other of document.querySelectorAll("[data-heat-switch] input")) {
      other.checked = box.checked;
    }
  });
}
