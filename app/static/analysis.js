// The scatter plot of queries: the nearest point shows its image; a press opens its ranking in Retrieval.
const REACH = 16; // pixels
let row = null;
let timer = 0;
const frame = () => element.querySelector(".mun-aps");
const nearest = (event) => {
  let best = null;
  let least = REACH ** 2;
  for (const one of element.querySelectorAll(".mun-aps circle")) {
    const box = one.getBoundingClientRect();
    const far = (box.x + box.width / 2 - event.clientX) ** 2 + (box.y + box.height / 2 - event.clientY) ** 2;
    if (far < least) [best, least] = [one, far];
  }
  return best;
};
const hide = () => {
  clearTimeout(timer);
  row = null;
  element.querySelector(".is-near")?.classList.remove("is-near");
  if (mun.analysisTip) mun.analysisTip.frame.dataset.shown = "";
};
const moved = (event) => {
  const point = nearest(event);
  if (!point) return hide();
  if (point.dataset.row === row) return;
  hide();
  row = point.dataset.row;
  point.classList.add("is-near");
  const { clientX, clientY } = event;
  mun.analysisTip.placed = () => {
    const { frame: tip } = mun.analysisTip;
    if (tip.querySelector("[data-row]")?.dataset.row !== row) return;
    tip.dataset.shown = "yes";
    tip.style.left = `${Math.max(4, Math.min(clientX + 14, innerWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(4, Math.min(clientY + 14, innerHeight - tip.offsetHeight - 4))}px`;
  };
  timer = setTimeout(() => mun.analysisTip.trigger("select", { values: mun.tabs.analysis.values, own: mun.features.token(), detail: { row: Number(row) } }), 60);
};
element.addEventListener("mousemove", (event) => event.target.closest("svg") && moved(event));
element.addEventListener("mouseleave", hide);
addEventListener("scroll", hide, { passive: true });
element.addEventListener("click", (event) => {
  const point = event.target.closest(".mun-aps svg") && nearest(event);
  if (!point) return;
  const { address, keys } = frame().dataset;
  hide();
  mun.turn("retrieval", address.replace("query=", `query=${JSON.parse(keys)[point.dataset.row]}`));
});
