/* Review of labels that may be wrong: one key an image, told to the server at once. */

const list = document.querySelector("[data-suspects]");
const said = document.querySelector("[data-suspects-said]");
const token = list?.querySelector("[name=csrfmiddlewaretoken]")?.value;
const isLead = Boolean(list?.querySelector("[data-say]"));
const WORDS = { wrong: "Label called wrong", right: "Label called right", "": "" };

const cards = () => [...list.querySelectorAll(".suspect")];

async function say(card, flag, shouldBe = null) {
  const line = card.querySelector("[data-said]");
  const before = [card.dataset.flag, line.textContent];
  card.dataset.flag = flag;
  line.textContent = WORDS[flag];
  const body = {
    index: Number(card.dataset.index),
    label_is_wrong: flag === "" ? null : flag === "wrong",
    should_be: flag === "wrong" ? shouldBe : null,
  };
  try {
    const answer = await fetch(list.dataset.flagUrl, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      body: JSON.stringify(body),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    said.textContent = `${told.flagged} ${told.flagged === 1 ? "label" : "labels"} called wrong in this project.`;
  } catch (error) {
    [card.dataset.flag, line.textContent] = before;
    said.textContent = `Not saved: ${error.message}`;
  }
}

function choose(card) {
  for (const other of cards()) other.tabIndex = other === card ? 0 : -1;
  card.focus();
}

function step(card, by) {
  const all = cards();
  const next = all[all.indexOf(card) + by];
  if (next) choose(next);
}

if (list && isLead) {
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-say]");
    if (button) say(button.closest(".suspect"), button.dataset.say);
  });
  list.addEventListener("keydown", (event) => {
    const card = event.target.closest(".suspect");
    if (!card || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "arrowright" || key === "arrowdown") step(card, 1);
    else if (key === "arrowleft" || key === "arrowup") step(card, -1);
    else if (key === "w") say(card, "wrong");
    else if (key === "r") say(card, "right");
    else if (key === "u") say(card, "");
    else if (/^[1-9]$/.test(key) && Number(key) - 1 !== Number(card.dataset.label)) say(card, "wrong", Number(key) - 1);
    else return;
    event.preventDefault();
  });
}
