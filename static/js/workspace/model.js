/**
 * What the server knows: slices, marks, scores, and the points. Pure reading besides `take…`.
 */

export const KINDS = {
  core: { name: "core", glyph: "●", key: "c" },
  spurious: { name: "spurious", glyph: "▲", key: "s" },
  mixed: { name: "mixed", glyph: "◆", key: "x" },
  wrong_labels: { name: "wrong labels", glyph: "⚑", key: "w" },
};

const NOTICEABLE = 0.05;

export class Model {
  /**
   * @param {object} payload What the server gave.
   * @param {string} payloadUrl Where it gives it again.
   */
  constructor(payload, payloadUrl) {
    this.columns = null;
    this.imageMarks = new Map();
    this.payloadUrl = payloadUrl;
    this.takePayload(payload);
  }

  /** Take a whole payload, as at the beginning or after the slices were changed. */
  takePayload(payload) {
    this.payload = payload;
    this.classes = payload.classes;
    this.n = payload.n;
    this.slices = payload.slices;
    this.byNumber = new Map(payload.slices.map((slice) => [slice.number, slice]));
    this.placeOf = new Map(payload.slices.map((slice, place) => [slice.number, place]));
    this.urls = payload.urls;
    this.setVersion = payload.set_version;
    this.proposed = payload.proposed ?? [];
    this.log = payload.log ?? [];
    this.takeFlags(payload);
    this.confusions = null;
  }

  takeFlags(state) {
    this.revision = state.revision;
    this.#takeImageMarks(state.image_marks ?? {});
    this.hasMarks = this.imageMarks.size > 0 || this.slices.some((slice) => slice.mark);
    this.canUndo = Boolean(state.can_undo);
    this.canRedo = Boolean(state.can_redo);
    this.undoWords = (state.undo_words ?? "").replace(/^undo: /i, "");
    this.redoWords = (state.redo_words ?? "").replace(/^redo: /i, "");
  }

  /** Keep what was said of single images, by row; the same map as long as nothing changed. */
  #takeImageMarks(given) {
    const text = JSON.stringify(given);
    if (text === this.imageMarksText) return;
    this.imageMarksText = text;
    this.imageMarks = new Map(Object.entries(given).flatMap(([kind, rows]) => rows.map((row) => [row, kind])));
  }

  /**
   * Take marks and scores as they are now.
   *
   * @returns {{number: number, before: number|null, after: number|null, marked: boolean}[]} Slices
   *   whose score moved noticeably or whose mark changed, the furthest first.
   */
  takeState(state) {
    const changes = [];
    for (const slice of this.slices) {
      const before = spuriousness(slice);
      const mark = state.marks[slice.number] ?? null;
      const marked = (mark?.kind ?? null) !== (slice.mark?.kind ?? null) || mark?.note !== slice.mark?.note;
      slice.mark = mark;
      const score = state.scores[slice.number];
      if (score) [slice.score, slice.doubt] = score;
      const after = spuriousness(slice);
      if (marked || Math.abs((after ?? 0.5) - (before ?? 0.5)) >= NOTICEABLE) {
        changes.push({ number: slice.number, before, after, marked });
      }
    }
    if (state.proposed) this.proposed = state.proposed;
    if (state.log) this.log = state.log;
    this.takeFlags(state);
    const far = ({ before, after }) => Math.abs((after ?? 0.5) - (before ?? 0.5));
    return changes.sort((one, other) => far(other) - far(one));
  }

  takeColumns(columns) {
    this.columns = columns;
    this.confusions = null;
  }

  get nMarked() {
    return this.slices.filter((slice) => slice.mark).length;
  }

  className(index) {
    return index === null || index === undefined ? "mixed classes" : (this.classes[index] ?? `class ${index}`);
  }

  /** Count images by truth and prediction, over all, from the columns; null before they came. */
  confusion() {
    if (!this.columns) return null;
    if (!this.confusions) {
      const c = this.classes.length;
      const counts = new Uint32Array(c * c);
      const { label, predicted } = this.columns;
      for (let i = 0; i < this.n; i += 1) counts[label[i] * c + predicted[i]] += 1;
      this.confusions = counts;
    }
    return this.confusions;
  }

  /** Rows of the images of a slice, or of those of its images that are in a cell. */
  membersOf(number, cell = null) {
    const rows = [];
    if (!this.columns) return rows;
    const { slice, label, predicted } = this.columns;
    const place = this.placeOf.get(number);
    for (let i = 0; i < this.n; i += 1) {
      if (slice[i] !== place) continue;
      if (cell && (label[i] !== cell[0] || predicted[i] !== cell[1])) continue;
      rows.push(i);
    }
    return rows;
  }

  /** Rows of the images in a cell. */
  rowsIn(cell) {
    const rows = [];
    if (!this.columns || !cell) return rows;
    const { label, predicted } = this.columns;
    for (let i = 0; i < this.n; i += 1) if (label[i] === cell[0] && predicted[i] === cell[1]) rows.push(i);
    return rows;
  }

  /** How many images of each slice lie in a cell: a map from slice number to a count. */
  countsIn([truth, said]) {
    if (!this.columns) return new Map();
    const { slice, label, predicted } = this.columns;
    const counts = new Uint32Array(this.slices.length);
    for (let i = 0; i < this.n; i += 1) {
      if (label[i] === truth && predicted[i] === said) counts[slice[i]] += 1;
    }
    return new Map(this.slices.map(({ number }, place) => [number, counts[place]]).filter(([, n]) => n));
  }
}

/** How far a slice's images are looked at beside the object, 0 to 1; null if nobody can tell. */
export function spuriousness(slice) {
  return slice.score === null || slice.score === undefined ? null : 1 - slice.score;
}

/** What a slice is called. */
export function titleOf(slice) {
  return slice.name && slice.name !== `Slice ${slice.number}` ? `Slice ${slice.number}: ${slice.name}` : `Slice ${slice.number}`;
}

export const percent = (share, digits = 0) =>
  share === null || share === undefined || Number.isNaN(share) ? "–" : `${(share * 100).toFixed(digits)} %`;

const NUMBERS = new Intl.NumberFormat("en-GB");

export const count = (number) => NUMBERS.format(number);

export const images = (number) => `${count(number)} image${number === 1 ? "" : "s"}`;

/** One sentence that says everything the mosaic shows of a slice. */
export function sentenceOf(slice, model) {
  const far = spuriousness(slice);
  const parts = [
    titleOf(slice),
    images(slice.size),
    `predicted ${model.className(slice.predicted)}`,
    `accuracy ${percent(slice.accuracy)}`,
  ];
  if (slice.mark) parts.push(`marked ${KINDS[slice.mark.kind]?.name ?? slice.mark.kind}`);
  else if (model.hasMarks && far !== null) parts.push(`spuriousness ${far.toFixed(2)}, from other marks`);
  else parts.push("not marked");
  return parts.join(", ");
}
