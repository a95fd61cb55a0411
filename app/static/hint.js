// A hint is shown until it is put away; this browser remembers that. Without storage it is shown on every visit.
const hint = element.querySelector("[data-hint]");
const name = "mun-hint-" + hint.dataset.hint;
const stored = () => {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
};
hint.hidden = stored() !== null;
hint.querySelector("button").addEventListener("click", () => {
  hint.hidden = true;
  try {
    localStorage.setItem(name, "1");
  } catch {
    // Nothing to do: the hint comes again next time.
  }
});
