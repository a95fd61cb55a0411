// The page's half of `app/shared/tab.py`. The browser holds the request of each tab, as names and values; every press sends
// all of it, and the answer says what is shown now. Gradio sends one press of a tab at a time and keeps only the last of the
// waiting presses, by reference. So all presses of a tab share one object, and no change of a waiting press is lost.
window.mun = (() => {
  const tabs = {}; // by name: the request, and what is shown
  const shared = {}; // checkpoint, data, chosen image: the same for all tabs
  const parameters = () => new URLSearchParams(location.search);

  // Links to removed tabs lead to the tabs that have their content now.
  const retired = { results: "tab=about&section=findings", data: "tab=about&section=data", "own-image": "tab=retrieval" };
  const forward = (address) => {
    const target = new URLSearchParams(address);
    for (const [name, value] of new URLSearchParams(retired[target.get("tab")])) target.set(name, value);
    return "?" + target;
  };
  if (retired[parameters().get("tab")]) history.replaceState(history.state, "", location.pathname + forward(location.search) + location.hash);

  let current = parameters().get("tab") || "retrieval";
  let landing = current; // the tab that the address names, until it is open
  let entry = parameters().size ? location.search : ""; // the address that was opened, until a tab has read it
  let focus = null; // the element pressed last: it gets the focus back when it is redrawn
  let clock = 0;
  const FOLDS = "details:not(.mun-menu)";

  const page = () => location.origin + location.pathname;
  const each = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const tabOf = (name) => (tabs[name] ??= { values: {}, edits: {}, drawn: {}, link: "", turn: 0, chosen: "", sent: {}, shares: [] });

  // --- words: a live region and a short message -----------------------------------------------------------------------
  const say = (id, words) => {
    const region = document.getElementById(id) ?? make("div", { id });
    region.setAttribute("role", "status");
    if (!region.isConnected) document.querySelector("main").append(region);
    if (region.textContent !== words) region.textContent = words;
    return region;
  };
  const toast = (words) => {
    const shown = say("mun-toast", words);
    shown.hidden = false;
    clearTimeout(shown.timer);
    shown.timer = setTimeout(() => (shown.hidden = true), 6000);
  };

  // --- the address bar: Gradio's own names, which begin with two underscores, stay ---------------------------------
  const remember = (link, push) => {
    if (!link) return;
    const kept = [...parameters()].filter(([name]) => name.startsWith("__"));
    const address = location.pathname + link + (kept.length ? "&" + new URLSearchParams(kept) : "") + location.hash;
    if (address === location.pathname + location.search + location.hash) return;
    history[push ? "pushState" : "replaceState"](history.state, "", address);
  };

  // --- browser storage: other pages change it too, so it is read again each time -------------------------------------
  const memory = {}; // for a browser that stores nothing
  const stored = (place, name) => {
    try {
      return JSON.parse(window[place].getItem(name)) ?? memory[name];
    } catch {
      return memory[name];
    }
  };
  const store = (place, name, value) => {
    memory[name] = value;
    try {
      window[place].setItem(name, JSON.stringify(value));
    } catch {}
  };
  const tokens = (name) => stored("localStorage", `mun-${name}-tokens`) ?? {};
  const keep = (name, news) => {
    if (!Object.keys(news).length) return;
    const kept = Object.entries({ ...tokens(name), ...news }).filter(([, token]) => token !== null);
    store("localStorage", `mun-${name}-tokens`, Object.fromEntries(kept.slice(-60)));
  };

  const pending = (tab) => Object.fromEntries(Object.entries(tab.edits).map(([field, one]) => [field, one.value]));

  // --- a press -----------------------------------------------------------------------------------------------------------
  const press = (name, { set = {}, act = "", detail = {}, address = "", quiet = false } = {}) => {
    const tab = tabOf(name);
    if (!tab.trigger) return;
    clock += 1;
    for (const [field, value] of Object.entries(set)) tab.edits[field] = { value, turn: clock };
    const common = Object.fromEntries(tab.shares.filter((one) => shared[one]).map((one) => [one, shared[one]]));
    const before = tab.queued ? tab.sent : {}; // the press that waits in Gradio
    Object.assign(tab.sent, {
      values: { ...tab.values, ...common, ...pending(tab) },
      changed: Object.keys(tab.edits),
      before: Object.fromEntries(Object.keys(tab.edits).filter((field) => field in tab.values).map((field) => [field, tab.values[field]])),
      do: act || before.do || "",
      detail: { ...(before.detail ?? {}), ...detail, ...(mun.own?.extra(name) ?? {}) },
      address: address || (act || Object.keys(set).length ? "" : before.address) || "",
      chosen: shared.chosen ?? "",
      drawn: { ...tab.drawn, strip: shared.strip ?? "", header: document.querySelector("#header [data-drawn]")?.dataset.drawn ?? "" },
      tokens: tokens(name),
      own: features.token(),
      url: page(),
      turn: clock,
    });
    tab.queued = tab.busy;
    tab.busy = true;
    tab.push ||= !quiet;
    clearTimeout(tab.timer);
    document.body.dataset.busy = name;
    tab.trigger("select", tab.sent);
  };

  const switchers = () => {
    for (const menu of each("#header select")) if (shared[menu.name]) menu.value = shared[menu.name];
    const mark = document.querySelector("#header [data-synthetic]");
    if (mark) mark.hidden = Boolean(shared.data) && !JSON.parse(mark.dataset.synthetic).includes(shared.data);
  };
  const adopt = (name, element) => {
    const head = element.querySelector("[data-view]");
    if (!head) return;
    const tab = tabOf(name);
    const view = JSON.parse(head.dataset.view);
    const notice = head.querySelector("[data-notice]"); // it stays when the page itself repeats a request
    if (!notice && tab.sent.do === "again" && tab.notice) head.prepend(tab.notice);
    else tab.notice = notice;
    document.getElementById(`tab-${name}`)?.toggleAttribute("data-lacking", view.lacking);
    for (const one of each(`[data-piece][data-of="${name}"]`)) one.inert = view.old.includes(one.dataset.piece);
    const menu = head.querySelector("details"); // an open menu stays open when its tab's head is redrawn
    if (menu) {
      menu.open = Boolean(tab.menu);
      menu.ontoggle = () => (tab.menu = menu.open && menu.isConnected);
    }
    for (const [field, one] of Object.entries(tab.edits)) if (one.turn <= view.turn) delete tab.edits[field];
    for (const field of tab.sent.changed ?? []) { // a refused field shows its valid value again
      if (field in tab.edits || tab.sent.values[field] === view.values[field]) continue;
      for (const one of each(`[data-of="${name}"] :is(select, [type=number], [type=range], [type=text])[name="${field}"]`)) one.value = view.values[field];
    }
    for (const one of each(`[data-of="${name}"]`)) agree(tab, one);
    for (const one of each("[data-drawer]", element)) one.setAttribute("aria-expanded", String(document.body.classList.contains("mun-drawer-open")));
    tab.queued = false;
    tab.busy = view.turn < tab.sent.turn; // then the waiting press is sent now
    Object.assign(tab.drawn, view.drawn);
    Object.assign(tab, { values: view.values, link: view.link, turn: view.turn, again: view.again });
    keep(name, view.tokens);
    if (tab.busy) {
      Object.assign(tab.sent, { values: { ...tab.values, ...pending(tab) }, tokens: tokens(name), drawn: { ...tab.sent.drawn, ...view.drawn } });
    } else {
      delete document.body.dataset.busy;
    }
    choose(name, view.values);
    document.dispatchEvent(new CustomEvent("mun-view", { detail: name }));
    const next = { act: view.undone || "again", detail: view.undone ? tab.sent.detail : {}, quiet: true }; // what was not possible yet
    if (view.again && !tab.busy) tab.timer = setTimeout(() => press(name, next), view.again);
    if (view.chosen) shared.chosen = view.chosen;
    if (view.drawn.strip) shared.strip = view.drawn.strip;
    tab.chosen = shared.chosen ?? "";
    if (name !== current) return;
    for (const one of tab.shares) if (view.values[one] !== undefined && !tab.busy) shared[one] = view.values[one];
    switchers();
    tab.common = JSON.stringify([shared.checkpoint, shared.data]);
    remember(view.link, tab.push);
    tab.push = false;
    if (view.say) say("mun-live", view.say);
  };

  // Gradio changes attributes of the controls on the page, and a used control no longer follows its attributes.
  const agree = (tab, element) => {
    for (const one of each("form[data-form] :is([type=checkbox], [type=radio], option)", element)) {
      if ((one.closest("select") ?? one).name in tab.edits) continue;
      if (!one.matches("option")) one.checked = one.defaultChecked;
      else if (one.defaultSelected) one.selected = true;
    }
  };
  // A call failed, for example because a proxy restarts: the tab takes presses again, and a poll goes on.
  const failed = (name) => {
    const tab = tabOf(name);
    tab.busy = tab.queued = false;
    delete document.body.dataset.busy;
    if (name === "retrieval") mun.own?.failed();
    toast("The app gave no answer. Please try again.");
    if (tab.again || !tab.turn) tab.timer = setTimeout(() => press(name, { act: tab.turn ? "again" : "open", quiet: true }), 5000);
  };

  // Mark the buttons of the choices that are made, and scroll them into view in their lists.
  const choose = (name, values) => {
    for (const one of each(`[data-of="${name}"] [aria-pressed][data-set]`)) {
      const made = Object.entries(JSON.parse(one.dataset.set)).every(([field, value]) => values[field] === value);
      one.setAttribute("aria-pressed", String(made));
      const list = one.closest("[data-walk], .mun-choices");
      if (!list) continue;
      if (list.dataset.walk) one.tabIndex = made || (one.tabIndex === 0 && !list.querySelector('[aria-pressed="true"]')) ? 0 : -1;
      const [inner, outer] = [one.getBoundingClientRect(), list.getBoundingClientRect()];
      if (made) list.scrollLeft += Math.min(0, inner.left - outer.left - 4) + Math.max(0, inner.right - outer.right + 4);
    }
  };

  // --- tabs -------------------------------------------------------------------------------------------------------------
  const show = (name) => {
    current = name;
    document.body.dataset.tab = name;
    for (const one of each("#drawer [data-settings]")) one.hidden = one.dataset.settings !== name;
    const empty = !document.querySelector("#drawer [data-settings]:not([hidden])");
    if (empty && document.body.classList.contains("mun-drawer-open")) drawer(false);
  };
  const buttonOf = (name) => // on a narrow page Gradio puts some into a menu, with only their title
    document.querySelector(`#tabs [role=tab][data-tab-id="${CSS.escape(name)}"]`) ??
    each("#tabs .overflow-dropdown button").find((one) => one.textContent.trim().toLowerCase() === name);
  const open = (name) => {
    const wanted = landing;
    landing = "";
    if (wanted && wanted !== name) { // Gradio opens the first tab
      if (buttonOf(wanted)) return buttonOf(wanted).click();
      entry = "";
      toast(`There is no tab named ${wanted.slice(0, 40)}.`);
    }
    show(name);
    const tab = tabOf(name);
    if (tab.restoring || !tab.trigger || (tab.busy && !tab.turn)) return; // its first press is under way
    const stale = !tab.turn || tab.again || tab.chosen !== (shared.chosen ?? "") || tab.common !== JSON.stringify([shared.checkpoint, shared.data]);
    if (stale) press(name, { act: "open" });
    else remember(tab.link, true);
  };
  const visit = (name, address = "") => {
    if (retired[name]) return visit(new URLSearchParams(retired[name]).get("tab"), forward(address || `?tab=${name}`));
    const tab = tabOf(name);
    tab.restoring = Boolean(address);
    tab.wanted = address; // read when the tab is drawn for the first time
    if (name !== current) buttonOf(name)?.click();
    show(name);
    if (address) press(name, { address });
    setTimeout(() => (tab.restoring = false), 300);
  };

  // --- files, pictures, drawer ---------------------------------------------------------------------------------------
  // A large file comes in parts: the request is repeated with the number of the next part.
  let asked = {};
  let parts = [];
  const ask = (detail) => {
    asked = { ...asked, detail: { ...asked.detail, ...detail, ...(mun.own?.extra(asked.tab) ?? {}) } };
    document.body.dataset.busy = asked.tab;
    tabOf(asked.tab).trigger("submit", { ...asked, tokens: tokens(asked.tab), own: features.token(), url: page() });
  };
  const save = (element) => {
    const file = element.querySelector("[data-file], [data-error]");
    delete document.body.dataset.busy;
    if (!file) return;
    if (file.dataset.error) return toast(file.dataset.error);
    const [head, body] = file.dataset.file.split(",");
    if (file.dataset.part === "0") parts = [];
    parts.push(Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0)));
    if ("more" in file.dataset) return ask({ part: Number(file.dataset.part) + 1 });
    const link = make("a", { href: URL.createObjectURL(new Blob(parts, { type: head.slice(5, -7) })), download: file.dataset.name });
    link.click();
    parts = [];
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    file.remove();
  };
  const enlarge = (button) => {
    const pictures = each("img:not([data-beside])", button); // a map lies over its image
    const dialog = make("dialog", { className: "mun-large" });
    const layers = make("div", { className: "mun-layers" });
    for (const { src, alt, className } of pictures) layers.append(make("img", { src, alt, className }));
    dialog.append(layers, make("p", { textContent: button.dataset.large || pictures[0].alt }));
    const close = make("button", { type: "button", className: "mun-button", textContent: "Close" });
    close.onclick = () => dialog.close();
    dialog.append(close);
    dialog.onclick = (event) => event.target === dialog && dialog.close();
    dialog.onclose = () => (dialog.remove(), button.focus());
    document.body.append(dialog);
    dialog.showModal();
  };
  let opener = null; // what opened the drawer: it gets the focus back later
  const focusOnceSeen = (element) => {
    element.focus();
    if (document.activeElement === opener && !element.closest("[inert]")) requestAnimationFrame(() => focusOnceSeen(element));
  };
  const drawer = (open, field) => {
    const side = document.getElementById("drawer");
    document.body.classList.toggle("mun-drawer-open", open);
    side.inert = !open;
    for (const one of each("[data-drawer]")) one.setAttribute("aria-expanded", String(open));
    if (!open) return opener?.focus();
    opener = document.activeElement;
    focusOnceSeen(side.querySelector(`[data-settings]:not([hidden]) [name="${field}"]`) ?? side.querySelector("button"));
  };

  // --- a tip: what is under the mouse is requested beside the presses, and shown when it arrives ---------------------
  const tips = {}; // by tab
  const tip = (tab, element, trigger, watch) => {
    const frame = element.closest(`#${tab}-tip`);
    let wanted = null; // the item, and the mouse's place
    let timer = 0;
    const hide = () => {
      clearTimeout(timer);
      wanted = null;
      frame.dataset.shown = "";
    };
    const place = () => {
      const body = frame.querySelector(".mun-tip-body");
      if (!wanted || !body || Object.entries(wanted.detail).some(([name, value]) => body.dataset[name] !== String(value))) return false;
      frame.dataset.shown = "yes";
      frame.style.left = `${Math.max(4, Math.min(wanted.x + 14, innerWidth - frame.offsetWidth - 4))}px`;
      frame.style.top = `${Math.max(4, Math.min(wanted.y + 14, innerHeight - frame.offsetHeight - 4))}px`;
      return true;
    };
    const show = (detail, { clientX: x, clientY: y }) => {
      if (wanted && JSON.stringify(wanted.detail) === JSON.stringify(detail)) return; // it is shown, or on its way
      hide();
      wanted = { detail, x, y };
      timer = setTimeout(() => place() || trigger("select", { values: tabOf(tab).values, own: features.token(), detail }), 100);
    };
    watch("value", place);
    addEventListener("scroll", hide, { passive: true });
    tips[tab] = { show, hide };
  };

  // --- a visitor's own features: one file goes to the server for this visit; the browser keeps its token --------------
  const features = {
    token: () => stored("sessionStorage", "mun-own") ?? "",
    bring: async (file) => {
      if (!file) return;
      if (file.size > 200e6) return toast(`Expected ${file.name} to have at most 200 MB.`);
      toast(`${file.name} is being read.`);
      const headers = { "Content-Type": "application/octet-stream", "X-Name": encodeURIComponent(file.name.slice(-48)), "X-Token": features.token() };
      const answer = await fetch(page().replace(/\/$/, "") + "/own-features", { method: "POST", headers, body: file }).catch(() => null);
      if (!answer?.ok) {
        const words = answer ? await answer.text() : "the file could not be sent";
        return toast(`${words[0].toUpperCase()}${words.slice(1)}.`);
      }
      const { token, checkpoint, data } = await answer.json();
      store("sessionStorage", "mun-own", token);
      Object.assign(shared, { checkpoint, data });
      toast(`${file.name} is loaded for this visit only.`);
      press(tabOf(current).shares.includes("checkpoint") ? current : "retrieval", { set: { checkpoint, data } });
    },
  };

  // --- clicks, choices, typing -----------------------------------------------------------------------------------------
  const value = (input) => {
    if (input.type === "checkbox" && !("many" in input.dataset)) return input.checked;
    if ("many" in input.dataset) return each(`[name="${input.name}"]:checked`, input.form).map((one) => one.value);
    return "number" in input.dataset && input.value.trim() !== "" ? Number(input.value) : input.value;
  };
  const identity = ({ dataset, name }) => dataset.key ?? (name || (dataset.do ?? dataset.set));
  const mark = (element) => (focus = { piece: element.closest("[data-piece]")?.dataset.piece, identity: identity(element) });
  const refocus = (element, name) => {
    if (focus?.piece !== name || ![document.body, null].includes(document.activeElement)) return;
    const same = each("button, input, select, summary, a", element).filter((one) => !one.disabled);
    const found = same.find((one) => identity(one) === focus.identity) ?? element.querySelector('[data-focus], [aria-pressed="true"]');
    found?.focus({ preventScroll: true });
  };
  const clicked = (tab, event) => {
    const target = event.target.closest("button, a[href]");
    if (!target || target.disabled) return;
    if (target.matches("a") && (event.ctrlKey || event.metaKey || event.shiftKey)) return; // it opens elsewhere
    const data = target.dataset;
    const name = tab || current;
    if (target.matches('a[href^="?"]')) {
      event.preventDefault();
      visit(new URLSearchParams(target.getAttribute("href")).get("tab") ?? "retrieval", target.getAttribute("href"));
    } else if ("drawer" in data) drawer(!document.body.classList.contains("mun-drawer-open"), data.drawer);
    else if ("large" in data) enlarge(target);
    else if ("copy" in data) {
      const words = data.copy || page() + tabOf(name).link;
      navigator.clipboard?.writeText(words).then(() => toast("Copied."), () => toast(words)) ?? toast(words);
    } else if (data.export) {
      const options = {};
      for (const one of target.closest("form")?.elements ?? []) if (one.name && (one.type !== "radio" || one.checked)) options[one.name] = value(one);
      if (target.closest("details")) target.closest("details").open = false;
      asked = { tab: name, values: { ...tabOf(name).values, ...pending(tabOf(name)) } };
      ask({ ...options, what: data.what, kind: data.export, part: 0 });
    } else if (data.set || data.do) {
      if (data.sure && !confirm(data.sure)) return;
      mark(target);
      press(name, { set: JSON.parse(data.set ?? "{}"), act: data.do ?? "", detail: JSON.parse(data.detail ?? "{}") });
    }
  };
  const changed = (tab, event) => {
    const input = event.target;
    if ("features" in input.dataset) return void features.bring(input.files[0]);
    if (!input.name || !input.closest("form[data-form]")) return;
    mark(input);
    const set = { [input.name]: value(input) };
    if (input.closest("#header")) Object.assign(shared, set);
    if (tab || tabOf(current).shares.includes(input.name)) press(tab || current, { set });
  };
  const slid = (event) => {
    if (event.target.type !== "range") return;
    const { style } = event.target.dataset; // a slider that only sets a CSS variable, as the opacity of maps
    if (style) document.body.style.setProperty(style, event.target.value / 100);
    const twin = event.target.parentElement.querySelector(`input[type="number"][name="${event.target.name}"]`);
    if (twin) twin.value = event.target.value;
  };
  // Arrow keys walk through the buttons of a list, Home and End go to its ends; Tab enters it at one button and leaves it.
  const walked = (event) => {
    const list = event.target.closest("[data-walk]");
    if (event.altKey || !list || !event.target.matches(list.dataset.walk)) return;
    const buttons = each(list.dataset.walk, list);
    const top = (button) => button.getBoundingClientRect().top;
    const here = buttons.indexOf(event.target);
    const row = buttons.filter((button) => top(button) === top(buttons[0])).length;
    const steps = { ArrowRight: here + 1, ArrowLeft: here - 1, ArrowDown: here + row, ArrowUp: here - row, Home: 0, End: buttons.length - 1 };
    const next = buttons[steps[event.key]];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    event.preventDefault();
  };

  // Every piece of the page calls this when Gradio mounts it.
  const piece = (element, trigger, watch, tab, name, shares) => {
    element.dataset.piece = name;
    element.dataset.of = tab;
    if (name === `${tab}-settings`) {
      element.dataset.settings = tab;
      element.hidden = tab !== current;
    }
    element.addEventListener("click", (event) => clicked(tab, event));
    element.addEventListener("change", (event) => changed(tab, event));
    element.addEventListener("input", slid);
    element.addEventListener("keydown", walked);
    element.addEventListener("submit", (event) => event.preventDefault());
    if (name === "drawer-head") drawer(false);
    const folds = new Set(); // open ones, by their words: a redraw closes them
    const wordsOf = (fold) => fold.querySelector("summary").textContent.replace(/\d+/g, "");
    element.addEventListener("toggle", ({ target }) => target.matches(FOLDS) && folds[target.open ? "add" : "delete"](wordsOf(target)), true);
    watch("value", () => {
      element.inert = false; // what is shown is up to date
      for (const one of each(FOLDS, element)) if (folds.has(wordsOf(one))) one.open = true;
      if (tab) agree(tabOf(tab), element);
      for (const one of each("[data-style]", element)) one.value = 100 * document.body.style.getPropertyValue(one.dataset.style) || one.value;
      if (name === "file") save(element);
      else if (name === "header") switchers();
      else if (name === `${tab}-head`) adopt(tab, element);
      if (name !== `${tab}-head`) choose(tab, tabOf(tab).values);
      mun.own?.drawn(element);
      refocus(element, name);
    });
    if (name !== `${tab}-head`) return;
    Object.assign(tabOf(tab), { trigger, shares });
    show(current);
    if (tab !== current) return;
    const address = tabOf(tab).wanted || entry;
    entry = "";
    if ([...new URLSearchParams(address).keys()].some((one) => !one.startsWith("__"))) press(tab, { address, quiet: true });
    else press(tab, { act: "open", quiet: true });
  };

  addEventListener("popstate", () => {
    const name = parameters().get("tab") || "retrieval";
    visit(name, location.search || "?tab=retrieval");
    tabOf(name).push = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("mun-drawer-open")) drawer(false);
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    if (event.altKey || !event.target.matches?.("#tabs [role=tab]") || !steps[event.key]) return;
    const all = each("[role=tab]", event.target.parentElement);
    const next = all[(all.indexOf(event.target) + steps[event.key] + all.length) % all.length];
    next.click();
    next.focus();
    event.preventDefault();
  });
  return { failed, features, open, piece, press, shared, tabs, tip, tips, toast, visit };
})();
