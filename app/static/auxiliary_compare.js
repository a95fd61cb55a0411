// One image over another, and a slider that uncovers the lower one; all of it in the browser. A new pair keeps the place.
let at = "50";
const uncover = () => {
  const figure = element.querySelector(".mun-auxiliary-compare");
  if (!figure) return;
  figure.querySelector("input").value = at;
  figure.style.setProperty("--at", at + "%");
};
element.addEventListener("input", (event) => {
  at = event.target.value;
  uncover();
});
watch("value", uncover);
