/**
 * The figure as a file: what the stage shows, with its pictures inside, and a line that says what
 * it is. SVG stays sharp; PNG is drawn from it at twice the size.
 */
import { download } from "./chosen.js";
import { css, legendOf, themeColours } from "./colours.js";
import { count, percent } from "./model.js";
import { pathOf } from "./geometry.js";
import { ownMarksOf } from "./ownmarks.js";
import { shape } from "./tiles.js";

const FOOT = 64;
const MATRIX_FOOT = 40;
const STEPS = 32;
const TWICE = 2;
const NAMES = { slice: "slice", accuracy: "accuracy", confidence: "mean confidence", spuriousness: "spuriousness", coherence: "coherence" };

/** Make the figure and hand it to the person. */
export async function exportFigure(kind, { stage, model, store, project }) {
  if (!stage.scene) throw new Error("show the mosaic first, so that there is a figure.");
  const svg = store.state.view === "matrix" ? matrixFigure(model) : await mosaicFigure(stage, model, store);
  const text = new XMLSerializer().serializeToString(svg);
  const blob = new Blob([`<?xml version="1.0" encoding="UTF-8"?>\n${text}`], { type: "image/svg+xml" });
  const name = `${slug(project)}-${store.state.view}`;
  if (kind === "svg") download(blob, `${name}.svg`);
  else download(await rendered(text, Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))), `${name}.png`);
}

function sheet(width, height, theme) {
  const svg = shape("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}`, "font-family": "system-ui, sans-serif" });
  svg.append(shape("rect", { width, height, fill: css(theme.surface) }));
  return svg;
}

async function mosaicFigure(stage, model, store) {
  const theme = themeColours();
  const { width, height, view, scene } = stage;
  const svg = sheet(width, height + FOOT, theme);
  svg.prepend(shape("title", {}, `Attribution mosaic, ${model.slices.length} slices`));
  const frame = shape("clipPath", { id: "frame" }, shape("rect", { width, height }));
  const drawing = shape("g", { "clip-path": "url(#frame)" });
  if (scene.isTrue && model.columns) {
    drawing.append(shape("image", { width, height, href: stage.points.canvas.toDataURL("image/png") }));
  }
  const placed = shape("g", { transform: `translate(${view.x} ${view.y}) scale(${view.k})` });
  for (const [number, part] of stage.tiles.parts) placed.append(await tileOf(number, part, stage, theme));
  placed.append(...ownMarksOf(stage));
  drawing.append(placed);
  svg.append(frame, drawing, ...footOf(model, store, height, stage.palette()));
  return svg;
}

async function tileOf(number, { slice, tile, outline, label }, stage, theme) {
  const d = pathOf(tile.rings);
  const group = shape("g", {});
  const k = stage.view.k;
  const isSmall = Math.min(tile.box.width, tile.box.height) * k < 28;
  if (slice.picture && !isSmall && !stage.isScatter) {
    const clip = `clip-${number}`;
    const side = Math.max(tile.box.width, tile.box.height);
    group.append(
      shape("clipPath", { id: clip }, shape("path", { d })),
      shape("image", { x: tile.box.x + (tile.box.width - side) / 2, y: tile.box.y + (tile.box.height - side) / 2, width: side, height: side, href: await inlined(slice.picture), "clip-path": `url(#${clip})` }),
    );
  }
  const stroke = outline.getAttribute("stroke");
  group.append(
    shape("path", {
      d,
      fill: "none",
      stroke: stroke === "currentColor" ? css(theme.edge) : stroke,
      "stroke-width": (outline.classList.contains("is-thin") ? 1 : 3) / k,
      "stroke-linejoin": "round",
      ...(outline.classList.contains("is-dashed") ? { "stroke-dasharray": `${6 / k} ${4 / k}` } : {}),
    }),
  );
  if (!isSmall && !label.classList.contains("is-hidden")) {
    group.append(shape("text", { x: tile.corner[0] + 4 / k, y: tile.corner[1] + 13 / k, "font-size": 12 / k, "font-weight": 600, fill: "#fff", stroke: "#000", "stroke-opacity": 0.75, "stroke-width": 3 / k, "paint-order": "stroke" }, label.textContent));
  }
  return group;
}

const kept = new Map();

/** A picture as a data address, so that the file stands alone. */
async function inlined(url) {
  if (!kept.has(url)) {
    const blob = await (await fetch(url, { credentials: "same-origin" })).blob();
    const text = await new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(blob);
    });
    kept.set(url, text);
  }
  return kept.get(url);
}

/** Below the figure: the scale of its colours, and what it shows. */
function footOf(model, store, top, palette) {
  const { colour } = store.state;
  const { ends, colourAt, words } = legendOf(colour, palette);
  const text = (x, y, said, more = {}) => shape("text", { x, y, "font-size": 12, fill: css(palette.theme.text), ...more }, said);
  const what = `${model.slices.length} slices of ${count(model.n)} images (${model.payload.split}), coloured by ${NAMES[colour]}; run ${model.payload.run ?? "not named"}, slices version ${model.setVersion}`;
  const foot = [text(12, top + 50, what)];
  if (!ends) return [text(12, top + 25, words), ...foot];
  const [left, side] = [90, 4];
  foot.push(text(left - 8, top + 25, ends[0], { "text-anchor": "end" }));
  for (let step = 0; step < STEPS; step += 1) {
    foot.push(shape("rect", { x: left + step * side, y: top + 16, width: side, height: 10, fill: css(colourAt(step / (STEPS - 1))) }));
  }
  foot.push(text(left + STEPS * side + 8, top + 25, words ? `${ends[1]} (${words})` : ends[1]));
  return foot;
}

/** The confusion matrix as a figure: counts and shares of the truth. */
function matrixFigure(model) {
  const theme = themeColours();
  const c = model.classes.length;
  const counts = model.confusion();
  const side = c > 12 ? 36 : 72;
  const left = 140;
  const svg = sheet(left + c * side + 16, 48 + c * side + MATRIX_FOOT, theme);
  const text = (x, y, words, more = {}) => shape("text", { x, y, "font-size": 12, fill: css(theme.text), ...more }, words);
  model.classes.forEach((name, i) => {
    svg.append(text(left - 8, 48 + i * side + side / 2 + 4, name, { "text-anchor": "end" }), text(left + i * side + side / 2, 36, name, { "text-anchor": "middle" }));
    const total = model.classes.reduce((sum, _, j) => sum + counts[i * c + j], 0);
    model.classes.forEach((_, j) => {
      const n = counts[i * c + j];
      const x = left + j * side;
      const y = 48 + i * side;
      svg.append(shape("rect", { x: x + 1, y: y + 1, width: side - 2, height: side - 2, fill: i === j ? css(theme.sunken) : css(theme.spurious), "fill-opacity": i === j ? 1 : Math.sqrt(n / Math.max(1, total)) }));
      svg.append(text(x + side / 2, y + side / 2, count(n), { "text-anchor": "middle" }));
      if (side > 40) svg.append(text(x + side / 2, y + side / 2 + 16, percent(n / Math.max(1, total)), { "text-anchor": "middle", "font-size": 11 }));
    });
  });
  svg.append(text(12, 48 + c * side + 25, `Rows: truth, columns: prediction; ${count(model.n)} images (${model.payload.split})`));
  return svg;
}

async function rendered(text, width, height) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: width * TWICE, height: height * TWICE });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => {
      canvas.toBlob(resolve, "image/png");
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}

const slug = (name) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "") || "figure";
