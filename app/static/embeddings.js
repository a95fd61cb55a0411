// The scatter plots. The points of a picture come once, as columns; the chosen and selected points and the colouring come
// with the values of the tab, and only changed parts are redrawn. Plotly comes with Gradio's own plot.
const TAB = "embeddings";
const SYMBOLS = ["circle", "triangle-up", "square"]; // visible, auxiliary, infrared
const NAMES = ["visible", "auxiliary", "infrared"];
const [POINTS, CENTERS, PROTOTYPES, RINGS] = [0, 1, 2, 3]; // places of the traces
const MANY = 1200; // points that are drawn as SVG; more are drawn by the graphics card
const GREY = "#808893"; // legible on the light and the dark page
let plots = []; // one per picture: frame, columns, drawn keys

const values = () => mun.tabs[TAB]?.values ?? {};
const decoded = (text, Kind) => new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const first = (sizes, count) => sizes.find(([most]) => count <= most)[1];

// Bit r of a mask stands for row r; it travels as URL-safe base64.
const maskOf = (rows) => {
  const bytes = new Uint8Array(Math.floor(Math.max(...rows) / 8) + 1);
  for (const row of rows) bytes[row >> 3] |= 1 << (row & 7);
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};
const rowsOf = (mask, count) => {
  const bytes = Uint8Array.from(atob(mask.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  return [...Array(Math.min(count, 8 * bytes.length)).keys()].filter((row) => bytes[row >> 3] & (1 << (row & 7)));
};

const read = (frame) => {
  const columns = JSON.parse(frame.dataset.columns);
  for (const [name, Kind] of Object.entries({ x: Float32Array, y: Float32Array, pid: Uint32Array, camid: Uint16Array, modality: Uint8Array, correct: Uint8Array })) columns[name] = decoded(columns[name], Kind);
  const people = new Map();
  for (const pid of columns.pid) if (!people.has(pid)) people.set(pid, people.size);
  columns.people = people.size;
  // The palette index of each point, for each colouring.
  columns.numbers = { identity: Array.from(columns.pid, (pid) => people.get(pid)), camera: Array.from(columns.camid, (camid) => camid - 1), modality: columns.modality, correct: columns.correct };
  return columns;
};

// The parts of a plot by the values of the tab; a part is redrawn when its key changes.
const wanted = ({ columns, palettes }, side) => {
  const { colour = "identity", lines, prototypes, point = -1, selected = "", side: chosenSide = 0 } = values();
  const other = plots[chosenSide]?.columns;
  const count = columns.x.length;
  const pid = other && point >= 0 ? other.pid[point] : null;
  return {
    colour: { key: colour, draw: () => [{ "marker.color": [Array.from(columns.numbers[colour], (number) => palettes[colour][number % palettes[colour].length])] }, [POINTS]] },
    marks: { key: `${lines} ${prototypes}`, draw: () => [{ visible: [Boolean(lines), Boolean(prototypes)] }, [CENTERS, PROTOTYPES]], layout: { annotations: prototypes ? labels(columns) : [] } },
    rings: { key: `${pid} ${point}`, draw: () => {
      const rows = pid === null ? [] : [...columns.pid.keys()].filter((row) => columns.pid[row] === pid);
      const same = (row) => row === point && (side === chosenSide || columns.modality[row] !== 1);
      return [{ x: [rows.map((row) => columns.x[row])], y: [rows.map((row) => columns.y[row])], "marker.size": [rows.map((row) => (same(row) ? 26 : 15))] }, [RINGS]];
    } },
    selected: { key: selected, draw: () => [{ selectedpoints: [selected ? rowsOf(selected, count) : null] }, [POINTS]], layout: selected ? null : { selections: [] } },
  };
};

// The labels of prototypes, on a white ground: stacked where they would overlap, all inside the plot.
const labels = ({ prototypes, x, y }) => {
  const span = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const [left, right] = span(x);
  const [bottom, top] = span(y);
  const step = (top - bottom) / 22; // about the height of a line
  let free = -Infinity;
  const placed = [...prototypes].sort((one, other) => one[1] - other[1]).map(([at, height, modality]) => {
    free = Math.max(height, free + step);
    const side = at > (left + right) / 2 ? { xanchor: "right", xshift: -14 } : { xanchor: "left", xshift: 14 };
    return { x: at, y: free, text: `${NAMES[modality]} prototype`, showarrow: false, ...side, font: { size: 12, color: "#17202c" }, bgcolor: "rgba(255, 255, 255, 0.88)", borderpad: 1 };
  });
  return placed.map((one) => ({ ...one, y: one.y - Math.max(0, free - top) }));
};

const traces = ({ columns }) => {
  const count = columns.x.length;
  const type = count > MANY ? "scattergl" : "scatter"; // one type for all traces: the graphics card draws over SVG
  const steady = { type, hoverinfo: "skip", unselected: { marker: { opacity: 1 } } };
  const centers = { x: [], y: [], symbols: [] };
  for (const line of columns.centers) {
    for (const [x, y, modality] of [...line, [null, null, 0]]) {
      centers.x.push(x);
      centers.y.push(y);
      centers.symbols.push(`${SYMBOLS[modality]}-open`);
    }
  }
  const small = first([[20, 12], [50, 9], [Infinity, 7]], columns.people);
  const marks = columns.prototypes;
  return [
    { type, mode: "markers", name: "points", x: columns.x, y: columns.y, hoverinfo: "none",
      marker: { symbol: Array.from(columns.modality, (number) => SYMBOLS[number]), size: first([[300, 10], [1200, 8], [4000, 6], [Infinity, 4]], count), opacity: 0.85, line: { width: count > 4000 ? 0 : 0.8, color: "rgba(255, 255, 255, 0.75)" } },
      unselected: { marker: { opacity: 0.15 } } },
    { ...steady, mode: "lines+markers", name: "centers", x: centers.x, y: centers.y, line: { color: GREY, width: small / 9 }, marker: { symbol: centers.symbols, size: small, color: GREY, line: { width: small / 6 } } },
    { ...steady, mode: "markers", name: "prototypes", x: marks.map((mark) => mark[0]), y: marks.map((mark) => mark[1]), cliponaxis: false,
      marker: { symbol: marks.map((mark) => SYMBOLS[mark[2]]), size: 20, color: marks.map((mark) => ["#d55e00", "#009e73", "#0072b2"][mark[2]]), line: { width: 3, color: "#fff" } } },
    { ...steady, mode: "markers", name: "rings", x: [], y: [], marker: { size: 15, symbol: "circle-open", color: GREY, line: { width: 2.5 } } },
  ];
};

const layout = ({ columns }) => {
  const axis = { showgrid: false, zeroline: false, showticklabels: false, ticks: "", showline: true, mirror: true, linecolor: "rgba(128, 136, 147, 0.35)", linewidth: 1 };
  const font = { color: getComputedStyle(element).color, size: 12 };
  return {
    autosize: true, paper_bgcolor: "rgba(0, 0, 0, 0)", plot_bgcolor: "rgba(0, 0, 0, 0)", font, showlegend: false, hovermode: "closest", hoverdistance: 12,
    margin: { l: columns.axes[1] ? 24 : 6, r: 6, t: 6, b: columns.axes[0] ? 26 : 6 },
    xaxis: { ...axis, title: { text: columns.axes[0], standoff: 4 } }, yaxis: { ...axis, title: { text: columns.axes[1], standoff: 4 }, scaleanchor: "x" },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "lasso", // a finger scrolls the page
    newselection: { line: { color: GREY, width: 1.5 } }, modebar: { orientation: "v", bgcolor: "rgba(0, 0, 0, 0)", color: GREY, activecolor: "#0f766e" },
  };
};
const config = { displaylogo: false, displayModeBar: true, responsive: true, scrollZoom: false, modeBarButtonsToRemove: ["toImage", "autoScale2d", "zoomIn2d", "zoomOut2d"] };

const choose = (side, row) => {
  Object.assign(values(), { side, point: row }); // the rings follow at once
  apply();
  mun.press(TAB, { set: { side, point: row } });
};
const hook = (plot, side) => {
  const { frame } = plot;
  const rowOf = (event) => event?.points?.find((one) => one.curveNumber === POINTS)?.pointNumber;
  frame.on("plotly_click", (event) => rowOf(event) !== undefined && choose(side, rowOf(event)));
  frame.on("plotly_selected", (event) => {
    const rows = (event?.points ?? []).filter((one) => one.curveNumber === POINTS).map((one) => one.pointNumber);
    if (!event || !rows.length) return;
    plot.drawn.selected = maskOf(rows); // Plotly shows it already
    mun.press(TAB, { set: { side, selected: plot.drawn.selected } });
  });
  frame.on("plotly_deselect", () => values().selected && mun.press(TAB, { set: { selected: "" } }));
  frame.on("plotly_hover", (event) => rowOf(event) !== undefined && mun.tips[TAB].show({ side, row: rowOf(event) }, event.event));
  frame.on("plotly_unhover", () => mun.tips[TAB].hide());
};

// Draw changes: a whole plot once, then a restyle for each changed part.
const apply = () => {
  if (!window.Plotly || !element.offsetWidth) return;
  plots.forEach((plot, side) => {
    const parts = Object.entries(wanted(plot, side));
    if (!plot.drawn) {
      Plotly.newPlot(plot.frame, traces(plot), layout(plot), config);
      plot.drawn = { colour: null, marks: null, rings: "null -1", selected: "" };
      hook(plot, side);
    }
    for (const [name, { key, draw, layout }] of parts) {
      if (plot.drawn[name] === key) continue;
      plot.drawn[name] = key;
      Plotly.restyle(plot.frame, ...draw());
      if (layout) Plotly.relayout(plot.frame, layout);
    }
    plot.frame.dataset.state = "ready";
  });
};
const load = () => {
  const section = element.querySelector("[data-palettes]");
  for (const { frame } of plots) window.Plotly?.purge(frame);
  mun.tips[TAB]?.hide();
  const palettes = JSON.parse(section?.dataset.palettes ?? "{}");
  plots = [...element.querySelectorAll("[data-columns]")].map((frame) => ({ frame, palettes, columns: read(frame), drawn: null }));
  const start = () => (window.Plotly ? apply() : setTimeout(start, 50));
  start();
};

watch("value", load);
document.addEventListener("mun-view", (event) => event.detail === TAB && apply());
new ResizeObserver(() => {
  if (!element.offsetWidth) return;
  apply();
  for (const { frame, drawn } of plots) if (drawn) Plotly.Plots.resize(frame);
}).observe(element);
load();
