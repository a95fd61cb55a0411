"""The pieces of the Training tab as HTML: what a run says in each state, its charts, its film, and what is escaped."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.actions.training.panels import overlay_panels, run_panels, series_of
from app.actions.training.status import Overview, Status
from app.figures.training_curves import CurvePanel, draw_curves
from app.jobs.limits import read_limits
from app.jobs.watching import write_png
from app.library import Library
from app.views import training as views
from app.views.training_charts import bounds_of, charts_html

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


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Step 100 of 200, about 12 s left in this phase."),
        ({"seconds_left": None}, "Step 100 of 200."),
        ({"seconds_left": 600.0}, "about 10 min left"),
        ({"state": "queued", "place": 1}, "It is the next to train."),
        ({"state": "queued", "place": 3}, "2 other runs come before it."),
        ({"state": "preparing", "phase": "preparing", "total": 0}, "A process is being started."),
        ({"state": "stopped", "phase": "preparing", "total": 0}, "It was stopped before its first step."),
        ({"state": "interrupted", "phase": "preparing", "total": 0}, "It was interrupted before its first step."),
        ({"state": "failed", "phase": "preparing", "total": 0}, "It failed before its first step."),
        ({"state": "preparing", "phase": "preparing", "done": 12, "total": 408}, "Image 12 of 408"),
        ({"state": "timing", "phase": "timing", "done": 3, "total": 23, "seconds_left": None}, "Timed step 3 of 23."),
        ({"stopping": True}, "Stopping"),
        ({"state": "finished"}, "Its best mAP on validation identities is 40.0 %."),
        ({"state": "failed", "error": "the disk is full", "suggestion": "Try less.", "resumable": True},
         "The disk is full. Try less. “Resume” goes on from the last saved step."),
    ],
)  # fmt: skip
def test_a_run_says_how_it_is(changes, words) -> None:
    html = views.run_html(replace(TRAINING, **changes), 1, mine=True)
    assert words in text_of(html)
    assert f'data-state="{changes.get("state", "training")}"' in html
    assert 'data-link="?tab=train&amp;run=run-mun-000000"' in html


def test_how_the_steps_came_about_is_said() -> None:
    assert "20 timed steps took 0.1 s each and a validation 0.5 s: 100 steps" in text_of(
        views.run_html(TRAINING, 1, mine=False)
    )


@pytest.mark.parametrize(("share", "named"), [(0.95, "visible"), (0.02, "infrared"), (0.6, ""), (math.nan, "")])
def test_a_generator_that_copies_is_warned_of(share, named) -> None:
    lines = [{"step": 1, "visible_dependence": share}] if not math.isnan(share) else []
    html = views.run_html(replace(TRAINING, metrics=tuple(lines)), 1, mine=True)
    assert (f"depends on the {named} input alone" in html) == bool(named)


def test_values_are_escaped() -> None:
    bad = "<img src=x>"
    status = replace(TRAINING, run=bad, error=bad, settings={**SETTINGS, "auxiliary": bad}, command=(bad,))
    overview = Overview("on", 1, 1, ({"run": bad, "state": "failed", "place": 0, "auxiliary": bad, "mean_ap": None},))
    for html in (
        views.run_html(status, 1, mine=True),
        views.curves_html(replace(status, state="finished"), 1),
        views.runs_html(overview, bad, [], [], 1),
        views.message_html(bad, 1),
        views.overlay_html([status, status], 1),
    ):
        assert bad not in html
        assert "&lt;img" in html


def test_charts_show_every_loss_and_leave_out_what_is_not_there() -> None:
    panels = run_panels(TRAINING)
    assert [panel.title for panel in panels] == [
        "Losses", "Validation, %", "Generator, %", "Signs of collapse, %", "Learning rate", "Images per second"
    ]  # fmt: skip
    assert [series.name for series in panels[0].series] == [
        "total", "identity", "identity alignment", "modality alignment"
    ]  # fmt: skip
    plain = [{name: value for name, value in line.items() if name not in ("iml_share", "visible_dependence")}
             for line in LINES]  # fmt: skip
    assert "Generator, %" not in [panel.title for panel in run_panels(replace(TRAINING, metrics=tuple(plain)))]
    assert run_panels(replace(TRAINING, metrics=(), validations=())) == ()
    html = charts_html(panels, 200)
    assert html.count("<svg") == 6
    assert "rank-1 50" in html  # percent of the last validation, for who cannot see the curve


def test_curves_are_placed_to_scale() -> None:
    html = charts_html(run_panels(TRAINING)[1:2], 100)
    path = re.search(r'mun-train-line-1" d="M([^"]+)"', html)
    assert path
    (x1, y1), (x2, y2) = (tuple(map(float, point.split(","))) for point in path[1].split("L"))
    assert x2 == 310
    assert x1 == pytest.approx(40 + 0.5 * 270)
    assert (150 - y2) / (150 - y1) == pytest.approx(2, rel=0.02)  # rank-1 doubles from 25 % to 50 %


def test_long_series_are_thinned_and_keep_their_last_point() -> None:
    lines = [{"step": float(step), "total": 1.0} for step in range(1000)]
    series = series_of([*lines, {"step": 1000.0, "total": math.inf}], "total", "total")
    assert len(series.points) <= 120
    assert series.points[-1] == (999.0, 1.0)


@pytest.mark.parametrize(("values", "high"), [([0.37], 0.4), ([8.2], 10), ([1000.0], 1000), ([0.0], 1), ([], 1)])
def test_axes_end_at_a_round_number(values, high) -> None:
    assert bounds_of(values) == (0.0, pytest.approx(high))


def test_up_to_four_runs_lie_over_one_another() -> None:
    runs = [replace(TRAINING, run=f"run-{number}") for number in range(5)]
    assert all(len(panel.series) == 4 for panel in overlay_panels(runs))
    assert views.overlay_html(runs[:1], 1) == ""
    assert views.overlay_html(runs[:2], 1).count("<svg") == 3


def test_the_film_lies_side_by_side(library: Library, tmp_path: Path, monkeypatch) -> None:
    class Jobs:
        root = tmp_path

    monkeypatch.setattr(library, "jobs", Jobs())
    folder = tmp_path / "run" / "frames"
    folder.mkdir(parents=True)
    assert views.film_of(library, "run") is None
    for name in ("visible", "infrared", "step-0000000-00000", "step-0000010-01250"):
        write_png(folder / f"{name}.png", np.full((64, 32, 3), 100, np.uint8))
    (folder / "step-0000011-00000.png").write_bytes(b"half")
    film = views.film_of(library, "run")
    assert film is not None
    assert (film.steps, film.clipped, film.width, film.height) == ((0, 10), (0.0, 0.125), 32, 64)
    html = views.film_html(film, TRAINING, 1)
    assert 'data-steps="0,10"' in html
    assert 'data-frames="2"' in html
    assert views.film_html(None, TRAINING, 1) == ""
    silent = replace(TRAINING, settings={**SETTINGS, "auxiliary": "none"})
    assert "no auxiliary image to watch" in views.film_html(None, silent, 1)


def test_what_is_allowed_is_said() -> None:
    assert "switched off" in views.terms_html(read_limits({"MUN_TRAIN": "off"}))
    shared = views.terms_html(read_limits({"SPACE_ID": "some-one/demo_1.0"}))
    assert "a run trains for about 3 minutes, on at most 2,000 rendered images;" in text_of(shared)
    assert '<a href="https://huggingface.co/spaces/some-one/demo_1.0?duplicate=true"' in shared
    assert "duplicate this Space</a>" in shared
    for name in ("a", "a/b/c", 'a/b" onclick="', "../b", "a/b\n"):
        assert "<a " not in views.terms_html(read_limits({"SPACE_ID": name}))
    assert "duplicate this Space" not in views.terms_html(read_limits({}))
    assert "switched off" in views.welcome_html(read_limits({"MUN_TRAIN": "off"}))


def test_a_figure_holds_one_to_six_panels() -> None:
    panel = CurvePanel("Losses", (("total", (1.0, 2.0), (3.0, 2.0)),))
    assert len(draw_curves([panel] * 6, "words", ["python -m mun train"]).axes) == 6
    with pytest.raises(ValueError, match="expected 1 to 6 panels, got 0"):
        draw_curves([], "words", [])
    with pytest.raises(ValueError, match="expected at most 6 curves"):
        draw_curves([CurvePanel("many", panel.curves * 7)], "words", [])
