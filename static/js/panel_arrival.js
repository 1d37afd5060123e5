/* The door for people of a panel: tell the form the screen's size, and warn where it is too narrow. */
const least = document.querySelector("[data-too-narrow]");
const width = document.querySelector("[data-width]");
const height = document.querySelector("[data-height]");
const start = document.querySelector("[data-start]");

const measure = () => {
  width.value = String(window.innerWidth);
  height.value = String(window.innerHeight);
  const tooNarrow = window.innerWidth < Number(least.dataset.least);
  least.hidden = !tooNarrow;
  start.disabled = tooNarrow;
};

measure();
window.addEventListener("resize", measure);
