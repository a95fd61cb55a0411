// The address bar follows from tab to tab: it gets the link of what the tab that was turned to shows, the newest where
// there are several, or else the name of the tab. Of a tab that it names already it may say what is not drawn yet; a
// bare address leads to Retrieval, which is turned to while the page is still being opened (`address.js` goes before
// this).
const turned = (id) => setTimeout(() => {
  if (new URLSearchParams(location.search).get("tab") === id) return;
  const seen = [...document.querySelectorAll("[data-link][data-turn]")].filter((one) => one.offsetParent !== null);
  const [newest] = seen.sort((one, other) => other.dataset.turn - one.dataset.turn);
  const link = Number(newest?.dataset.turn) > 0 ? newest.dataset.link : "";
  remember(link || (id === "retrieval" ? "" : `?tab=${id}`));
}, 60);
