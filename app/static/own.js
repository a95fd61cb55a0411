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
  const take = (zone, files) => {
    const input = zone.querySelector("input[type=file]");
    if (files.length > 1) mun.toast(`One image goes here: ${files[0].name} is taken.`);
    if (files.length) waiting.push([input.dataset.tab, input.dataset.own, files[0]]);
    send();
  };

  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches?.("input[type=file][data-own]")) return;
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
  return { take };
})();
