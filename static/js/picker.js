/* A click in the browser of the data root fills the path field above it. */
for (const picker of document.querySelectorAll("[data-picker]")) {
  const field = picker.querySelector("input");
  const details = picker.querySelector("details");
  picker.addEventListener("click", (event) => {
    const entry = event.target.closest("[data-pick]");
    if (!entry) return;
    field.value = entry.dataset.pick;
    field.removeAttribute("aria-invalid");
    details.open = false;
    field.focus();
  });
}
