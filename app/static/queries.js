// The bridge from the query browser to Python: one listener on the element that Gradio keeps while its content changes.
// A click (or Enter, or Space) on a thumbnail sends its key, on the pager the number of a page; the server checks both.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-query], button[data-page]");
  if (!button || button.disabled) return;
  if (button.dataset.page !== undefined) {
    trigger("select", { page: Number(button.dataset.page) });
    return;
  }
  for (const other of element.querySelectorAll("[aria-pressed='true']")) other.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", "true");
  trigger("select", { query: button.dataset.query });
});

// Arrow keys walk through the thumbnails; Tab leaves as usual.
element.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || !event.target.matches("button[data-query]")) return;
  const buttons = [...element.querySelectorAll("button[data-query]")];
  const next = buttons[buttons.indexOf(event.target) + step];
  if (next) {
    next.focus();
    event.preventDefault();
  }
});
