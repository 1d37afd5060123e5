/* While the slices are being made: open the workspace as soon as the job is over. */
const place = document.querySelector("[data-waiting]");

new MutationObserver(() => {
  const job = place.querySelector("[data-state]");
  if (job && !["queued", "running"].includes(job.dataset.state)) location.reload();
}).observe(place, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-state"] });
