// A visitor's images stay in the browser: a press sends the file as a data URI in a field of the request, and the
// answer puts a small lossless copy there, which later presses send (`app/library/own_images.py`). The server keeps
// nothing; emptying the field forgets the image. The zones for files are `own_image` of `macros.html`.
window.mun.own = (() => {
  const MOST = 16e6; // bytes of a file, as on the server
  const MANY = 200; // images of a gallery

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
  const send = async ({ tab, own }, file) => {
    if (file.size > MOST) return mun.toast(`Expected ${file.name} to have at most 16 MB, got ${(file.size / 1e6).toFixed(1)} MB.`);
    try {
      const uri = (await read(file)).replace(";base64", `;name=${encodeURIComponent(file.name.slice(-48))};base64`);
      await idle(tab);
      mun.press(tab, { set: { [own]: uri } });
      await idle(tab);
    } catch (error) {
      mun.toast(`${error.message}.`);
    }
  };
  let sent = Promise.resolve(); // one file at a time, because a call has a size limit

  // A gallery: each file is sent once, one per call; its small copy comes back and is kept here. Each press sends all copies
  // stacked in one picture, and the answer gives their places in it.
  const gallery = { names: [], copies: [], broken: [], sheet: "" };
  let settle = null; // called with the small copy of the file that was sent, or with the reason why there is none
  const report = () => {
    for (const one of document.querySelectorAll("[data-own-count]")) one.textContent = gallery.names.length ? `${gallery.names.length} image${gallery.names.length > 1 ? "s" : ""}` : "";
    for (const list of document.querySelectorAll("[data-own-broken]")) {
      list.replaceChildren(...gallery.broken.map((words) => Object.assign(document.createElement("li"), { textContent: words })));
    }
  };
  const lay = async () => {
    const pictures = gallery.copies.map((src) => Object.assign(new Image(), { src }));
    await Promise.all(pictures.map((one) => one.decode()));
    const canvas = document.createElement("canvas");
    canvas.width = pictures[0].naturalWidth;
    canvas.height = pictures.reduce((sum, one) => sum + one.naturalHeight, 0);
    let top = 0;
    for (const one of pictures) {
      canvas.getContext("2d").drawImage(one, 0, top);
      top += one.naturalHeight;
    }
    return canvas.toDataURL("image/png");
  };
  const gather = async (files) => {
    gallery.sheet = "";
    for (const file of files) {
      const name = file.name.slice(-48);
      if (gallery.names.length >= MANY) {
        gallery.broken.push(`${name}: a gallery has at most ${MANY} images`);
        break;
      }
      await idle("retrieval");
      const answer = new Promise((done) => (settle = done));
      const body = file.size > MOST ? "" : await read(file).catch(() => "");
      if (body) mun.press("retrieval", { act: "own-add", detail: { file: body }, quiet: true });
      const [copy, why] = body ? await answer : ["", file.size > MOST ? "expected at most 16 MB" : "the file cannot be read"];
      if (copy) {
        gallery.names.push(name);
        gallery.copies.push(copy);
      } else gallery.broken.push(`${name}: ${why}`);
      report();
    }
    await idle("retrieval");
    if (!gallery.copies.length) return mun.toast("None of these files is a readable image.");
    gallery.sheet = await lay();
    mun.press("retrieval", { act: "own" });
  };
  const drawn = (element) => {
    const news = element.querySelector("[data-own-small], [data-own-error]");
    if (news && settle) {
      settle([news.dataset.ownSmall, news.dataset.ownError]);
      settle = null;
      news.remove();
    }
    for (const card of element.querySelectorAll("[data-own-index]")) card.querySelector(".mun-person").textContent = gallery.names[card.dataset.ownIndex];
    report();
  };
  const take = (zone, files) => {
    if (!files.length) return;
    if (zone.id === "header") return mun.features.bring(files[0]);
    if ("ownGallery" in zone.dataset) return void (sent = sent.then(() => gather(files)));
    const { dataset } = zone.querySelector("input");
    if (files.length > 1) mun.toast(`Expected one image, got ${files.length}: ${files[0].name} is used.`);
    sent = sent.then(() => send(dataset, files[0]));
  };

  document.addEventListener("click", ({ target }) => {
    if (!target.closest("[data-own-forget]")) return;
    Object.assign(gallery, { names: [], copies: [], broken: [], sheet: "" });
    report();
    mun.press("retrieval", { set: { own_image: "", own_modality: "" } });
  });
  document.addEventListener("change", ({ target }) => {
    const zone = target.closest("[data-own-zone]");
    if (!zone) return;
    take(zone, [...target.files]);
    target.value = ""; // so that the same file can be chosen again
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const zone = event.target.closest?.("[data-own-zone], #header");
      if (!zone) return;
      event.preventDefault(); // else the browser would open the file
      zone.classList.toggle("is-over", kind === "dragover");
      if (kind === "drop") take(zone, [...event.dataTransfer.files]);
    });
  }
  const extra = (tab) => (tab === "retrieval" && gallery.sheet ? { gallery: gallery.sheet } : {});
  const failed = () => {
    settle?.(["", "the page got no answer"]);
    settle = null;
  };
  return { drawn, extra, failed };
})();
