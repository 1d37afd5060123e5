/* The budget's slider and its number follow each other. */
for (const field of document.querySelectorAll("[data-budget]")) {
  const slider = field.querySelector("[data-budget-slider]");
  const number = field.querySelector("input[type=number]");
  slider.hidden = false;
  slider.addEventListener("input", () => {
    number.value = slider.value;
  });
  number.addEventListener("input", () => {
    slider.value = number.value;
  });
}
