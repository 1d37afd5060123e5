/** The parts of the workspace: widths that a person sets, and one part at a time where it is narrow. */
import { remember, remembered } from "../viewer.js";

const KEPT = "gazecheck:workspace-panes";
const START = { left: 340, right: 360 };
const LEAST = 240;
const MOST = 640;
const STEP = 24;

/** Make the separators move by pointer and by key. */
export function followPanes(root) {
  const widths = remembered(KEPT, START);
  const set = (side, width) => {
    widths[side] = Math.round(Math.min(MOST, Math.max(LEAST, width)));
    root.style.setProperty(`--ws-${side}`, `${widths[side]}px`);
    const split = root.querySelector(`[data-split=${side}]`);
    split.setAttribute("aria-valuenow", String(widths[side]));
    split.setAttribute("aria-valuetext", `${widths[side]} pixels`);
  };
  for (const split of root.querySelectorAll("[data-split]")) {
    const { split: side } = split.dataset;
    const way = side === "left" ? 1 : -1;
    split.setAttribute("aria-valuemin", String(LEAST));
    split.setAttribute("aria-valuemax", String(MOST));
    set(side, widths[side]);
    split.addEventListener("pointerdown", (event) => {
      const from = event.clientX;
      const before = widths[side];
      split.setPointerCapture(event.pointerId);
      const move = (moved) => set(side, before + way * (moved.clientX - from));
      split.addEventListener("pointermove", move);
      split.addEventListener(
        "lostpointercapture",
        () => {
          split.removeEventListener("pointermove", move);
          remember(KEPT, widths);
        },
        { once: true },
      );
    });
    split.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
      if (!by) return;
      event.preventDefault();
      set(side, widths[side] + way * by);
      remember(KEPT, widths);
    });
  }
  for (const tab of root.querySelectorAll("[data-panel-tab]")) {
    tab.addEventListener("click", () => {
      root.dataset.panel = tab.dataset.panelTab;
    });
  }
  new MutationObserver(() => {
    for (const tab of root.querySelectorAll("[data-panel-tab]")) tab.setAttribute("aria-pressed", String(tab.dataset.panelTab === root.dataset.panel));
  }).observe(root, { attributeFilter: ["data-panel"] });
}
