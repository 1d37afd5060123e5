/* Light or dark: what the person chose last, else what the system says. Loaded in <head>, so that
   no page flashes in the other theme. */
(() => {
  const root = document.documentElement;
  const key = "gazecheck-theme";
  const stored = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const chosen = stored();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const isDark = () =>
    root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-switch]");
    if (!button) return;
    const label = () => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", isDark() ? "Switch to light" : "Switch to dark");
    };
    label();
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem(key, root.dataset.theme);
      } catch {
        /* a private window: the choice lasts as long as the page */
      }
      label();
      document.dispatchEvent(new CustomEvent("themechange"));
    });
  });
})();
