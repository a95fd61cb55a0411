// The bridge from the images of a person to Python: a click (or Enter, or Space) sends a key, which the server checks
// (`walk.js` and `press.js` go before this).
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-image]");
  if (!button) return;
  for (const other of button.parentElement.querySelectorAll("button[data-image]")) {
    other.setAttribute("aria-pressed", String(other === button));
    other.tabIndex = other === button ? 0 : -1;
  }
  element.dataset.refocus = button.dataset.image;
  press({ image: button.dataset.image });
});

walk("button[data-image]", (button) => button.parentElement);

// What was drawn anew keeps the focus of who works by keyboard.
watch("value", () => {
  const wanted = element.dataset.refocus;
  delete element.dataset.refocus;
  if (!wanted || document.activeElement !== document.body) return;
  [...element.querySelectorAll("button[data-image]")].find((button) => button.dataset.image === wanted)?.focus();
});
