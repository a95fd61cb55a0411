// Two things of the Auxiliary tab that need no server: the slider that uncovers what lies under MUN's image, and the film
// of training in the large picture. Both pieces run this script; each uses its half.
const uncover = (at) => {
  const input = element.querySelector("[data-slide]");
  if (!input) return;
  element.dataset.at = input.value = at;
  element.querySelector(".mun-aux-stack").style.setProperty("--at", `${at}%`);
};
element.addEventListener("input", (event) => {
  if ("slide" in event.target.dataset) uncover(event.target.value);
});
watch("value", () => uncover(element.dataset.at ?? "50")); // another pair keeps the place

let playing = 0;
element.addEventListener("click", (event) => {
  if (!event.target.closest("[data-play]")) return;
  const screen = document.querySelector("#auxiliary-stage [data-film]");
  const frames = [...element.querySelectorAll(".mun-aux-frames button")];
  const before = screen?.src;
  clearInterval(playing);
  let place = 0;
  const step = () => {
    for (const one of frames) one.classList.toggle("is-shown", one === frames[place]);
    if (screen) screen.src = frames[place]?.querySelector("img").src ?? before;
    if (place++ >= frames.length) clearInterval(playing);
  };
  playing = setInterval(step, 220);
  screen?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  step();
});
