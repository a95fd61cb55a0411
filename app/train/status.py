"""The state of training runs: one run in full, or all runs in a line each; every visitor may read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.library import Library
from app.library.pair_encoder import FINAL, PairEncoder, film
from app.library.pairs import collection_pair, opening_pair
from app.library.thumbnails import data_uri, encoded
from app.train.chunk import stop_requested
from app.train.queue import Queue
from app.train.record import FRAMES, Phase, Recipe, duration, read_frames, read_progress
from app.train.request import RENDERED, Train
from mun.images import read_image
from mun.training.card import train_command
from mun.training.run import MetricsFile, read_settings

__all__ = ["HEADINGS", "Film", "Status", "best_of", "evenly", "film_of", "film_of_default", "overview"]
__all__ += ["score_words", "status"]

T = TypeVar("T")
MAX_LINES = 400  # of metrics in a status, at most
TALL = 512  # pixels of an image in the film, at most
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
UNITS = {"preparing": "Image", "timing": "Timed step"}
ONE_SIDED = 0.9  # share of the dependence on one input, above which the generator copies that input


@dataclass(frozen=True)
class Status:
    """The current state of a run.

    Attributes:
        run: Its name, also of its checkpoint once it is finished.
        state: `queued`, `preparing`, `timing`, `training`, `stopped`, `interrupted`, `failed` or `finished`.
        stopping: Whether it was asked to stop and has not yet done so.
        place: In the queue, 1 for the next; 0 where it does not wait.
        phase: The counted phase: `preparing` images, `timing` steps, `training` steps.
        done: Number done, of `total`.
        total: Number in the whole phase.
        seconds_left: An estimate; `None` where there is none.
        steps: Of the whole run; `None` until they are settled.
        epochs: Likewise.
        error: Why it ended, in a sentence; empty where there is nothing to say.
        suggestion: What may help; likewise.
        resumable: Whether it can go on.
        settings: The requested settings, by name.
        timing: Seconds of a step and of a validation, as timed at the start.
        metrics: Lines with losses, learning rate and speed by step.
        validations: Lines with `step`, `rank1`, `mean_ap`, `mean_inp`, fractions.
        command: The commands that make the run again.
    """

    run: str
    state: str
    stopping: bool
    place: int
    phase: str
    done: int
    total: int
    seconds_left: float | None
    steps: int | None
    epochs: int | None
    error: str
    suggestion: str
    resumable: bool
    settings: dict[str, Any]
    timing: dict[str, Any]
    metrics: tuple[dict[str, float], ...]
    validations: tuple[dict[str, float], ...]
    command: tuple[str, ...]

    @property
    def over(self) -> bool:
        """Whether it has ended: it neither waits nor is worked on."""
        return self.state in ("stopped", "interrupted", "failed", "finished")

    @property
    def best(self) -> float | None:
        """The best mAP on validation identities, a fraction; `None` before the first validation."""
        return max((line["mean_ap"] for line in self.validations), default=None)

    @property
    def heading(self) -> str:
        """The state in a word or two."""
        return "Stopping" if self.stopping else HEADINGS[self.state]

    @property
    def words(self) -> str:
        """The progress in a sentence."""
        if self.state == "queued":
            ahead = self.place - 1
            others = f"{ahead} other {'run comes' if ahead == 1 else 'runs come'} before it"
            return f"Place {self.place} in the queue: {others if ahead else 'it is the next to train'}."
        if self.state == "finished":
            return f"{self.steps or self.done:,} steps are done."
        if not self.total:
            return f"It {ENDS[self.state]} before its first step." if self.over else "A process is being started."
        left = "" if self.seconds_left is None or self.stopping else f", about {duration(self.seconds_left)} left"
        return f"{UNITS.get(self.phase, 'Step')} {self.done:,} of {self.total:,}{left}{left and ' in this phase'}."

    @property
    def warning(self) -> str:
        """Warning that the generator copies one input, which satisfies the losses but not their purpose; else empty."""
        shares = [line["visible_dependence"] for line in self.metrics if "visible_dependence" in line] or [0.5]
        if 1 - ONE_SIDED <= shares[-1] <= ONE_SIDED:
            return ""
        name, most = ("visible", shares[-1]) if shares[-1] > 0.5 else ("infrared", 1 - shares[-1])
        return f"{100 * most:.0f} % of the auxiliary image depends on the {name} input alone."


def status(queue: Queue, run: str) -> Status:
    """Return the current state of a run.

    Raises:
        ValueError: There is no such run.
    """
    record = queue.get(run)
    folder = queue.root / run
    now = read_progress(folder)
    if record.active and now.phase != record.state:  # progress of another phase than the current one
        now = Phase(record.state)
    lines = list(MetricsFile.lines(folder / "metrics.jsonl"))
    scores = [{"step": line["step"], **line["validation"]} for line in lines if "validation" in line]
    losses = [line for line in lines if "total" in line]
    same = {name: getattr(record, name) for name in ("run", "state", "error", "suggestion", "timing")}
    return Status(
        **same,
        stopping=record.active and stop_requested(folder),
        place=queue.place(run),
        phase=now.phase,
        done=now.done,
        total=now.total,
        seconds_left=now.left if record.active and now.left >= 0 else None,
        steps=record.timing.get("steps"),
        epochs=record.timing.get("epochs"),
        resumable=record.over and record.resumable and record.state != "finished",
        settings=settings_of(record.recipe),
        metrics=thinned(losses),
        validations=thinned(scores),
        command=command_of(record.recipe, folder),
    )


def thinned(lines: list[dict[str, float]]) -> tuple[dict[str, float], ...]:
    """Leave out lines beyond the number that a page needs, and values that JSON lacks, such as NaN."""
    kept = evenly(lines, MAX_LINES)
    return tuple({name: value for name, value in line.items() if math.isfinite(value)} for line in kept)


def evenly(values: Sequence[T], most: int) -> Sequence[T]:
    """Thin out values evenly to at most a number; the last value stays."""
    every = max(1, -(-len(values) // most))
    return values[(len(values) - 1) % every :: every]


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Return the requested settings, by the names of `Train`, without any folder of the machine."""
    config = recipe.config
    parts = (recipe, recipe.data, config.model, config.loss, config.train)
    values = {name: getattr(part, name) for part in parts for name in type(part).__dataclass_fields__}
    values |= {"data": recipe.data.name, "epochs": 0 if recipe.minutes else config.train.epochs}
    if not recipe.data.rendered:
        values = {name: value for name, value in values.items() if name not in RENDERED}
    return {name: values[name] for name in Train.model_fields if name in values}


