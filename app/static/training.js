// The bridge from the run and the list of runs to Python: a click on a run watches it, on "compare" lays it over others.
// The address bar follows only while this tab is looked at, because a run goes on while other tabs are.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-run], button[data-compare]");
  if (!button || button.disabled) return;
  element.dataset.refocus = button.dataset.run ? `[data-run="${button.dataset.run}"]` : `[data-compare="${button.dataset.compare}"]`;
  press(button.dataset.run ? { run: button.dataset.run } : { compare: button.dataset.compare });
});

watch("value", () => {
  const wanted = element.dataset.refocus;
  delete element.dataset.refocus;
  if (wanted && document.activeElement === document.body) element.querySelector(`button${wanted}`)?.focus();
  const section = element.querySelector("[data-link]");
  if (!section || element.offsetParent === null) return;
  remember(section.dataset.link);
  announce(section.dataset.say ?? "");
});
