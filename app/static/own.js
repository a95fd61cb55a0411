// Images that a visitor brings stay in the browser: a press sends the file as a data URI in a field of the request, and
// the answer puts a small lossless copy there, which later presses send instead (`app/library/own_images.py`: `brought`,
// `small`). So the server keeps nothing, and a field that is emptied is forgotten.
//
// Use: `{{ own_image("visible_image", "Your visible image", request.visible_image) }}` of `macros.html`, with the name of
// a `File` field of the tab's request. It makes a drop zone with a file input, so keyboard and screen reader can use it.
// In the tab's answer: read the field by `brought`, set it to `small(image)`, or to "" where that raises.
window.mun.own = (() => {
  const MOST = 16e6; // bytes of a file, as the server says
  const waiting = []; // [tab, field, file], sent one after another, because a call has a bound
  let sending = false;

  const read = (file) =>
    new Promise((done, failed) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.onerror = () => failed(reader.error);
      reader.readAsDataURL(file);
    });
  const idle = async (tab) => {
    while (mun.tabs[tab]?.busy) await new Promise((later) => setTimeout(later, 40));
  };
  const send = async () => {
    if (sending) return;
    sending = true;
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [tab, field, file] = next;
      try {
        if (file.size > MOST) throw new Error(`expected ${file.name} to have at most 16 MB, got ${(file.size / 1e6).toFixed(1)} MB`);
        const body = (await read(file)).split(",")[1] ?? "";
        const kind = /^[\w.+-]+\/[\w.+-]+$/.test(file.type) ? file.type : "application/octet-stream";
        await idle(tab);
        mun.press(tab, { set: { [field]: `data:${kind};name=${encodeURIComponent(file.name.slice(-48))};base64,${body}` } });
        await idle(tab);
      } catch (error) {
        mun.toast(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`);
      }
    }
    sending = false;
  };
  // A gallery: every file is sent once, one a call; its small copy comes back and is kept here. The copies travel below one
  // another in one picture with each press, and the server tells their places in it.
  const MANY = 200;
  const gallery = { names: [], copies: [], broken: [], sheet: "" };
  let heard = null; // called with the small copy of the file that is on its way, or with the reason why there is none
  const tell = () => {
    for (const one of document.querySelectorAll("[data-own-count]")) one.textContent = gallery.names.length ? `${gallery.names.length} images` : "";
    for (const list of document.querySelectorAll("[data-own-broken]")) {
      list.replaceChildren(...gallery.broken.map((words) => Object.assign(document.createElement("li"), { textContent: words })));
    }
  };
  const lay = async () => {
    const pictures = await Promise.all(gallery.copies.map((uri) => new Promise((done) => {
      const picture = new Image();
      picture.onload = () => done(picture);
      picture.src = uri;
    })));
    const canvas = document.createElement("canvas");
    canvas.width = pictures[0].naturalWidth;
    canvas.height = pictures.reduce((sum, one) => sum + one.naturalHeight, 0);
    const pen = canvas.getContext("2d");
    let top = 0;
    for (const one of pictures) {
      pen.drawImage(one, 0, top);
      top += one.naturalHeight;
    }
    return canvas.toDataURL("image/png");
  };
  const gather = async (files) => {
    gallery.sheet = "";
    for (const file of files) {
      if (gallery.names.length >= MANY) {
        gallery.broken.push(`${file.name}: a gallery has at most ${MANY} images`);
        break;
      }
      await idle("retrieval");
      const answer = new Promise((done) => (heard = done));
      const body = file.size > MOST ? "" : await read(file);
      if (body) mun.press("retrieval", { act: "own-add", detail: { file: body }, quiet: true });
      const [copy, why] = body ? await answer : ["", "expected at most 16 MB"];
      if (copy) {
        gallery.names.push(file.name.slice(-48));
        gallery.copies.push(copy);
      } else gallery.broken.push(`${file.name.slice(-48)}: ${why}`);
      tell();
    }
    await idle("retrieval");
    if (!gallery.copies.length) return mun.toast("None of these files is an image that can be read.");
    gallery.sheet = await lay();
    mun.press("retrieval", { act: "own" });
  };
  const forget = () => {
    Object.assign(gallery, { names: [], copies: [], broken: [], sheet: "" });
    tell();
    mun.press("retrieval", { set: { own_image: "", own_modality: "" } });
  };
  const drawn = (element) => {
    const news = element.querySelector("[data-own-small], [data-own-error]");
    if (news && heard) {
      heard([news.dataset.ownSmall, news.dataset.ownError]);
      heard = null;
      news.remove();
    }
    for (const card of element.querySelectorAll("[data-own-index] .mun-person")) card.textContent = gallery.names[card.closest("[data-own-index]").dataset.ownIndex];
    tell();
  };
  document.addEventListener("click", (event) => event.target.closest?.("[data-own-forget]") && forget());

  const take = (zone, files) => {
    if ("ownGallery" in zone.dataset) return files.length && gather(files);
    const input = zone.querySelector("input[type=file]");
    if (files.length > 1) mun.toast(`One image goes here: ${files[0].name} is taken.`);
    if (files.length) waiting.push([input.dataset.tab, input.dataset.own, files[0]]);
    send();
  };

  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches?.("[data-own-zone] input[type=file]")) return;
    take(input.closest("[data-own-zone]"), [...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const zone = event.target.closest?.("[data-own-zone]");
      if (!zone) return;
      event.preventDefault(); // else the browser would open the file
      zone.classList.toggle("is-over", kind === "dragover");
      if (kind === "drop") take(zone, [...event.dataTransfer.files]);
    });
  }
  const extra = (tab) => (tab === "retrieval" && gallery.sheet ? { gallery: gallery.sheet } : {});
  return { drawn, extra, take };
})();
