/**
 * The workspace: reads what the server knows and joins the parts. Each part shows the one state;
 * none knows another's elements.
 */
import { followAddress, readAddress } from "./address.js";
import { Chosen } from "./chosen.js";
import { Detail, keptOverlay } from "./detail.js";
import { Dialogs } from "./dialogs.js";
import { exportFigure } from "./figure.js";
import { followKeys } from "./keys.js";
import { Making } from "./making.js";
import { Marking } from "./marking.js";
import { Matrix } from "./matrix.js";
import { count, images, Model } from "./model.js";
import { Notices } from "./notices.js";
import { drawOwnMarks } from "./ownmarks.js";
import { followPanes } from "./panes.js";
import { ImageLists } from "./pictures.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { Table } from "./table.js";
import { Views } from "./views.js";
import { read, readColumns } from "./wire.js";

const WORDS_AFTER = 2000;
const POINTS_FIRST = 1500; // milliseconds that the other parts wait for the points at most
const LOOKS = ["colour", "slice", "also", "find", "predicted", "mark", "accuracy", "cell", "guide", "sort", "descending"];
const FILTERS = ["find", "predicted", "mark", "accuracy", "cell", "guide", "sort", "descending", "slice", "also"];
const OVERLAY = ["opacity", "threshold", "contour", "shown"];

const root = document.getElementById("workspace");
const notices = new Notices(root);
const isLead = root.dataset.isLead === "true";
if (!isLead) {
  for (const part of root.querySelectorAll("[data-lead]")) part.hidden = true;
  notices.band("reader", "You may look at everything here. Marking is the leads'.", { kind: "info" });
}
followPanes(root);
begin();

/** Read the payload and start; what fails is said, with a way to try again. */
async function begin() {
  root.dataset.state = "loading";
  const words = root.querySelector("[data-stage-words]");
  const timer = setTimeout(() => {
    words.textContent = "Loading the slices…";
  }, WORDS_AFTER);
  let payload;
  try {
    payload = await read(root.dataset.payloadUrl);
  } catch (error) {
    root.dataset.state = error.offline ? "offline" : "error";
    root.querySelector("[data-skeleton]").hidden = true;
    words.textContent = "The slices could not be loaded.";
    notices.band("payload", `The slices could not be loaded. ${error.message}`, {
      kind: "bad",
      verb: "Try again",
      act: () => {
        notices.unband("payload");
        begin();
      },
    });
    return;
  } finally {
    clearTimeout(timer);
  }
  words.textContent = "";
  await start(payload);
}

