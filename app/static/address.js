// The address bar: our own names replace the old ones, Gradio's (they begin with two underscores) stay.
const remember = (link) => {
  if (!link) return;
  const kept = [...new URLSearchParams(location.search)].filter(([name]) => name.startsWith("__"));
  const rest = kept.length ? "&" + new URLSearchParams(kept) : "";
  history.replaceState(history.state, "", location.pathname + link + rest + location.hash);
};

// A live region must be on the page before its words change, so there is one for good.
const announce = (words) => {
  let region = document.getElementById("mun-live");
  if (!region) {
    region = document.createElement("div");
    region.id = "mun-live";
    region.className = "mun-hidden";
    region.setAttribute("role", "status");
    (document.querySelector("main") ?? document.body).append(region);
  }
  if (region.textContent !== words) region.textContent = words;
};
