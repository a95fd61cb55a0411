// The film of the auxiliary image: the slider moves one wide picture behind a window. During a run the newest frame is
// shown, unless the visitor has chosen an earlier one.
let chosen = null;
let run = null;
let playing = null;
const show = (place) => {
  const film = element.querySelector(".mun-train-film[data-frames]");
  if (!film) return;
  const [steps, clipped] = [film.dataset.steps.split(","), film.dataset.clipped.split(",")];
  film.querySelector("input").value = place;
  film.querySelector("[data-sprite]").style.transform = `translateX(${(-100 * place) / steps.length}%)`;
  const percent = (100 * clipped[place]).toFixed(clipped[place] >= 0.1 ? 0 : 1);
  const cut = clipped[place] ? `, ${percent} % of its values clipped` : "";
  film.querySelector("output").textContent = `step ${Number(steps[place]).toLocaleString("en")}${cut}`;
};
const last = () => Number(element.querySelector(".mun-train-film input")?.max ?? 0);
const halt = () => {
  clearInterval(playing);
  playing = null;
};

element.addEventListener("input", (event) => {
  halt();
  const place = Number(event.target.value);
  chosen = place === last() ? null : place;
  show(place);
});
element.addEventListener("click", (event) => {
  if (!event.target.closest("[data-play]")) return;
  halt();
  chosen = null;
  let place = 0;
  playing = setInterval(() => {
    show(Math.min(place, last()));
    if (place++ >= last()) halt();
  }, 120);
});
const redraw = () => {
  const shown = element.querySelector(".mun-train-film")?.dataset.run;
  if (shown !== run) {
    halt();
    [run, chosen] = [shown, null];
  }
  if (playing === null) show(chosen === null ? last() : Math.min(chosen, last()));
};
watch("value", redraw);
redraw(); // when the tab is opened, its pieces may be drawn already
