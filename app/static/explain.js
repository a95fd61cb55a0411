// The bridge from the Explain tab to Python: a click on an image, a target or a map sends its name, on a button of a
// message what it does; the server checks all of them (`walk.js`, `press.js`, and for the row `address.js`, go before this).
const NAMES = ["image", "aim", "map", "action"];
const BUTTONS = "button[data-image], button[data-aim], button[data-map]";

element.addEventListener("click", (event) => {
  const button = event.target.closest(`${BUTTONS}, button[data-action]`);
  if (!button || button.disabled) return;
  const name = NAMES.find((one) => button.dataset[one] !== undefined);
  if (name !== "action") {
    for (const other of element.querySelectorAll(BUTTONS)) {
      other.setAttribute("aria-pressed", String(other === button));
      other.tabIndex = other === button ? 0 : -1;
    }
  }
  element.dataset.refocus = button.dataset[name];
  press({ [name]: button.dataset[name] });
});

walk(BUTTONS, () => element);

// The opacity is the browser's alone; it stays as it was set when the row is drawn anew.
let opacity = "60";
const dim = () => {
  const slider = element.querySelector("input[data-opacity]");
  if (slider) slider.value = opacity;
  element.style.setProperty("--mun-explain-opacity", Number(opacity) / 100);
};
element.addEventListener("input", (event) => {
  if (!event.target.matches("input[data-opacity]")) return;
  opacity = event.target.value;
  dim();
});
dim();

watch("value", () => {
  dim();
  const section = element.querySelector("[data-link]");
  if (section && element.offsetParent !== null) {
    remember(section.dataset.link);
    announce(section.dataset.say ?? "");
  }
  const wanted = element.dataset.refocus;
  delete element.dataset.refocus;
  if (!wanted || document.activeElement !== document.body) return;
  [...element.querySelectorAll("button")].find((button) => NAMES.some((name) => button.dataset[name] === wanted))?.focus();
});
