// The panel and the bench of the Auxiliary tab: after each answer the address bar gets the view's link, and a live
// region says what is there, while this tab is looked at (`address.js` goes before this).
watch("value", () => {
  const section = element.querySelector("[data-link]");
  if (!section || element.offsetParent === null) return;
  remember(section.dataset.link);
  if (section.dataset.say) announce(section.dataset.say);
});
