"""The Train tab: start a run, watch its auxiliary image form, and use its model."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import gradio as gr

from app.library import Library
from app.library.checkpoints import open_entry
from app.shared.api import visitor
from app.shared.export import Options
from app.shared.html import as_sentence, html
from app.shared.plots import place_charts
from app.shared.tab import Answer, Export, File, Menu, Page, Piece, Press
from app.theme import script
from app.train.curves import overlay_plots, run_plots, write_curves
from app.train.queue import Queue
from app.train.record import read_frames
from app.train.request import METHODS, MOST_BESIDE, Look, Start, Stop, Train, Watch, presets
from app.train.status import HEADINGS, Status, film_of, film_of_default, overview, score_words, status

__all__ = ["answer", "begin", "build", "look", "offer_models", "start", "stop"]

POLL, SELDOM = 1200, 5000  # milliseconds: while the watched run goes on; while only others do
SETTINGS = {
    "Data": ("data", "level", "train_ids", "val_ids", "images", "data_seed"),
    "Network": ("auxiliary", "backbone", "width", "height", "image_width"),
    "Length": ("minutes", "epochs", "ids_per_batch", "instances_per_id"),
    "Losses": ("identity_alignment", "modality_alignment", "triplet", "lr"),
    "Run": ("seed", "device"),
}
CHIPS = tuple(name for names in SETTINGS.values() for name in names)
MENUS = (Menu("Curves", "curves", ("png", "pdf", "svg", "csv")), Menu("", "model", ("zip",)))


def build(page: Page, queue: Queue) -> None:
    """Build the tab over a queue."""
    offer_models(queue, page.library)
    with page.tab("train", "Train", shares=()) as tab:
        with gr.Column(elem_id="train-page"):
            pieces = {"train-run": tab.piece("train-run")}
            pieces["train-film"] = tab.piece("train-film", script=script("train.js"))
            pieces["train-curves"] = tab.piece("train-curves")
            with gr.Column(elem_id="train-side"):
                pieces |= {name: tab.piece(name) for name in ("train-start", "train-runs")}
        tab.wire(Watch, partial(answer, queue), pieces, Export(MENUS, Options, partial(write, queue)), SETTINGS, CHIPS)


def offer_models(queue: Queue, library: Library) -> None:
    """Add the models of a queue to a library: the finished ones, and each later one when it is finished."""
    queue.finished = lambda folder: library.add_checkpoint(open_entry(folder))
    queue.removed = library.remove_checkpoint
    queue.open()


def begin(queue: Queue, library: Library, train: Train, who: str) -> dict[str, Any]:
    """Put a run into the queue.

    Returns:
        Its name, its owner's token, its state and its place in the queue.

    Raises:
        ValueError: The values do not fit together, a limit is exceeded, or the queue is full.
    """
    train.check(queue.limits)
    run, token = queue.start(train.recipe(library, queue.limits), who)
    return {"run": run, "token": token, "state": "queued", "place": queue.place(run)}


def start(queue: Queue, library: Library, request: Start) -> dict[str, Any]:
    """Answer `/train_start`.

    Raises:
        ValueError: As `begin`.
    """
    return begin(queue, library, request.train(library), visitor())


def look(queue: Queue, library: Library, request: Look) -> dict[str, Any]:  # noqa: ARG001
    """Answer `/train_status`.

    Raises:
        ValueError: There is no such run.
    """
    return asdict(status(queue, request.run)) if request.run else overview(queue)


def stop(queue: Queue, library: Library, request: Stop) -> dict[str, Any]:  # noqa: ARG001
    """Answer `/train_stop`.

    Raises:
        ValueError: There is no such run, or the token is not its owner's.
    """
    queue.stop(request.run, request.token)
    return asdict(status(queue, request.run))


def answer(queue: Queue, library: Library, request: Watch, press: Press) -> Answer:
    """Answer a press; a refusal becomes a notice, and the watched run stays on the page."""
    notices, kept = list[str](), dict[str, str | None]()
    if request.minutes and request.epochs:
        request = request.model_copy(update={"epochs": 0} if "minutes" in press.changed else {"minutes": 0.0})
    try:
        request, kept, notice = act(queue, library, request, press)
        notices += [notice] if notice else []
    except ValueError as error:
        notices.append(as_sentence(error))
    mine = {run for run in {**press.tokens, **kept} if kept.get(run, run)}
    records = queue.records()[::-1]
    names = sorted((record.run for record in records), key=lambda run: run not in mine)  # the visitor's runs first
    if request.run and request.run not in names:
        notices.append(f"The run {request.run[:60]} is not kept here any more.")
    run = request.run if request.run in names else next(iter(names), "")
    beside = tuple(one for one in request.beside if one in names)
    request = request.model_copy(update={"run": run, "beside": beside})
    now = status(queue, run) if run else None
    active = any(not record.over for record in records)
    return Answer(
        request,
        {
            "train-run": drawn(draw_run(library, queue, now, run in mine)),
            "train-start": drawn(draw_start(library, queue, request)),
            **draw_pictures(library, queue, request, now, names),
            "train-runs": drawn(draw_runs(queue, request, mine)),
        },
        say=now.heading if now else "",
        notice=" ".join(notices),
        again=POLL if now and not now.over else SELDOM if active else 0,
        tokens=kept,
    )


def act(queue: Queue, library: Library, request: Watch, press: Press) -> tuple[Watch, dict[str, str | None], str]:
    """Apply the action of a press to a run.

    Returns:
        The changed request, tokens to keep or forget, and a notice.

    Raises:
        ValueError: The action is refused.
    """
    run = str(press.detail.get("run") or request.run)
    token = press.tokens.get(run, "")
    if press.do == "start":
        started = begin(queue, library, request, visitor())
        return request.model_copy(update={"run": started["run"]}), {started["run"]: started["token"]}, ""
    if press.do == "compare":
        beside = tuple(one for one in request.beside if one != run)
        if len(beside) == len(request.beside):
            beside = (*beside, run)[:MOST_BESIDE]
        return request.model_copy(update={"beside": beside}), {}, ""
    if press.do == "stop":
        queue.stop(run, token)
    elif press.do == "resume":
        queue.resume(run, token)
    elif press.do == "delete":
        queue.delete(run, token)
        return request.model_copy(update={"run": ""}), {run: None}, f"{run} and its model are deleted."
    return request, {}, ""


def drawn(words: str) -> Piece:
    """Make a piece that is sent only where it differs from the page."""
    return Piece(words, lambda: words)


def draw_run(library: Library, queue: Queue, now: Status | None, mine: bool) -> str:
    """Draw the state of the watched run, and the actions on it."""
    if now is None:
        return html("train_welcome.html", limits=queue.limits)
    score = score_words(library, now) if now.state == "finished" else ""
    return html("train_run.html", now=now, mine=mine, score=score, usable=now.run in library.checkpoints.usable)


def draw_start(library: Library, queue: Queue, request: Watch) -> str:
    """Draw the form of the next run: three presets, the chosen settings, and why it cannot be started, if so."""
    offered, problem = presets(library, queue.limits), ""
    for one in offered:
        one["chosen"] = all(getattr(request, field) == value for field, value in one["values"].items())
    try:
        request.check(queue.limits)
    except ValueError as error:
        problem = as_sentence(error)
    method = METHODS[request.auxiliary]
    return html(
        "train_start.html", limits=queue.limits, presets=offered, request=request, method=method, problem=problem
    )


def draw_pictures(
    library: Library, queue: Queue, request: Watch, now: Status | None, names: Sequence[str]
) -> dict[str, Piece]:
    """Draw film and curves of the watched run; until it has any, those of the newest run that has some.

    Before the first run, the film is that of the default checkpoint.
    """
    run = pictured(queue, request.run, names)
    if now is None or not run:
        name = library.default_checkpoint

        def first() -> str:
            return html("train_film.html", film=film_of_default(library), run=name, auxiliary="mun", bundled=True)

        return {"train-film": Piece(("film", name), first), "train-curves": drawn("")}
    shown, old, folder = now if run == now.run else status(queue, run), run != now.run, queue.root / run
    beside = [status(queue, one) for one in request.beside]
    curves = {
        "charts": place_charts(run_plots(shown), shown.steps or 0),
        "overlay": place_charts(overlay_plots(beside)) if len(beside) > 1 else (),
        "count": len(beside),
    }

    def film() -> str:
        made, auxiliary = film_of(folder), shown.settings["auxiliary"]
        return html("train_film.html", film=made, run=run, auxiliary=auxiliary, bundled=False)

    return {
        "train-film": Piece((run, len(read_frames(folder)), shown.state, old), film),
        "train-curves": drawn(html("train_curves.html", now=shown, old=old, **curves)),
    }


def pictured(queue: Queue, run: str, names: Sequence[str]) -> str:
    """Return the run whose pictures are shown: the watched one, else the first of `names` that has any; else empty.

    A watched run that is not in `names` is ignored, because a visitor may have made up its name.
    """
    for name in sorted(names, key=lambda one: one != run):
        folder = queue.root / name
        metrics = folder / "metrics.jsonl"
        if (metrics.is_file() and metrics.stat().st_size) or read_frames(folder):
            return name
    return ""


def draw_runs(queue: Queue, request: Watch, mine: set[str]) -> str:
    """List all runs, the newest first; each can be watched, and up to four compared."""
    rows = []
    for entry in overview(queue)["runs"]:
        run = entry["run"]
        why = "it has no curves yet" if entry["mean_ap"] is None else ""
        if len(request.beside) == MOST_BESIDE and run not in request.beside:
            why = why or "four are compared already"
        method = METHODS.get(entry["auxiliary"], entry["auxiliary"])
        rows.append({**entry, "mine": run in mine, "state": HEADINGS[entry["state"]], "auxiliary": method, "why": why})
    return html("train_runs.html", runs=rows, request=request)


def write(queue: Queue, library: Library, request: Watch, options: Options, what: str, kind: str, press: Press) -> File:
    """Write the model or the curves that are shown.

    Raises:
        ValueError: The run is not finished or not the visitor's; nothing is measured yet; no such run.
    """
    if what == "model":
        return File.of(request.run, kind, queue.archive(request.run, press.tokens.get(request.run, "")))
    names = request.beside if len(request.beside) > 1 else (request.run,)
    if len(names) == 1:
        names = (pictured(queue, names[0], [record.run for record in queue.records()[::-1]]),)
    if not names[0]:
        raise ValueError("expected a run whose curves to export, there is none yet")
    runs = [status(queue, name) for name in names]
    stem = f"{names[0]}-curves" if len(names) == 1 else f"{len(names)}-runs-curves"
    return File.of(stem, kind, write_curves(runs, kind, options.width, press.url + request.link(library, "train")))
