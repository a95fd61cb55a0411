"""How training runs are: one of them in full, or all of them in a line each; everybody may look."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.library import Library
from app.library.thumbnails import data_uri, encoded
from app.train.chunk import as_shown
from app.train.queue import Queue
from app.train.record import FRAMES, RENDER, Phase, Recipe, Record, read_frames, read_progress
from mun.auxiliary.generator import AuxiliaryGenerator
from mun.data.cache import decode_samples
from mun.data.pairing import pair_samples
from mun.images import read_image
from mun.panel import with_state
from mun.snapshots import read_snapshots
from mun.training.card import train_command
from mun.training.run import MetricsFile, read_settings

__all__ = [
    "HEADINGS",
    "Film",
    "Status",
    "capital",
    "film_of",
    "film_of_default",
    "heading",
    "one_sided",
    "overview",
]
__all__ += ["progress_words", "score_words", "status"]

MAX_LINES = 400  # of metrics that a status carries
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
UNITS = {"preparing": "image", "timing": "timed step", "training": "step"}
ONE_SIDED = 0.9  # share of the dependence on one input from which the generator copies rather than bridges


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

    @property
    def best(self) -> float | None:
        """The best mAP on validation identities, a fraction; `None` before the first validation."""
        return max((line["mean_ap"] for line in self.validations), default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/train_status` answers."""
        values = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def status(queue: Queue, run: str) -> Status:
    """Say how a run is.

    Raises:
        ValueError: There is no such run.
    """
    record = queue.get(run)
    folder = queue.root / run
    now = progress_of(record, folder)
    lines = list(MetricsFile.lines(folder / "metrics.jsonl"))
    scores = [line for line in lines if isinstance(line.get("validation"), dict)]
    losses = [line for line in lines if "total" in line]
    return Status(
        run=run,
        state=record.state,
        stopping=queue.stopping(run),
        place=queue.place(run),
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


def progress_of(record: Record, folder: Path) -> Phase:
    """Read how far a run is; a note of another phase than the one in hand says nothing."""
    progress = read_progress(folder)
    if record.active and progress.phase != record.state:
        return Phase(record.state)
    return Phase(progress.phase, progress.done, progress.total) if record.over else progress


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


def overview(queue: Queue) -> dict[str, Any]:
    """List all runs, the newest first, and what is allowed here: the answer of `/train_status` to an empty name.

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


def film_of(folder: Path) -> Film | None:
    """Put the frames of a run side by side; `None` where there are none."""
    kept, pictures = [], []
    for frame in read_frames(folder):
        try:
            pictures.append(read_image(frame.path))
            kept.append(frame)
        except (OSError, ValueError):  # dropped by a run that goes on from an earlier step
            continue
    visible, infrared = (data_uri(folder / FRAMES / f"{name}.png", TALL) for name in ("visible", "infrared"))
    if not (visible and infrared and pictures):
        return None
    height, width = pictures[0].shape[:2]
    steps, clipped = tuple(frame.step for frame in kept), tuple(frame.clipped for frame in kept)
    return Film(visible, infrared, encoded(np.concatenate(pictures, axis=1)), steps, clipped, width, height)


def film_of_default(library: Library) -> Film | None:
    """Show how the auxiliary image of the default checkpoint formed, from the generator's states that it keeps.

    The pair is the first of the default data set. `None` where the checkpoint keeps no states, or an image is broken.
    """
    entry, collection = library.checkpoints[library.default_checkpoint], library.collections[library.default_data]

    def make() -> Film | None:
        network = library.network(entry.name)
        generator, size = network.auxiliary, (network.config.height, network.config.image_width)
        try:
            states, pair = read_snapshots(entry.folder), pair_samples(collection.samples)[0]
            images = decode_samples([pair.visible, pair.infrared], *size)
            if not states or not isinstance(generator, AuxiliaryGenerator):
                return None
            pixels = torch.from_numpy(images).to(library.device).permute(0, 3, 1, 2).float().div(255.0)
            with torch.inference_mode():
                made = [with_state(generator, state)(pixels[:1], pixels[1:])[0][0] for state in states.values()]
        except (OSError, ValueError):
            return None
        frames, clipped = zip(*map(as_shown, made), strict=True)
        height, width = frames[0].shape[:2]
        sprite = encoded(np.concatenate(frames, axis=1))
        return Film(encoded(images[0]), encoded(images[1]), sprite, tuple(states), clipped, width, height)

    return library.cache.get(
        ("film", entry.content, collection.content), make, lambda film: len(film.sprite) if film else 1
    )


def capital(words: str) -> str:
    """Begin a sentence."""
    return words[:1].upper() + words[1:]


def heading(now: Status) -> str:
    """Say how a run is, in a word or two."""
    return "Stopping" if now.stopping else HEADINGS[now.state]


def progress_words(now: Status) -> str:
    """Say how far a run is, in a sentence."""
    if now.state == "queued":
        ahead = now.place - 1
        others = f"{ahead} other {'run comes' if ahead == 1 else 'runs come'} before it"
        return f"Place {now.place} in the queue: {others if ahead else 'it is the next to train'}."
    if now.state == "finished":
        return f"{now.steps or now.done:,} steps are done."
    if not now.total:
        return f"It {ENDS[now.state]} before its first step." if now.over else "A process is being started."
    counted = f"{UNITS.get(now.phase, 'step')} {now.done:,} of {now.total:,}"
    if now.seconds_left is not None and not now.stopping:
        counted += f", about {duration(now.seconds_left)} left in this phase"
    return f"{capital(counted)}."


def score_words(library: Library, now: Status) -> str:
    """Say how well a finished run ranks, on which data, and why its score in Retrieval is another one."""
    if now.best is None:
        return "No people were held out, so it was not scored."
    asked, searched = now.settings, library.collections[library.default_data]
    if "level" in asked:
        people = f"the {asked['val_ids']:,} validation people of SynVI {asked['level']}, rendered for this run"
    else:
        known = library.collections.get(asked["data"])
        people = f"the validation people of {known.title if known else asked['data']}"
    return (
        f"Best mAP {100 * now.best:.1f} % on {people}. Retrieval asks for other people, the {searched.num_identities:,}"
        f" of the test split of {searched.title}, so its score differs."
    )


def one_sided(now: Status) -> str:
    """Warn of a generator that copies one input, which satisfies the losses and defeats the idea."""
    share = next((line["visible_dependence"] for line in reversed(now.metrics) if "visible_dependence" in line), 0.5)
    if 1 - ONE_SIDED <= share <= ONE_SIDED:
        return ""
    name = "visible" if share > 0.5 else "infrared"
    return f"{100 * max(share, 1 - share):.0f} % of the auxiliary image depends on the {name} input alone."


def duration(seconds: float) -> str:
    """Write a duration: `40 s`, `12 min`, `3 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
