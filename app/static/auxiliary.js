// Play the film of training in the large picture, without the server.
let playing = 0;
element.addEventListener("click", (event) => {
  if (!event.target.closest("[data-play]")) return;
  const screen = document.querySelector('#auxiliary-stage [data-name="mun"] img');
  const frames = [...element.querySelectorAll("ol button")];
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
