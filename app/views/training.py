"""The pieces of the Training tab as HTML, without Gradio."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup
from PIL import Image

from app.actions.training.panels import overlay_panels, run_panels
from app.actions.training.request import PRESETS, preset_problem
from app.actions.training.status import Overview, Status
from app.cards import render
from app.jobs.limits import Limits
from app.jobs.watching import read_frames, read_pair
from app.library import Library
from app.library.thumbnails import encoded
from app.views.training_charts import charts_html
from mun.images import read_image

__all__ = ["Film", "curves_html", "film_html", "film_of", "link_of", "message_html", "overlay_html", "run_html"]
__all__ += ["runs_html", "terms_html", "welcome_html"]

PHASES = {"preparing": "render the people", "timing": "time 20 steps", "training": "train", "finished": "finished"}
UNITS = {"preparing": "image", "timing": "timed step", "training": "step"}
HEADINGS = {
    "queued": "Waiting",
    "preparing": "Preparing the data",
    "timing": "Timing the first steps",
    "training": "Training",
    "stopped": "Stopped",
    "interrupted": "Interrupted",
    "failed": "Failed",
    "finished": "Finished",
}
ENDS = {"stopped": "was stopped", "interrupted": "was interrupted", "failed": "failed"}
ONE_SIDED = 0.9  # share of the dependence on one input from which the generator copies rather than bridges


@dataclass(frozen=True)
class Film:
    """The auxiliary image of a fixed pair as it forms.

    Attributes:
        visible: The visible image, as a data URI.
        infrared: Likewise.
        sprite: All frames side by side.
        steps: Steps trained at each.
        clipped: Share of values beyond [0, 1] at each.
        width: Of a frame, pixels.
        height: Likewise.
    """

    visible: str
    infrared: str
    sprite: str
    steps: tuple[int, ...]
    clipped: tuple[float, ...]
    width: int
    height: int


def link_of(run: str) -> str:
    """Return the address of a run."""
    return "?" + urlencode({"tab": "train", "run": run} if run else {"tab": "train"})


def terms_html(limits: Limits) -> str:
    """Say what is allowed here, and which presets cannot be had."""
    problems = [] if limits.off else [problem for name in PRESETS if (problem := preset_problem(name, limits))]
    return render("training_terms.html", limits=limits, problems=problems)


def message_html(words: str, turn: int, *, error: bool = True) -> str:
    """Say something in place of a run."""
    return render("training_message.html", words=words, turn=turn, error=error)


def run_html(status: Status, turn: int, *, mine: bool) -> str:
    """Draw a run as it is now.

    Args:
        status: The run.
        turn: Grows with every answer, so that the browser draws each anew.
        mine: Whether the visitor holds its token.
    """
    return render(
        "training_run.html",
        status=status,
        turn=turn,
        mine=mine,
        link=link_of(status.run),
        heading="Stopping" if status.stopping else HEADINGS[status.state],
        phases=PHASES,
        here=status.phase if status.state != "finished" else "finished",
        words=progress_words(status),
        length=length_words(status),
        warning=one_sided(status),
        settings=settings_words(status),
    )


def curves_html(status: Status, turn: int) -> str:
    """Draw the curves of a run, and the commands that make it again; nothing before anything is measured."""
    panels = run_panels(status)
    if not panels:
        return ""
    charts = Markup(charts_html(panels, status.steps))
    return render("training_curves.html", status=status, turn=turn, charts=charts)


def welcome_html(limits: Limits) -> str:
    """Say what there will be to see, in place of a run."""
    return render("training_welcome.html", limits=limits)


def progress_words(status: Status) -> str:
    """Say how far a run is, in a sentence."""
    if status.state == "queued":
        return "It is the next to train." if status.place == 1 else f"{status.place - 1} other runs come before it."
    if status.state == "finished":
        best = max((line["mean_ap"] for line in status.validations), default=None)
        scores = "" if best is None else f" Its best mAP on validation identities is {100 * best:.1f} %."
        return f"{status.steps:,} steps are done.{scores} The model is in the checkpoint lists of all tabs."
    if not status.total:
        return f"It {ENDS[status.state]} before its first step." if status.over else "A process is being started."
    counted = f"{UNITS.get(status.phase, 'step')} {status.done:,} of {status.total:,}"
    if status.seconds_left is not None and not status.stopping:
        counted += f", about {duration(status.seconds_left)} left in this phase"
    return counted[0].upper() + counted[1:] + "."


def length_words(status: Status) -> str:
    """Say how the number of steps came about."""
    if not status.timing:
        return ""
    timing, minutes = status.timing, status.settings["minutes"]
    timed = (
        f"{timing['timed_steps']} timed steps took {timing['step_seconds']:.2g} s each and a validation"
        f" {timing['validation_seconds']:.2g} s"
    )
    passes = "pass" if timing["epochs"] == 1 else "passes"
    counted = f"{timing['steps']:,} steps, {timing['epochs']:,} {passes} over the images"
    return f"{timed}: {counted}" + (f", for a budget of {minutes:g} min." if minutes else ".")


def one_sided(status: Status) -> str:
    """Warn of a generator that copies one input, which satisfies the losses and defeats the idea."""
    share = next((line["visible_dependence"] for line in reversed(status.metrics) if "visible_dependence" in line), 0.5)
    if 1 - ONE_SIDED <= share <= ONE_SIDED:
        return ""
    name = "visible" if share > 0.5 else "infrared"
    return f"{100 * max(share, 1 - share):.0f} % of the auxiliary image depends on the {name} input alone."


def settings_words(status: Status) -> list[tuple[str, str]]:
    """List what was asked, for people."""
    asked = status.settings
    people = f"SynVI {asked['level']}, {asked['train_ids']:,} + {asked['val_ids']:,} people" if "level" in asked else ""
    return [
        ("data", people or str(asked["data"])),
        ("auxiliary", str(asked["auxiliary"])),
        ("network", f"{asked['backbone']}, width {asked['width']:g}"),
        ("images", f"{asked['height']} by {asked['image_width']}"),
        ("batch", f"{asked['ids_per_batch']} people, {asked['instances_per_id']} images each per modality"),
        ("seed", str(asked["seed"])),
    ]


def duration(seconds: float) -> str:
    """Write a duration: `40 s`, `12 min`, `3 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def film_of(library: Library, run: str) -> Film | None:
    """Put the frames of a run side by side; `None` where there are none."""
    folder = library.jobs.root / run
    pair, frames, pictures = read_pair(folder), read_frames(folder), []
    kept = []
    for frame in frames:
        try:
            pictures.append(read_image(frame.path))
            kept.append(frame)
        except (OSError, ValueError):  # dropped by a run that goes on from an earlier step
            continue
    if pair is None or not pictures:
        return None
    file = io.BytesIO()
    Image.fromarray(np.concatenate(pictures, axis=1)).save(file, "JPEG", quality=88, subsampling=0)
    height, width = pictures[0].shape[:2]
    return Film(
        encoded(pair[0]),
        encoded(pair[1]),
        "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii"),
        tuple(frame.step for frame in kept),
        tuple(frame.clipped for frame in kept),
        width,
        height,
    )


def film_html(film: Film | None, status: Status, turn: int) -> str:
    """Draw the frames with a slider to replay them; nothing before the first."""
    if film is None:
        silent = status.settings["auxiliary"] == "none"
        return render("training_message.html", words=SILENT, turn=turn, error=False) if silent else ""
    return render("training_film.html", film=film, turn=turn, auxiliary=status.settings["auxiliary"], over=status.over)


SILENT = "This run has no auxiliary modality, so there is no auxiliary image to watch."


def runs_html(overview: Overview, run: str, compared: Collection[str], mine: Collection[str], turn: int) -> str:
    """List all runs, the newest first; each can be watched, and up to four laid over one another."""
    return render(
        "training_runs.html",
        runs=overview.runs,
        run=run,
        compared=compared,
        mine=mine,
        turn=turn,
        headings=HEADINGS,
    )


def overlay_html(runs: list[Status], turn: int) -> str:
    """Lay the curves of some runs over one another; nothing for fewer than two."""
    if len(runs) < 2:
        return ""
    return render("training_overlay.html", charts=Markup(charts_html(overlay_panels(runs))), turn=turn, count=len(runs))