async function start(payload) {
  const model = new Model(payload, root.dataset.payloadUrl);
  const store = new Store({ ...keptOverlay(), ...readAddress(location.search) });
  const lists = new ImageLists(model);
  const parts = { store, model, lists, notices, isLead };
  const stage = new Stage(root.querySelector("[data-stage]"), {
    ...parts,
    onDouble: (number) => {
      store.set({ slice: number });
      dialogs.annotate();
    },
    onOutline: (ring, how) => chosen.outline(ring, how),
    onOpened: () => tellControls(store.state, stage),
    onSized: () => matrix.refresh(), // it may have been drawn before the stage knew its colours
  });
  const table = new Table(root.querySelector("[data-part=slices]"), parts);
  const detail = new Detail(root.querySelector("[data-part=detail]"), { ...parts, onMark: async (kind, rows) => ((await marking.markImages(kind, rows)) ? null : marking.refusal) });
  const matrix = new Matrix(root.querySelector("[data-matrix]"), { ...parts, stage, onFind: (cell) => making.begin({ cell }) });
  const marking = new Marking({ ...parts, onState: () => told(), onPayload: (next) => renewed(next) });
  const dialogs = new Dialogs(root, { ...parts, marking });
  const chosen = new Chosen(root, { ...parts, stage, detail, marking, dialogs });
  const views = new Views(root, { ...parts, chosen });
  const making = new Making(root, {
    ...parts,
    onPictures: () => {
      stage.rebuild();
      matrix.refresh();
    },
    onJob: () => matrix.pictures.again(),
  });

  let ofImages = model.imageMarks;
  let ofRevision = model.revision;

  /** Marks move the images' scores: show them where they are points, and where they are pictures. */
  function tellImages() {
    if (model.imageMarks !== ofImages) drawOwnMarks(stage, model);
    ofImages = model.imageMarks;
    if (model.revision === ofRevision) return;
    ofRevision = model.revision;
    lists.forget();
    detail.load();
    detail.lightbox.follow();
  }

  /** Marks and scores came: tell them everywhere. */
  function told() {
    tellImages();
    table.refresh();
    detail.refresh();
    stage.restyle();
    matrix.refresh();
    tellVerbs(model);
    if (root.querySelector("[data-dialog=log]").open) dialogs.tellLog();
  }

  /** Other slices came: build everything anew. */
  async function renewed(next) {
    model.takePayload(next);
    lists.forget();
    model.takeColumns(null);
    const kept = chosen.mask; // images keep their index, whatever becomes of slices
    chosen.forget();
    matrix.pictures.forget();
    detail.rows = null;
    table.rebuild();
    stage.rebuild();
    const { slice, also } = store.state;
    const left = also.filter((number) => model.byNumber.has(number));
    store.set({ slice: model.byNumber.has(slice) ? slice : null, also: left, page: 1 }, { history: "replace" });
    told();
    tellOutside(model);
    detail.load();
    making.tell();
    if (!(await loadPoints())) return;
    tellPoints();
    if (kept) chosen.take(kept);
  }

  /** Get the points and draw them; say whether they came. */
  async function loadPoints() {
    const population = root.querySelector("[data-population]");
    population.textContent = `Loading ${count(model.n)} points…`;
    try {
      model.takeColumns(await readColumns(model.payload.columns, model.n));
    } catch (error) {
      population.textContent = "";
      notices.band("points", `The points could not be loaded, so matrix and lasso are missing. ${error.message}`, {
        verb: "Try again",
        act: async () => {
          notices.unband("points");
          if (await loadPoints()) tellPoints();
        },
      });
      return false;
    }
    stage.takePoints();
    drawOwnMarks(stage, model);
    return true;
  }

  /** Tell the other parts what only the points know. */
  function tellPoints() {
    const population = root.querySelector("[data-population]");
    table.refresh();
    matrix.refresh();
    detail.refresh();
    if (store.state.cell) detail.load();
    const right = model.slices.reduce((sum, { accuracy, size }) => sum + accuracy * size, 0) / Math.max(1, model.n);
    population.textContent = `${images(model.n)} (${model.payload.split}) · ${count(model.slices.length)} slices · ${(right * 100).toFixed(1)} % right`;
  }

  store.on(["view", "layout"], (state, changed) => {
    if (state.view !== "scatter") store.set({ tool: "pan" });
    if (!changed.has("at")) store.state.at = null;
    tellControls(state, stage);
    stage.rebuild();
    matrix.refresh();
  });
  store.on(["tool", "how"], (state) => tellControls(state, stage));
  store.on(LOOKS, (state, changed) => {
    tellControls(state, stage);
    stage.restyle();
    if (["colour", ...FILTERS].some((key) => changed.has(key) && key !== "slice" && key !== "also")) matrix.refresh();
    else matrix.tell();
  });
  store.on(FILTERS, () => table.refresh());
  store.on(["slice", "cell", "order", "page", "also"], (_state, changed) => {
    if ((changed.has("slice") || changed.has("cell")) && detail.rows) detail.rows = null;
    detail.refresh();
    if (!changed.has("also") || changed.size > 1) detail.load();
  });
  store.on(["slice"], ({ slice }) => slice !== null && table.reveal());
  store.on(OVERLAY, () => detail.tellOverlay());
  store.on(["at"], (_state, _changed, history) => history === "none" && stage.followAddress());
  followAddress(store);
  followKeys(root, { ...parts, stage, table, detail, marking, dialogs, chosen });
  followControls(root, { ...parts, stage, table, detail, marking, dialogs, model });
  const repaint = () => {
    stage.restyle();
    matrix.refresh();
  };
  document.addEventListener("themechange", repaint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  root.querySelector("[data-stage]").dataset.state = "ready";
  tellControls(store.state, stage);
  stage.rebuild();
  const came = loadPoints();
  // Whoever asked for the points sees them before a table of hundreds of rows is laid out.
  if (stage.isScatter && stage.place.clientWidth) await Promise.race([came.then((has) => has && painted(stage)), waited(POINTS_FIRST)]);
  root.dataset.state = "ready";
  table.rebuild();
  detail.refresh();
  matrix.refresh();
  tellVerbs(model);
  tellOutside(model);
  detail.load();
  const ready = came.then((has) => has && tellPoints());
  ready.then(() => model.columns && views.follow());
  marking.follow();
  if (new URLSearchParams(location.search).has("measure")) {
    import("./measuring.js").then(({ measure }) => measure({ stage, store, marking, chosen, ready: ready.then(() => painted(stage)) }));
  }
}

/** Wait until points have been drawn, and the browser has shown them. */
async function painted(stage) {
  while (stage.points.firstDrawn === null && stage.isScatter) await new Promise(requestAnimationFrame);
  await waited(0);
}

const waited = (milliseconds) => new Promise((resolve) => {
  setTimeout(resolve, milliseconds);
});

/** How many images “fit” leaves out of sight in the points, and how to reach them. */
function tellOutside({ payload }) {
  const n = payload.fit?.outside ?? 0;
  root.querySelector("[data-outside]").textContent = n ? `${images(n)} ${n === 1 ? "lies" : "lie"} beyond what “Fit” shows; zoom out to see them.` : "";
}

function tellVerbs(model) {
  const tell = (name, can, words) => {
    const button = root.querySelector(`[data-${name}]`);
    button.disabled = !can || !isLead;
    button.title = can ? `${name === "undo" ? "Undo" : "Redo"}: ${words}` : "";
  };
  tell("undo", model.canUndo, model.undoWords);
  tell("redo", model.canRedo, model.redoWords);
}

function tellControls(state, stage) {
  const values = { ...state, layout: stage.layout };
  for (const button of root.querySelectorAll("[data-choose]")) button.setAttribute("aria-pressed", String(values[button.dataset.choose] === button.value));
  for (const part of root.querySelectorAll("[data-only]")) part.hidden = !part.dataset.only.split(" ").includes(state.view);
  root.querySelector("[data-colour]").value = state.colour;
  const place = root.querySelector("[data-stage]");
  place.dataset.view = state.view;
  place.dataset.tool = state.view === "scatter" ? state.tool : "pan";
}

const isNarrow = () => matchMedia("(max-width: 760px)").matches;

function followControls(place, { store, stage, table, detail, marking, dialogs, model, notices: said }) {
  place.addEventListener("click", (event) => {
    if (event.target.closest("tr[data-number]") && isNarrow()) place.dataset.panel = "detail";
    const button = event.target.closest("button");
    if (!button || button.disabled) return;
    const { choose, zoom, step, mark, change, figure } = button.dataset;
    if (choose) store.set({ [choose]: button.value, ...(choose === "order" ? { page: 1 } : {}) });
    else if (zoom) zoom === "fit" ? stage.fitAll() : stage.zoom(zoom === "in" ? 1.4 : 1 / 1.4);
    else if (step) {
      const next = table.step(Number(step));
      if (next !== null && next !== undefined) store.set({ slice: next, also: [], page: 1 });
    } else if (mark) marking.mark(mark);
    else if ("annotate" in button.dataset) dialogs.annotate();
    else if ("undo" in button.dataset) marking.undo();
    else if ("redo" in button.dataset) marking.redo();
    else if (change) changeSlices(change, marking);
    else if (figure) makeFigure(figure, { stage, model, store, said });
  });
  place.querySelector("[data-colour]").addEventListener("change", ({ target }) => store.set({ colour: target.value }));
  place.querySelector("[data-rename]")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const field = event.target.querySelector("input");
    const name = field.value.trim();
    if (!name) return;
    field.value = "";
    const saving = marking.change({ kind: "rename", numbers: [store.state.slice], name }, `Slice ${store.state.slice} is now called “${name}”.`);
    saving.then((isSaved) => {
      if (!isSaved) field.value ||= name;
    });
  });
}

function changeSlices(kind, marking) {
  const { numbers } = marking;
  if (kind === "split") marking.change({ kind, numbers: numbers.slice(0, 1) }, `Slice ${numbers[0]} was split in two.`);
  else marking.change({ kind, numbers }, `Slices ${numbers.join(", ")} were merged.`);
}

async function makeFigure(kind, { stage, model, store, said }) {
  const status = root.querySelector("[data-figure-says]");
  try {
    if (kind === "link") {
      await navigator.clipboard.writeText(location.href);
      status.textContent = "The link was copied. Members of this project can open it.";
    } else {
      status.textContent = "Making the figure…";
      await exportFigure(kind, { stage, model, store, project: root.dataset.project });
      status.textContent = "The figure was saved.";
    }
  } catch (error) {
    status.textContent = kind === "link" ? `Copy it from here: ${location.href}` : `The figure could not be made: ${error.message}`;
    said.toast(status.textContent, { isBad: true });
  }
}
