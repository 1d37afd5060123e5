/** A practice image: the highlight, the keys, and after the answer the line that explains it. */
import { Viewer, painted, peekWithSpace } from "./viewer.js";

const desk = document.querySelector("[data-practice]");
const viewer = new Viewer(document.querySelector("[data-stage]"));
const form = document.querySelector("[data-answers]");
const next = document.querySelector("[data-next]");
const buttonOfKey = Object.fromEntries(
  Array.from(form?.querySelectorAll("[data-keys]") ?? []).flatMap((button) =>
    button.dataset.keys.split(" ").filter(Boolean).map((key) => [key, button]),
  ),
);

async function begin() {
  for (const button of form?.elements ?? []) button.disabled = button.type === "submit";
  if (desk.dataset.given) viewer.contour.checked = true;
  await viewer.photo.decode().catch(() => undefined);
  const { naturalWidth, naturalHeight } = viewer.photo;
  await viewer.show({
    grid: desk.dataset.grid,
    side: Number(desk.dataset.side),
    dead: desk.dataset.dead === "1",
    width: naturalWidth || 1,
    height: naturalHeight || 1,
  });
  await painted();
  for (const button of form?.elements ?? []) button.disabled = false;
  desk.dataset.state = "ready";
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target.matches?.("input[type=range]")) return;
  const latin = event.key.length > 1 || /^[a-z0-9]$/i.test(event.key);
  const key = latin ? event.key.toLowerCase() : event.code.replace(/^Key/, "").toLowerCase();
  const button = buttonOfKey[key];
  if (button && !button.disabled) button.click();
  if (next && key === "enter" && !event.target.matches?.("a, button, summary")) next.click();
});

peekWithSpace(viewer);
begin();
