/**
 * What the bench asks the page: how long frames, outlines and marks take, as a person feels them.
 * Loaded only where the address says `measure`.
 */

const frame = () => new Promise((resolve) => {
  requestAnimationFrame(resolve);
});

/** A cheap sum over a canvas, to see whether its pixels changed. */
function printOf(points) {
  const { pixels } = points;
  let sum = 0;
  for (let i = 0; i < (pixels?.length ?? 0); i += 61) sum = (Math.imul(sum, 31) + pixels[i]) | 0;
  return sum;
}

/** Give the bench its hooks. */
export function measure({ stage, store, marking, chosen, ready }) {
  const drawn = async () => {
    await frame();
    await frame();
  };

  /** Move the view in every frame and take the time from one to the next. */
  const run = async (frames, step) => {
    const times = [];
    let changed = 0;
    let before = printOf(stage.points);
    let transform = stage.svg.style.transform;
    await frame();
    let last = performance.now();
    for (let i = 0; i < frames; i += 1) {
      step(i);
      await frame(); // the stage asked for this frame first, so it has drawn when this goes on
      const now = performance.now();
      times.push(now - last);
      last = now;
      const print = printOf(stage.points);
      const moved = stage.svg.style.transform;
      if (print !== before || moved !== transform) changed += 1;
      before = print;
      transform = moved;
    }
    return { frames: times, changed };
  };

  const sway = (i) => stage.move(7 * Math.cos(i / 9), 5 * Math.sin(i / 7));

  const bench = {
    ready: ready.then(() => bench.firstPointsMs),
    get firstPointsMs() {
      return stage.points.firstDrawn;
    },
    async scatter() {
      store.set({ view: "scatter" }, { history: "none" });
      await drawn();
    },
    async mosaic(layout = "even") {
      store.set({ view: "mosaic", layout }, { history: "none" });
      await drawn();
    },
    pan: (frames = 300) => run(frames, sway),
    gesture: (frames = 300) => run(frames, (i) => (i % 2 ? sway(i) : stage.zoom(1 + 0.02 * Math.sin(i / 11)))),
    /** Choose by a polygon in pixels of the screen. */
    async lasso(polygon) {
      const box = stage.place.getBoundingClientRect();
      const ring = polygon.map(([x, y]) => stage.toScene(x - box.left, y - box.top));
      const from = performance.now();
      chosen.outline(ring, "replace");
      return performance.now() - from;
    },
    get chosen() {
      return chosen.size;
    },
    async mark(number, kind) {
      const from = performance.now();
      if (!(await marking.mark(kind, { numbers: [number] }))) throw new Error(`slice ${number} could not be marked`);
      await drawn();
      return performance.now() - from;
    },
  };
  window.workspaceBench = bench;
  document.getElementById("workspace").dataset.measure = "ready";
}
