// The address bar follows the pictures while this tab is looked at (`address.js` goes before this).
watch("value", () => {
  const section = element.querySelector("[data-link]");
  if (section && element.offsetParent !== null) remember(section.dataset.link);
});
