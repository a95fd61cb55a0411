// A click on a heading sorts its table by that column; a second click reverses the order; empty cells stay at the end.
// Arrow keys walk through the tour.
element.addEventListener("click", (event) => {
  const heading = event.target.closest("button[data-sort]")?.closest("th");
  if (!heading) return;
  const body = heading.closest("table").tBodies[0], down = heading.getAttribute("aria-sort") !== "descending";
  const value = (row) => row.cells[heading.cellIndex].dataset.value;
  const numbers = [...body.rows].every((row) => !Number.isNaN(Number(value(row))));
  const compare = (a, b) => (numbers ? Number(a) - Number(b) : a.localeCompare(b));
  body.append(...[...body.rows].sort((a, b) => {
    if (!value(a) || !value(b)) return !value(a) - !value(b);
    return down ? compare(value(b), value(a)) : compare(value(a), value(b));
  }));
  for (const other of heading.parentElement.cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
});
element.addEventListener("keydown", (event) => {
  const way = { ArrowRight: "next", ArrowLeft: "previous" }[event.key];
  if (way && !event.altKey && event.target.closest("[data-tour]")) element.querySelector(`[data-key="${way}"]:not(:disabled)`)?.click();
});
