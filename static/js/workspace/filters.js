/**
 * Which slices are shown, and in what order. One predicate for table, mosaic, points and matrix,
 * so that nothing lights up that a filter has left out.
 */
import { KINDS, spuriousness } from "./model.js";

const HIGH_ACCURACY = 0.9;

export const GUIDES = {
  worst: "lowest accuracy first",
  odd: "accuracy of 90 % or more, furthest from what is marked core first",
  spurious: "not marked yet, most spurious first",
};

/** Tell whether a slice passes all filters. */
export function predicateOf(model, state) {
  const found = state.find.trim().toLowerCase();
  const cell = state.cell ? model.countsIn(state.cell) : null;
  return (slice) => {
    if (state.predicted !== "" && String(slice.predicted) !== state.predicted) return false;
    if (state.accuracy !== "" && !(slice.accuracy < Number(state.accuracy))) return false;
    if (!passesMark(slice, state.mark)) return false;
    if (state.guide === "odd" && !(slice.accuracy >= HIGH_ACCURACY && slice.mark?.kind !== "core")) return false;
    if (state.guide === "spurious" && slice.mark) return false;
    if (cell?.size !== undefined && model.columns && !cell.has(slice.number)) return false;
    return !found || textOf(slice, model).includes(found);
  };
}

function passesMark(slice, wanted) {
  if (!wanted) return true;
  if (wanted === "none") return !slice.mark;
  if (wanted === "any") return Boolean(slice.mark);
  return slice.mark?.kind === wanted;
}

function textOf(slice, model) {
  return `${slice.number} ${slice.name ?? ""} ${model.className(slice.predicted)} ${slice.mark?.note ?? ""}`.toLowerCase();
}

/** Whether anything at all is filtered. */
export function isFiltered(state) {
  return Boolean(state.find.trim() || state.predicted !== "" || state.mark || state.accuracy || state.cell || state.guide === "odd" || state.guide === "spurious");
}

/** The slices that pass, in the table's order. */
export function shownSlices(model, state) {
  const passes = predicateOf(model, state);
  const [keyOf, descending] = orderOf(model, state);
  const keys = new Map(model.slices.map((slice) => [slice.number, keyOf(slice)]));
  return model.slices.filter(passes).sort((one, other) => {
    const a = keys.get(one.number);
    const b = keys.get(other.number);
    if (a === b) return one.number - other.number;
    if (a === null || a === undefined) return 1;
    if (b === null || b === undefined) return -1;
    return (a < b ? -1 : 1) * (descending ? -1 : 1);
  });
}

function orderOf(model, state) {
  if (state.guide === "worst") return [(slice) => slice.accuracy, false];
  if (state.guide === "odd") return [oddness(model), true];
  if (state.guide === "spurious") return model.hasMarks ? [spuriousness, true] : [placeIn(model.proposed), false];
  const keys = {
    spuriousness,
    mark: (slice) => (slice.mark ? Object.keys(KINDS).indexOf(slice.mark.kind) : null),
  };
  return [keys[state.sort] ?? ((slice) => slice[state.sort]), state.descending];
}

/** How far a slice lies from the nearest one marked core; without such a mark, its spuriousness. */
function oddness(model) {
  const cores = model.slices.filter((slice) => slice.mark?.kind === "core");
  if (!cores.length) return (slice) => spuriousness(slice) ?? 1 - (slice.coherence ?? 0);
  return ({ middle: [x, y] }) => Math.min(...cores.map(({ middle }) => Math.hypot(middle[0] - x, middle[1] - y)));
}

function placeIn(proposed) {
  const places = new Map(proposed.map((number, place) => [number, place]));
  return ({ number }) => places.get(number) ?? null;
}

/** Filters in words, each with the change that takes it away. */
export function chipsOf(model, state) {
  const chips = [];
  if (state.find.trim()) chips.push([`“${state.find.trim()}”`, { find: "" }]);
  if (state.predicted !== "") chips.push([`predicted ${model.className(Number(state.predicted))}`, { predicted: "" }]);
  if (state.accuracy) chips.push([`accuracy below ${Math.round(Number(state.accuracy) * 100)} %`, { accuracy: "" }]);
  if (state.mark) chips.push([{ none: "not marked", any: "marked" }[state.mark] ?? `marked ${KINDS[state.mark].name}`, { mark: "" }]);
  if (state.cell) chips.push([`truth ${model.className(state.cell[0])}, predicted ${model.className(state.cell[1])}`, { cell: null }]);
  if (state.guide) chips.push([GUIDES[state.guide], { guide: null }]);
  return chips;
}

/** What to change to filter nothing. */
export const NO_FILTER = Object.freeze({ find: "", predicted: "", mark: "", accuracy: "", cell: null, guide: null });
