"""The pieces of the Train tab as HTML: what a run says in each state, its charts, its film, and escaping."""

import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from app.library import Library, open_library
from app.shared.figure import draw_plots
from app.shared.html import html
from app.shared.plots import Curve, Plot, place_charts
from app.train import tab
from app.train.chunk import write_png
from app.train.curves import curves_of, overlay_plots, run_plots
from app.train.host import read_limits
from app.train.queue import Queue
from app.train.request import Watch
from app.train.status import Status, film_of, film_of_default
from mun.checkpoint import write_snapshots

LINES = tuple(
    {"step": step, "total": 4 - step / 50, "identity": 3.0, "identity_alignment": 0.5, "modality_alignment": 0.1,
     "triplet": 0.0, "iml_share": 0.5, "visible_dependence": 0.6, "active_triplets": 1.0, "spread": 0.3, "lr": 1e-3,
     "images_per_second": 200.0}
    for step in range(10, 101, 10)
)  # fmt: skip
SCORES = tuple({"step": step, "rank1": step / 200, "mean_ap": step / 250, "mean_inp": 0.1} for step in (50, 100))
SETTINGS = {
    "data": "render", "level": "easy", "train_ids": 24, "val_ids": 10, "images": 2, "data_seed": 1,
    "auxiliary": "mun", "backbone": "resnet18", "width": 0.25, "height": 64, "image_width": 32, "minutes": 1.0,
    "epochs": 0, "ids_per_batch": 8, "instances_per_id": 2, "seed": 0, "device": "cpu",
}  # fmt: skip
TIMING = {"timed_steps": 20, "step_seconds": 0.1, "validation_seconds": 0.5, "steps": 100, "epochs": 5}
TRAINING = Status(
    "run-mun-000000", "training", False, 0, "training", 100, 200, 12.3, 200, 5, "", "", False, SETTINGS, TIMING,
    LINES, SCORES, ("python -m mun synth OUT", "python -m mun train --data OUT"),
)  # fmt: skip


def text_of(words: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", words).split())


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "runs", read_limits({}))


def curves_html(now: Status, overlay: tuple[Plot, ...] = (), count: int = 0, old: bool = False) -> str:
    return html(
        "train_curves.html", now=now, old=old, charts=place_charts(run_plots(now), now.steps or 0),
        overlay=place_charts(overlay), count=count,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Step 100 of 200, about 12 s left in this phase."),
        ({"seconds_left": None}, "Step 100 of 200."),
        ({"seconds_left": 600.0}, "about 10 min left"),
        ({"state": "queued", "place": 1}, "Place 1 in the queue: it is the next to train."),
        ({"state": "queued", "place": 3}, "Place 3 in the queue: 2 other runs come before it."),
        ({"state": "preparing", "phase": "preparing", "total": 0}, "A process is being started."),
        ({"state": "stopped", "phase": "preparing", "total": 0}, "It was stopped before its first step."),
        ({"state": "interrupted", "phase": "preparing", "total": 0}, "It was interrupted before its first step."),
        ({"state": "failed", "phase": "preparing", "total": 0}, "It failed before its first step."),
        ({"state": "preparing", "phase": "preparing", "done": 12, "total": 408}, "Image 12 of 408"),
        ({"state": "timing", "phase": "timing", "done": 3, "total": 23, "seconds_left": None}, "Timed step 3 of 23."),
        ({"stopping": True}, "Stopping"),
        ({"state": "finished"}, "200 steps are done. Best mAP 40.0 % on the 10 validation people of SynVI easy"),
        ({"state": "failed", "error": "the disk is full", "suggestion": "Try less.", "resumable": True},
         "The disk is full. Try less. “Resume” continues from the last saved step."),
    ],
)  # fmt: skip
def test_a_run_says_how_it_is(library: Library, queue: Queue, changes, words) -> None:
    drawn = tab.draw_run(library, queue, replace(TRAINING, **changes), mine=True)
    assert words in text_of(drawn)
    assert f'data-state="{changes.get("state", "training")}"' in drawn


@pytest.mark.parametrize(("done", "width"), [(0, "0.0%"), (50, "25.0%"), (200, "100.0%")])
def test_the_bar_is_as_full_as_the_run_is_far(library: Library, queue: Queue, done: int, width: str) -> None:
    assert f"width: {width}" in tab.draw_run(library, queue, replace(TRAINING, done=done), mine=True)


def test_deleting_asks_first(library: Library, queue: Queue) -> None:
    drawn = tab.draw_run(library, queue, replace(TRAINING, state="stopped", resumable=True), mine=True)
    assert 'data-do="delete" data-detail="{&#34;run&#34;: &#34;run-mun-000000&#34;}"' in drawn
    assert 'data-sure="Delete run-mun-000000 and its model? This cannot be undone."' in drawn


def test_how_the_steps_came_about_is_said() -> None:
    assert "20 timed steps took 0.1 s each and a validation 0.5 s: 100 steps" in text_of(curves_html(TRAINING))


@pytest.mark.parametrize(("share", "named"), [(0.95, "visible"), (0.02, "infrared"), (0.6, ""), (math.nan, "")])
def test_a_generator_that_copies_is_warned_of(library: Library, queue: Queue, share, named) -> None:
    lines = [{"step": 1, "visible_dependence": share}] if not math.isnan(share) else []
    drawn = tab.draw_run(library, queue, replace(TRAINING, metrics=tuple(lines)), mine=True)
    assert (f"depends on the {named} input alone" in drawn) == bool(named)


