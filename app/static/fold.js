// On a phone the settings begin folded, so that queries and ranking come into sight; a wide page shows no fold.
const fold = (turns) => {
  const button = document.querySelector(".mun-fold > button");
  if (button && !button.classList.contains("open")) return;
  button?.click(); // does nothing while Gradio is not done with it
  if (turns) setTimeout(() => fold(turns - 1), 50);
};
if (matchMedia("(max-width: 760px)").matches) fold(100);
