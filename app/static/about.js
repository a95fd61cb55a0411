// The About tab: a button that copies what it names, and a card that an address has asked for comes into view. The
// address bar follows only while this tab is looked at (`address.js` goes before this).
const shown = (button, state, words) => {
  button.dataset.state = state;
  button.textContent = words;
  announce(words);
};

// Without the clipboard (an old browser, a page that is not secure) the text is marked, and a key copies it.
const mark = (source) => {
  const range = document.createRange();
  range.selectNodeContents(source);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
};

element.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    shown(button, "copied", "Copied");
  } catch {
    mark(source);
    shown(button, "marked", "Marked: copy it with your keyboard");
  }
});

const follow = () => {
  const card = element.querySelector("[data-turn]");
  if (!card || element.offsetParent === null) return;
  if (card.dataset.link && card.dataset.turn !== "0") {
    remember(card.dataset.link);
    announce(card.dataset.say);
  }
  if (card.dataset.opened) (document.getElementById("mun-about-cards") ?? card).scrollIntoView({ block: "start" });
};
watch("value", follow);