def command_of(recipe: Recipe, folder: Path) -> tuple[str, ...]:
    """Write the commands that make a run again; none before its number of steps is settled."""
    try:
        settings = read_settings(folder)
    except (ValueError, OSError):
        return ()
    trained = train_command(settings)
    return (recipe.data.plan(recipe.config.model.size).command, trained) if recipe.data.rendered else (trained,)


def overview(queue: Queue) -> dict[str, Any]:
    """List all runs, the newest first, and the limits of the host: the answer of `/train_status` to an empty name.

    Returns:
        `mode`, `minutes` and `images` of the limits, and `runs`: name, state, place in the queue, auxiliary modality,
        best mAP on validation identities or `None`.
    """
    runs = [
        {
            "run": record.run,
            "state": record.state,
            "place": queue.place(record.run),
            "auxiliary": record.recipe.config.model.auxiliary,
            "mean_ap": best_of(queue.root / record.run),
        }
        for record in reversed(queue.records())
    ]
    limits = queue.limits
    return {"mode": limits.mode, "minutes": limits.minutes, "images": limits.images, "runs": runs}


def best_of(folder: Path) -> float | None:
    """Return the best mAP on validation identities that a run has reached."""
    lines = MetricsFile.lines(folder / "metrics.jsonl")
    return max((line["validation"]["mean_ap"] for line in lines if "validation" in line), default=None)


@dataclass(frozen=True)
class Film:
    """The auxiliary image of a fixed pair as it forms.

    Attributes:
        visible: The visible image, as a data URI.
        infrared: Likewise.
        sprite: All frames side by side.
        steps: Steps trained at each frame.
        clipped: Share of values beyond [0, 1] at each frame; empty where the display scales them into it.
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

    @classmethod
    def of(cls, sides: Sequence[str], frames: Sequence[tuple[int, NDArray[np.uint8]]], *clipped: float) -> Film | None:
        """Put frames side by side, each with its step; `None` where an image of the pair or every frame is missing."""
        if not (all(sides) and frames):
            return None
        height, width = frames[0][1].shape[:2]
        sprite = encoded(np.concatenate([pixels for _, pixels in frames], axis=1))
        visible, infrared = sides
        return cls(visible, infrared, sprite, tuple(step for step, _ in frames), clipped, width, height)


def film_of(folder: Path) -> Film | None:
    """Show the frames of a run; `None` where there are none."""
    frames, clipped = [], []
    for frame in read_frames(folder):
        with suppress(OSError, ValueError):  # deleted by a run that resumes from an earlier step
            frames.append((frame.step, read_image(frame.path)))
            clipped.append(frame.clipped)
    pair = [folder / FRAMES / f"{name}.png" for name in ("visible", "infrared")]
    return Film.of([data_uri(partial(read_image, path), TALL) for path in pair], frames, *clipped)


def film_of_default(library: Library) -> Film | None:
    """Show how the auxiliary image of the default checkpoint formed on the first pair that the Auxiliary tab shows.

    `None` where the checkpoint keeps no earlier states, or an image is broken.
    """
    checkpoint, data = library.default_checkpoint, library.default_data
    try:
        encoder = PairEncoder(library, checkpoint, data, collection_pair(library, data, *opening_pair(library, data)))
        frames = film(encoder)
    except ValueError:
        return None
    card = library.checkpoints[checkpoint].card
    steps = [(card.steps if card and step == FINAL else step, pixels) for step, pixels in frames]
    return Film.of([encoded(side) for side in encoder.pair.pixels[encoder.size]], steps)


def score_words(library: Library, now: Status) -> str:
    """Say how well a finished run ranks, on which data, and why its score on the Retrieval tab differs."""
    if now.best is None:
        return "No people were held out, so it was not scored."
    asked, searched = now.settings, library.collections[library.default_data]
    if "level" in asked:
        people = f"the {asked['val_ids']:,} validation people of SynVI {asked['level']}, rendered for this run"
    else:
        known = library.collections.get(asked["data"])
        people = f"the validation people of {known.title if known else asked['data']}"
    return (
        f"Best mAP {100 * now.best:.1f} % on {people}. Retrieval searches for other people, the"
        f" {searched.num_identities:,} of the test split of {searched.title}, so its score differs."
    )
