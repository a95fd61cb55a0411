// The bridge between the scatter plots and Python. It shows the image of the point under the mouse, tells which point
// was clicked and which were selected, draws rings round the chosen person in every plot, and lets people choose a point
// from menus instead. Gradio draws a plot anew with every change, so an observer hooks each new one (`address.js` goes
// before this).
const SIDES = ["embedding-left", "embedding-right"];
const DWELL = 120; // milliseconds before an image is shown
const SHAPES = { visible: "●", auxiliary: "▲", infrared: "■" };
const [MODALITY, PID, CAMID, IMAGE, CELL, PARTNER, X, Y] = [0, 1, 2, 3, 4, 5, 6, 7]; // places in a point's facts
const root = element.closest("#embeddings") ?? document.body;
const zoomed = {};
let data = null;
let chosen = null; // [image, modality, person]
let timer = 0;

const plotOf = (side) => root.querySelector(`#${SIDES[side]} .js-plotly-plot`);
const point = (side, row) => data?.sides[side]?.[row];
const rowOf = (event) => event?.points?.map((one) => one.customdata).find((row) => Number.isInteger(row));

const tip = document.createElement("div");
tip.className = "mun-embeddings-tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.querySelectorAll(".mun-embeddings-tip").forEach((old) => old.remove());
(root.closest(".gradio-container") ?? document.body).append(tip);

const thumbnail = (cell) => {
  const box = document.createElement("i");
  const { uri, columns, width, height } = data.sheet;
  box.style.cssText = `width:${width}px;height:${height}px;background:url(${uri}) -${(cell % columns) * width}px -${Math.floor(cell / columns) * height}px`;
  return box;
};

const hide = () => {
  clearTimeout(timer);
  tip.hidden = true;
};

const show = (side, row, mouse) => {
  const one = point(side, row);
  if (!one) return;
  tip.replaceChildren(...[one[CELL], one[PARTNER]].filter((cell) => cell >= 0).map(thumbnail));
  const words = document.createElement("span");
  words.textContent = `${SHAPES[one[MODALITY]]} person ${one[PID]}, ${one[MODALITY]}${one[PARTNER] >= 0 ? " of this pair" : `, camera ${one[CAMID]}`}`;
  tip.append(words);
  tip.dataset.image = one[IMAGE];
  tip.hidden = false;
  const [wide, tall] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${Math.max(4, Math.min(mouse.clientX + 14, innerWidth - wide - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(mouse.clientY + 14, innerHeight - tall - 4))}px`;
};

const ring = () => {
  if (!window.Plotly || !data) return;
  data.sides.forEach((points, side) => {
    const plot = plotOf(side);
    const last = (plot?.data?.length ?? 0) - 1;
    if (last < 0 || plot.data[last].name !== "rings") return;
    const same = chosen ? points.filter((one) => one[PID] === chosen[2]) : [];
    const sizes = same.map((one) => (one[IMAGE] === chosen[0] && one[MODALITY] === chosen[1] ? 26 : 15));
    plot.dataset.rings = same.length;
    window.Plotly.restyle(plot, { x: [same.map((one) => one[X])], y: [same.map((one) => one[Y])], "marker.size": [sizes] }, [last]);
  });
};

const choose = (side, row) => {
  const one = point(side, row);
  if (!one) return;
  chosen = [one[IMAGE], one[MODALITY], one[PID]];
  ring();
  press({ side, point: row });
};

const hook = () => {
  SIDES.forEach((_, side) => {
    const plot = plotOf(side);
    if (!plot || plot.munHooked || typeof plot.on !== "function") return;
    plot.munHooked = true;
    plot.on("plotly_click", (event) => {
      const row = rowOf(event);
      if (row !== undefined) choose(side, row);
    });
    plot.on("plotly_selected", (event) => {
      const rows = (event?.points ?? []).map((one) => one.customdata).filter(Number.isInteger);
      if (rows.length) press({ side, points: rows });
    });
    plot.on("plotly_hover", (event) => {
      const row = rowOf(event);
      hide();
      if (row !== undefined) timer = setTimeout(() => show(side, row, event.event), DWELL);
    });
    plot.on("plotly_unhover", hide);
    plot.on("plotly_relayout", (event) => {
      if ("xaxis.range[0]" in event) {
        const { meta, xaxis, yaxis } = plot.layout;
        zoomed[side] = [meta, [...xaxis.range], [...yaxis.range]];
      } else if (event["xaxis.autorange"]) {
        delete zoomed[side];
      }
    });
    const wanted = {};
    if (zoomed[side]?.[0] === plot.layout.meta) Object.assign(wanted, { "xaxis.range": zoomed[side][1], "yaxis.range": zoomed[side][2] });
    if (matchMedia("(pointer: coarse)").matches) wanted.dragmode = false; // a finger scrolls the page
    if (Object.keys(wanted).length) window.Plotly?.relayout(plot, wanted);
    plot.dataset.state = "ready";
    ring();
  });
};

const fill = () => {
  const menu = (name) => element.querySelector(`[data-pick="${name}"]`);
  if (!menu("point") || !data) return;
  const side = Number(menu("side")?.value ?? 0);
  const options = data.sides[side]
    .map((one, row) => [one, row])
    .filter(([one]) => String(one[PID]) === menu("person").value)
    .map(([one, row]) => new Option(`${one[MODALITY]}, ${one[IMAGE]}`, row));
  menu("point").replaceChildren(...options);
};

const load = () => {
  const section = element.querySelector("[data-points]");
  data = section ? JSON.parse(section.dataset.points) : null;
  hide();
  fill();
  hook();
  ring();
};

element.addEventListener("change", (event) => {
  if (["side", "person"].includes(event.target.dataset?.pick)) fill();
});
element.addEventListener("click", (event) => {
  if (event.target.dataset?.pick !== "show") return;
  const menu = (name) => element.querySelector(`[data-pick="${name}"]`)?.value;
  if (menu("point")) choose(Number(menu("side") ?? 0), Number(menu("point")));
});

// What Python chose, as when another tab hands an image over, is ringed too; a neighbour in the panel can be clicked.
const follow = () => {
  const panel = root.querySelector(".mun-embeddings-chosen[data-image]");
  if (!panel || !data) return;
  const one = point(Number(panel.dataset.side ?? 0), Number(panel.dataset.row));
  if (!one || (chosen && chosen[0] === one[IMAGE] && chosen[1] === one[MODALITY])) return;
  chosen = [one[IMAGE], one[MODALITY], one[PID]];
  ring();
};
root.addEventListener("click", (event) => {
  const near = event.target.closest?.(".mun-embeddings-near-button");
  if (!near) return;
  const panel = near.closest(".mun-embeddings-chosen");
  choose(Number(panel.dataset.side ?? 0), Number(near.dataset.row));
});

watch("value", load);
new MutationObserver(() => {
  hook();
  follow();
}).observe(root, { childList: true, subtree: true });
// A plot that was drawn while its tab was hidden, or its column had another width, is fitted when that changes.
let wide = root.offsetWidth;
new ResizeObserver(() => {
  if (root.offsetWidth === wide || !root.offsetWidth) return;
  wide = root.offsetWidth;
  SIDES.forEach((_, side) => plotOf(side) && window.Plotly?.Plots.resize(plotOf(side)));
}).observe(root);
addEventListener("scroll", hide, { passive: true });
load();