def test_values_are_escaped(library: Library, queue: Queue) -> None:
    bad = "<img src=x>"
    now = replace(TRAINING, run=bad, error=bad, settings={**SETTINGS, "auxiliary": bad}, command=(bad,))
    row = {"run": bad, "state": bad, "place": 0, "auxiliary": bad, "mean_ap": None, "mine": False, "why": bad}
    for drawn in (
        tab.draw_run(library, queue, now, mine=True),
        curves_html(now, overlay_plots([now, now]), 2),
        html("train_film.html", film=None, run=bad, auxiliary="none", bundled=False),
        html("train_runs.html", runs=[row], request=Watch.read({}, library)),
    ):
        assert bad not in drawn
        assert "&lt;img" in drawn


def test_charts_show_every_loss_and_leave_out_what_is_not_there() -> None:
    panels = run_plots(TRAINING)
    titles = [panel.title for panel in panels]
    assert titles == [
        "Losses", "Validation, %", "Generator, %", "Signs of collapse, %", "Learning rate", "Images per second"
    ]  # fmt: skip
    names = [one.name for one in panels[0].curves]
    assert names == ["total", "identity", "identity alignment", "modality alignment"]
    plain = tuple({"step": line["step"], "total": line["total"]} for line in LINES)
    assert [panel.title for panel in run_plots(replace(TRAINING, metrics=plain))] == titles[:2]
    assert run_plots(replace(TRAINING, metrics=(), validations=())) == ()
    drawn = curves_html(TRAINING)
    assert drawn.count("<svg") == 6
    assert "rank-1 50" in drawn  # percent of the last validation, for a reader who cannot see the curve


def test_curves_are_placed_to_scale() -> None:
    (chart,) = place_charts(run_plots(TRAINING)[1:2], 100)
    path = chart["curves"][0][1]
    (x1, y1), (x2, y2) = (tuple(map(float, point.split(","))) for point in path[1:].split("L"))
    assert x2 == 310
    assert x1 == pytest.approx(40 + 0.5 * 270)
    assert (150 - y2) / (150 - y1) == pytest.approx(2, rel=0.02)  # rank-1 doubles from 25 % to 50 %
    (short,) = place_charts([Plot("a", (Curve("b", ((5.0, 1.0),)),))])
    assert [label for _, label in short["ticks_x"]] == ["0", "2.5", "5"]


def test_long_series_are_thinned_and_keep_their_last_point() -> None:
    lines = [{"step": float(step), "total": 1.0} for step in range(1000)]
    (series,) = curves_of([*lines, {"step": 1000.0, "total": math.inf}], {"total": "total"})
    assert len(series.points) <= 120
    assert series.points[-1] == (999.0, 1.0)


def test_runs_lie_over_one_another() -> None:
    runs = [replace(TRAINING, run=f"run-{number}") for number in range(4)]
    panels = overlay_plots(runs)
    assert all(len(panel.curves) == 4 for panel in panels)
    assert curves_html(TRAINING, panels, 4).count("<svg") == 9


def test_the_film_lies_side_by_side(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "frames"
    folder.mkdir(parents=True)
    assert film_of(folder.parent) is None
    for name in ("visible", "infrared", "step-0000000-00000", "step-0000010-01250"):
        write_png(folder / f"{name}.png", np.full((64, 32, 3), 100, np.uint8))
    (folder / "step-0000011-00000.png").write_bytes(b"half")
    film = film_of(folder.parent)
    assert (film.steps, film.clipped, film.width, film.height) == ((0, 10), (0.0, 0.125), 32, 64)
    drawn = html("train_film.html", film=film, run="run", auxiliary="mun", bundled=False)
    assert 'data-steps="0,10"' in drawn
    assert 'data-frames="2"' in drawn
    mun, none = (html("train_film.html", film=None, run="run", auxiliary=one, bundled=False) for one in ("mun", "none"))
    assert mun.strip() == ""
    assert "no auxiliary image to show" in none


def test_before_any_run_the_default_checkpoint_shows_its_film(tiny_synvi, tiny_checkpoint, queue, tmp_path) -> None:
    """Only where it keeps earlier states of its generator; a broken file is ignored."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "checkpoints")
    library = open_library(tiny_synvi, folder)
    assert film_of_default(library) is None
    state = library.network("mun-tiny").auxiliary.state_dict()
    halved = {name: value / 2 if value.is_floating_point() else value for name, value in state.items()}
    write_snapshots(folder / "mun-tiny", {3: halved, 7: state})
    opened = open_library(tiny_synvi, folder)
    made = film_of_default(opened)
    assert (made.steps[:2], made.width, made.height) == ((3, 7), 32, 64)
    piece = tab.draw_pictures(opened, queue, Watch.read({}, opened), None, [])["train-film"]
    assert "<code>mun-tiny</code> was trained" in piece.draw()
    (folder / "mun-tiny" / "snapshots.safetensors").write_bytes(b"broken")
    assert film_of_default(open_library(tiny_synvi, folder)) is None


@pytest.mark.parametrize("width", ["two-column", "one-column"])
def test_a_figure_holds_one_to_six_panels_within_its_page(width: str) -> None:
    panel = Plot("Losses", (Curve("total", ((1.0, 3000.0), (2.0, 2000.0))),))
    figure = draw_plots([panel] * 6, "words", ["python -m mun train"], width)
    assert len(figure.axes) == 6
    FigureCanvasAgg(figure).draw()
    page = figure.bbox
    for box in (axes.get_tightbbox() for axes in figure.axes):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, "no tick label is clipped"
        assert page.y0 <= box.y0 <= box.y1 <= page.y1
    with pytest.raises(ValueError, match="expected 1 to 6 plots, got 0"):
        draw_plots([], "words", [])
    with pytest.raises(ValueError, match="expected at most 7 curves"):
        draw_plots([Plot("many", panel.curves * 8)], "words", [])
