/* The end for people of a panel: copy the code, and go back by itself unless asked to stay. */
const copy = document.querySelector("[data-copy-code]");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector("[data-code]").textContent);
    copy.textContent = copy.dataset.done;
  });
}

const back = document.querySelector("[data-back][data-seconds]");
if (back) {
  const area = document.querySelector("[data-countdown]");
  const words = area.querySelector("[data-left]");
  let left = Number(back.dataset.seconds);
  const show = () => {
    words.textContent = words.dataset.words.replace("{n}", String(left));
  };
  area.hidden = false;
  show();
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) return void (left % 4 === 0 && show());
    clearInterval(timer);
    window.location.assign(back.href);
  }, 1000);
  const stay = () => {
    clearInterval(timer);
    area.hidden = true;
  };
  area.querySelector("[data-stay]").addEventListener("click", stay);
  copy?.addEventListener("click", stay);
  window.addEventListener("pagehide", () => clearInterval(timer));
}
