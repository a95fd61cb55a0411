// The bridge from the query browser to Python: one listener on the element that Gradio keeps while its content changes.
// A click (or Enter, or Space) on a thumbnail sends its key, on the pager the number of a page; the server checks both.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-query], button[data-page]");
  if (!button || button.disabled) return;
  if (button.dataset.page !== undefined) {
    element.dataset.refocus = button.getAttribute("aria-label");
    press({ page: Number(button.dataset.page) });
    return;
  }
  for (const other of element.querySelectorAll("button[data-query]")) {
    other.setAttribute("aria-pressed", String(other === button));
    other.tabIndex = other === button ? 0 : -1;
  }
  press({ query: button.dataset.query });
});

walk("button[data-query]", () => element);

// The query that is ranked now is scrolled into the list's view; the page itself stays where it is.
const show = () => {
  const strip = element.querySelector(".mun-strip");
  const chosen = strip?.querySelector("[aria-pressed='true']");
  if (!chosen) return;
  const [inner, outer] = [chosen.getBoundingClientRect(), strip.getBoundingClientRect()];
  strip.scrollTop += Math.min(0, inner.top - outer.top - 4) + Math.max(0, inner.bottom - outer.bottom + 4);
  strip.scrollLeft += Math.min(0, inner.left - outer.left - 4) + Math.max(0, inner.right - outer.right + 4);
};

// A page that was turned is drawn anew; who turned it with the keyboard stays on the pager.
watch("value", () => {
  show();
  const label = element.dataset.refocus;
  delete element.dataset.refocus;
  if (!label || document.activeElement !== document.body) return;
  const buttons = [...element.querySelectorAll(".mun-pager button")];
  (buttons.find((button) => !button.disabled && button.getAttribute("aria-label") === label) ?? buttons.find((button) => !button.disabled))?.focus();
});
