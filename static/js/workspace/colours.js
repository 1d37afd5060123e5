/**
 * Colours that mean something: scales, legends, and one hue a slice such that no neighbours share
 * one. A colour is [red, green, blue]; nothing here is the only carrier of what it says.
 */
import { spuriousness } from "./model.js";

const VIRIDIS = ["440154", "482475", "414487", "355f8d", "2a788e", "21918c", "22a884", "44bf70", "7ad151", "bddf26", "fde725"];
const OKABE_ITO = ["0072b2", "e69f00", "009e73", "cc79a7", "56b4e9", "d55e00", "8c8c00", "767676"];
const MIDDLE = [184, 190, 199];
const NEIGHBOURS = 7;
/** The part of viridis that can be told from the ground: its light end on dark, its dark end on light. */
const PART = { dark: [0.4, 1], light: [0, 0.5] };
const LEAST_CONTRAST = 3;
const DARK = matchMedia("(prefers-color-scheme: dark)");

const hex = (text) => [0, 2, 4].map((at) => parseInt(text.replace("#", "").slice(at, at + 2), 16));
const between = (a, b, t) => a.map((value, i) => Math.round(value + (b[i] - value) * t));
const STOPS = VIRIDIS.map(hex);
const themes = new Map();

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
export const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** A share of 0 to 1 as a colour of viridis, by its published stops; the part that a theme can show. */
export function viridis(share, { isDark }) {
  const [from, to] = PART[isDark ? "dark" : "light"];
  const at = (from + (to - from) * Math.min(1, Math.max(0, share))) * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(at));
  return between(STOPS[low], STOPS[low + 1], at - low);
}

/** The theme's own colours, read once a theme: to ask for a style makes the browser work all styles out. */
export function themeColours() {
  const { theme } = document.documentElement.dataset;
  const isDark = theme ? theme === "dark" : DARK.matches;
  if (!themes.has(isDark)) themes.set(isDark, readTheme(isDark));
  return themes.get(isDark);
}

function readTheme(isDark) {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => hex(style.getPropertyValue(name).trim() || "#808080");
  const names = ["core", "spurious", "edge", "line", "text", "accent", "surface", "sunken"];
  const found = { isDark, ...Object.fromEntries(names.map((name) => [name, read(`--${name}`)])) };
  const seen = (colour) => told(colour, found);
  return { ...found, middle: seen(MIDDLE), hues: OKABE_ITO.map((text) => seen(hex(text))) };
}

/** Relative luminance, 0 to 1 (WCAG 2.2). */
function luminance(colour) {
  const [r, g, b] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** How far two colours can be told apart, 1 to 21. */
export function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** A colour as near to itself as the theme's grounds allow: darkened on light ones, lightened on dark ones. */
function told(colour, { surface, sunken, isDark }) {
  const far = isDark ? [255, 255, 255] : [0, 0, 0];
  for (let step = 0; step < 20; step += 1) {
    const moved = between(colour, far, step / 20);
    if (Math.min(contrast(moved, surface), contrast(moved, sunken)) >= LEAST_CONTRAST) return moved;
  }
  return far;
}

/** Core by way of grey to spurious; dashes and signs say the same. */
export function diverging(share, { core, middle, spurious }) {
  return share < 0.5 ? between(middle, core, 1 - 2 * share) : between(middle, spurious, 2 * share - 1);
}

/**
 * Give each slice a hue that none of its nearest neighbours has.
 *
 * @param {{number: number}[]} slices
 * @param {Map<number, [number, number]>[]} layouts Where slices lie, in each layout drawn.
 * @returns {Map<number, number>} Index of the hue by slice number.
 */
export function huesOf(slices, layouts) {
  const near = new Map(slices.map(({ number }) => [number, new Set()]));
  for (const places of layouts) {
    for (const { number } of slices) {
      const [x, y] = places.get(number);
      const others = slices
        .filter((other) => other.number !== number)
        .map((other) => [other.number, (places.get(other.number)[0] - x) ** 2 + (places.get(other.number)[1] - y) ** 2])
        .sort((a, b) => a[1] - b[1])
        .slice(0, NEIGHBOURS);
      for (const [other] of others) {
        near.get(number).add(other);
        near.get(other).add(number);
      }
    }
  }
  const hues = new Map();
  for (const { number } of slices) {
    const uses = new Array(OKABE_ITO.length).fill(0);
    for (const other of near.get(number)) if (hues.has(other)) uses[hues.get(other)] += 1;
    hues.set(number, uses.indexOf(Math.min(...uses)));
  }
  return hues;
}

/** The colour of a slice under an encoding; null where there is nothing to say. */
export function colourOf(slice, encoding, { hues, theme, hasMarks }) {
  if (encoding === "slice") return theme.hues[hues.get(slice.number) ?? 0];
  if (encoding === "spuriousness") {
    const share = spuriousness(slice);
    return share === null || !hasMarks ? null : diverging(share, theme);
  }
  const value = slice[encoding];
  return value === null || value === undefined ? null : viridis(value, theme);
}

/**
 * What a legend says: the ends of a scale and the colour at a share of it, or words alone.
 *
 * @returns {{ends: [string, string] | null, colourAt: (share: number) => number[], words: string}}
 */
export function legendOf(encoding, { theme, hasMarks, threshold }) {
  if (encoding === "slice") return { ends: null, words: "Neighbouring slices differ in colour; colours mean nothing else." };
  if (encoding === "spuriousness") {
    return {
      ends: ["● core 0", "1 spurious ▲"],
      colourAt: (share) => diverging(share, theme),
      words: hasMarks ? "solid: marked by a person; dashed: from other marks" : "Mark one slice, and scores spread.",
    };
  }
  const words = encoding === "coherence" && threshold ? `slices were split until each reached ${Number(threshold).toFixed(2)}` : "";
  return { ends: ["0 %", "100 %"], colourAt: (share) => viridis(share, theme), words };
}

/** Draw a scale's strip, 128 by 8, as canvas. */
function strip(colourAt) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 128, height: 8 });
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    context.fillStyle = css(colourAt(x / (canvas.width - 1)));
    context.fillRect(x, 0, 1, canvas.height);
  }
  return canvas;
}

/** Fill the legend's place. */
export function drawLegend(place, encoding, palette) {
  const { ends, colourAt, words } = legendOf(encoding, palette);
  const said = (textContent) => Object.assign(document.createElement("span"), { textContent });
  place.replaceChildren();
  if (ends) place.append(said(ends[0]), strip(colourAt), said(ends[1]));
  if (words) place.append(said(words));
}
