// The bridge from the ranking to Python: a click on an image sends its key, on a button the name of what it does; the
// server checks both. After each answer the address bar gets the view's link, and a live region says what is there.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-image], button[data-action]");
  if (!button || button.disabled) return;
  element.dataset.refocus = button.dataset.action ?? "image";
  if (button.dataset.action) {
    if (["stop", "start"].includes(button.dataset.action)) button.disabled = true;
    trigger("select", { action: button.dataset.action });
  } else {
    trigger("select", { image: button.dataset.image });
  }
});

walk("button[data-image]", (button) => button.closest("ol"));

// The address bar: our own names replace the old ones, Gradio's (they begin with two underscores) stay.
const remember = (link) => {
  if (!link) return;
  const kept = [...new URLSearchParams(location.search)].filter(([name]) => name.startsWith("__"));
  const rest = kept.length ? "&" + new URLSearchParams(kept) : "";
  history.replaceState(history.state, "", location.pathname + link + rest + location.hash);
};

// A live region must be on the page before its words change, so there is one for good.
const announce = (words) => {
  let region = document.getElementById("mun-live");
  if (!region) {
    region = document.createElement("div");
    region.id = "mun-live";
    region.className = "mun-hidden";
    region.setAttribute("role", "status");
    (document.querySelector("main") ?? document.body).append(region);
  }
  if (region.textContent !== words) region.textContent = words;
};

watch("value", () => {
  const section = element.querySelector("[data-link]");
  if (!section) return;
  remember(section.dataset.link);
  announce(section.dataset.say ?? "");
  const wanted = element.dataset.refocus;
  if (!wanted) return;
  delete element.dataset.refocus;
  if (document.activeElement !== document.body) return;
  const same = element.querySelector(`button[data-action="${wanted}"]:not(:disabled)`);
  (same ?? element.querySelector("[data-focus]") ?? element.querySelector("button:not(:disabled)"))?.focus();
});
