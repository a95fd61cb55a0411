// A click on a heading sorts its table by that column; again, the other way round. Empty cells stay at the end.
element.addEventListener("click", (event) => {
  const button = event.target.closest("th[scope=col] button");
  if (!button) return;
  const heading = button.closest("th");
  const body = heading.closest("table").tBodies[0];
  const column = heading.cellIndex;
  const down = heading.getAttribute("aria-sort") !== "descending";
  const value = (row) => row.cells[column].dataset.value;
  const numbers = [...body.rows].every((row) => value(row) === "" || !Number.isNaN(Number(value(row))));
  const compare = (a, b) => (numbers ? Number(a) - Number(b) : a.localeCompare(b));
  const sorted = [...body.rows].sort((a, b) => {
    if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === "");
    return down ? compare(value(b), value(a)) : compare(value(a), value(b));
  });
  body.append(...sorted);
  for (const other of heading.parentElement.cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
});
