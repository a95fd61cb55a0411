// Play the film of training in the large picture, without the server.
let playing = 0;
let before; // the picture of the chosen step
let last; // what the film has shown last
element.addEventListener("click", (event) => {
  if (!event.target.closest("[data-play]")) return;
  const screen = document.querySelector('#auxiliary-stage [data-name="mun"] img');
  const frames = [...element.querySelectorAll("ol button")];
  if (!playing) before = last = screen?.src;
  clearInterval(playing);
  let place = 0;
  const halt = () => {
    clearInterval(playing);
    playing = 0;
  };
  const step = () => {
    if (screen?.src !== last) return halt(); // another pair is shown now
    for (const one of frames) one.classList.toggle("is-shown", one === frames[place]);
    if (screen) last = screen.src = frames[place]?.querySelector("img").src ?? before;
    if (place++ >= frames.length) halt();
  };
  playing = setInterval(step, 220);
  screen?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  step();
});
