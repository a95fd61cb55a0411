// The bridge from the ranking to Python: a click on an image sends its key, on a button the name of what it does; the
// server checks both. After each answer the address bar gets the view's link, and a live region says what is there
// (`walk.js`, `address.js` and `press.js` go before this).
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-image], button[data-action]");
  if (!button || button.disabled) return;
  element.dataset.refocus = button.dataset.action ?? "image";
  if (button.dataset.action) {
    if (["stop", "start"].includes(button.dataset.action)) button.disabled = true;
    press({ action: button.dataset.action });
  } else {
    press({ image: button.dataset.image });
  }
});

walk("button[data-image]", (button) => button.closest("ol"));

watch("value", () => {
  const section = element.querySelector("[data-link]");
  if (!section) return;
  if (element.offsetParent !== null) remember(section.dataset.link);
  announce(section.dataset.say ?? "");
  const wanted = element.dataset.refocus;
  if (!wanted) return;
  delete element.dataset.refocus;
  if (document.activeElement !== document.body) return;
  const same = element.querySelector(`button[data-action="${wanted}"]:not(:disabled)`);
  (same ?? element.querySelector("[data-focus]") ?? element.querySelector("button:not(:disabled)"))?.focus();
});
