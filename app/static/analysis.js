// The scatter plot of queries: the nearest point shows its image; a press opens its ranking in Retrieval.
const REACH = 16; // pixels
const nearest = ({ target, clientX, clientY }) => {
  let best = null;
  let least = REACH ** 2;
  for (const one of target.closest("svg")?.querySelectorAll("circle") ?? []) {
    const box = one.getBoundingClientRect();
    const far = (box.x + box.width / 2 - clientX) ** 2 + (box.y + box.height / 2 - clientY) ** 2;
    if (far < least) [best, least] = [one, far];
  }
  return best;
};
const point = (one, mouse) => {
  const before = element.querySelector(".is-near");
  if (one === before) return;
  before?.classList.remove("is-near");
  one?.classList.add("is-near");
  if (one) mun.tips.analysis.show({ row: Number(one.dataset.row) }, mouse);
  else mun.tips.analysis.hide();
};
element.addEventListener("mousemove", (event) => point(nearest(event), event));
element.addEventListener("mouseleave", () => point(null));
addEventListener("scroll", () => point(null), { passive: true });
element.addEventListener("click", (event) => {
  const one = nearest(event);
  if (!one) return;
  const { address, keys } = element.querySelector(".mun-aps").dataset;
  point(null);
  mun.visit("retrieval", address.replace("query=", () => `query=${encodeURIComponent(JSON.parse(keys)[one.dataset.row])}`));
});
