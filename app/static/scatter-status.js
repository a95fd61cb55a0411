// What stands above the plots: its buttons stop and start the work, its link goes into the address bar, its words are
// announced, while this tab is looked at (`address.js` and `press.js` go before this).
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button || button.disabled) return;
  button.disabled = true;
  press({ action: button.dataset.action });
});
watch("value", () => {
  const section = element.querySelector("[data-turn]");
  if (!section || element.offsetParent === null) return;
  if (section.dataset.link) remember(section.dataset.link);
  if (section.dataset.say) announce(section.dataset.say);
});
