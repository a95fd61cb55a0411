"""How training runs are: one of them in full, or all of them in a line each; everybody may look."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.actions.checks import text
from app.jobs.record import RENDER, Recipe, Record
from app.jobs.watching import Progress, read_progress
from app.library import Library
from mun.training.card import train_command
from mun.training.run import MetricsFile, read_settings

__all__ = ["Overview", "Status", "overview", "status"]

MAX_LINES = 400  # of metrics that a status carries


@dataclass(frozen=True)
class Status:
    """A run as it is now.

    Attributes:
        run: Its name, also of its checkpoint once it is finished.
        state: `queued`, `preparing`, `timing`, `training`, `stopped`, `interrupted`, `failed` or `finished`.
        stopping: Whether it was asked to stop and has not yet done so.
        place: In the queue, 1 for the next; 0 where it does not wait.
        phase: What is counted: `preparing` images, `timing` steps, `training` steps.
        done: Of `total`.
        total: See `done`.
        seconds_left: An estimate; `None` where there is none.
        steps: Of the whole run; `None` until they are settled.
        epochs: Likewise.
        error: Why it ended, in a sentence; empty where there is nothing to say.
        suggestion: What may help; likewise.
        resumable: Whether it can go on.
        settings: What was asked, by name.
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
        """Whether nothing more happens by itself."""
        return self.state in ("stopped", "interrupted", "failed", "finished")

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/train_status` answers."""
        values = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True)
class Overview:
    """All runs that are kept, the newest first, and what is allowed here.

    Attributes:
        mode: `off`, `tiny` or `on`.
        minutes: That a run may train.
        images: That may be rendered for a run.
        runs: Name, state, place in the queue, auxiliary modality, best mAP on validation identities or `None`.
    """

    mode: str
    minutes: float
    images: int
    runs: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/train_status` answers to an empty name."""
        return {**asdict(self), "runs": list(self.runs)}


def status(library: Library, run: object) -> Status:
    """Say how a run is; everybody may watch.

    Raises:
        ValueError: There is no such run.
    """
    jobs, name = library.jobs, text("run", run)
    record = jobs.get(name)
    folder = jobs.root / name
    now = progress_of(record, folder)
    lines = list(MetricsFile.lines(folder / "metrics.jsonl"))
    scores = [line for line in lines if isinstance(line.get("validation"), dict)]
    losses = [line for line in lines if "total" in line]
    return Status(
        run=name,
        state=record.state,
        stopping=jobs.stopping(name),
        place=jobs.place(name),
        phase=now.phase,
        done=now.done,
        total=now.total,
        seconds_left=now.left if record.active and now.left >= 0 else None,
        steps=record.timing.get("steps"),
        epochs=record.timing.get("epochs"),
        error=record.error,
        suggestion=record.suggestion,
        resumable=record.over and record.resumable and record.state != "finished",
        settings=settings_of(record.recipe),
        timing=record.timing,
        metrics=tuple(thinned(losses)),
        validations=tuple({"step": line["step"], **line["validation"]} for line in thinned(scores)),
        command=command_of(record.recipe, folder),
    )


def progress_of(record: Record, folder: Path) -> Progress:
    """Read how far a run is; a note of another phase than the one in hand says nothing."""
    progress = read_progress(folder)
    if record.active and progress.phase != record.state:
        return Progress(record.state)
    return Progress(progress.phase, progress.done, progress.total) if record.over else progress


def thinned(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out lines evenly where there are more than a page needs; the last stays. NaN, which JSON lacks, goes."""
    every = max(1, -(-len(lines) // MAX_LINES))
    return [
        {name: value for name, value in line.items() if isinstance(value, dict) or math.isfinite(value)}
        for line in lines[(len(lines) - 1) % every :: every]
    ]


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Describe what was asked, without any folder of the machine."""
    model, loss, train, data = recipe.config.model, recipe.config.loss, recipe.config.train, recipe.data
    made = {"level": data.level, "train_ids": data.train_ids, "val_ids": data.val_ids, "images": data.images}
    return {
        "data": data.name,
        **({**made, "data_seed": data.seed} if data.name == RENDER else {}),
        "auxiliary": model.auxiliary,
        "backbone": model.backbone,
        "width": model.width,
        "height": model.height,
        "image_width": model.image_width,
        "minutes": recipe.minutes,
        "epochs": 0 if recipe.minutes else train.epochs,
        "ids_per_batch": train.ids_per_batch,
        "instances_per_id": train.instances_per_id,
        "lr": train.lr,
        "identity_alignment": loss.identity_alignment,
        "modality_alignment": loss.modality_alignment,
        "triplet": loss.triplet,
        "seed": recipe.seed,
        "device": recipe.device,
    }


def command_of(recipe: Recipe, folder: Path) -> tuple[str, ...]:
    """Write the commands that make a run again; none before its number of steps is settled."""
    try:
        settings = read_settings(folder)
    except (ValueError, OSError):
        return ()
    made = (recipe.data.plan(settings.config.model.height, settings.config.model.image_width).command,)
    return (*(made if recipe.data.name == RENDER else ()), train_command(settings))


def overview(library: Library) -> Overview:
    """List all runs, the newest first."""
    jobs = library.jobs
    runs = tuple(
        {
            "run": record.run,
            "state": record.state,
            "place": jobs.place(record.run),
            "auxiliary": record.recipe.config.model.auxiliary,
            "mean_ap": best_of(library, record),
        }
        for record in reversed(jobs.records())
    )
    return Overview(jobs.limits.mode, jobs.limits.minutes, jobs.limits.images, runs)


def best_of(library: Library, record: Record) -> float | None:
    """Return the best mAP on validation identities that a run has reached."""
    lines = MetricsFile.lines(library.jobs.root / record.run / "metrics.jsonl")
    return max((line["validation"]["mean_ap"] for line in lines if "validation" in line), default=None)
