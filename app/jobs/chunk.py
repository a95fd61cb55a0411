"""One bounded call of training: from what is on disk to what is on disk, on any device, in any process."""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.jobs.record import RENDER, Recipe, Record, read_record, write_record
from app.jobs.watching import Progress, Watcher, write_progress
from mun.config import Config, TrainConfig, to_json
from mun.device import choose_device
from mun.files import write_json
from mun.training.run import FORMAT, RunSettings
from mun.training.trainer import Trainer, start_run, train

__all__ = ["TIMED_STEPS", "data_folder", "run_chunk", "stop_requested"]

TIMED_STEPS, WARM_STEPS = 20, 3
VALIDATIONS, LINES, SNAPSHOTS = 8, 60, 8  # of a run: validations, lines of metrics, states of the generator, about
OVERHEAD = 1.3  # of a step by diagnostics, frames and what runs beside it
MOST_EPOCHS = 5000


def stop_requested(run: Path) -> bool:
    """Say whether somebody has asked the run to stop."""
    return (run / "stop").exists()


def data_folder(run: Path, recipe: Recipe) -> Path:
    """Name the folder of a run's data; rendered ones are shared by all runs of one plan."""
    if recipe.data.name != RENDER:
        return Path(recipe.data.root)
    model, data = recipe.config.model, recipe.data
    counts = f"{data.train_ids}-{data.val_ids}-{data.images}-{data.seed}"
    plan = recipe.data.plan(model.height, model.image_width)
    return run.parent / "data" / f"{plan.level.hash}-{counts}-{model.height}x{model.image_width}"


def run_chunk(folder: str, seconds: float) -> bool:
    """Go on with a run for a while; whatever was done is on disk when the call returns.

    The first call times some steps and settles how many there will be. However a run is cut into calls, it ends the
    same to the bit on a CPU.

    Args:
        folder: Of the run, with its record.
        seconds: To train, at most, from the first step on; the step in hand is finished.

    Returns:
        Whether the run is finished.

    Raises:
        OSError: Data are gone or the disk is full.
        ValueError: Data and settings do not fit, or the run would take longer than it may.
        RuntimeError: Memory is short.
    """
    run = Path(folder)
    record, began = read_record(run), time.monotonic()
    device = choose_device(record.recipe.device)
    first = 0.0

    def stop() -> bool:
        nonlocal first
        if not first and not stop_requested(run):  # at least one step is made, however long a run takes to open
            first = time.monotonic()
            return False
        return time.monotonic() - first >= seconds or stop_requested(run)

    if not (run / "config.json").is_file():
        write_record(run, replace(record, state="timing"))
        if (timing := time_steps(run, record.recipe, device)) is not None:
            settle(run, record, timing)
        return False
    if record.trained > 2 * 60 * record.recipe.most_minutes:
        raise ValueError("expected the run to end in twice the minutes that a run may take, it did not")
    if record.state != "training":
        record = replace(record, state="training")
        write_record(run, record)
    finished = train(run, device=device, progress=False, stop=stop, watch=Watcher(run))
    write_record(run, replace(record, trained=record.trained + time.monotonic() - began))
    return finished


@dataclass(frozen=True)
class Timing:
    """What a run costs here: seconds of a step and of a validation, and the steps of an epoch."""

    step_seconds: float
    validation_seconds: float
    steps_per_epoch: int

    def seconds(self, epochs: int) -> float:
        """Estimate how long a run takes."""
        validations = math.ceil(epochs / evaluate_every(epochs)) + 1  # choosing the statistics at the end costs one too
        return OVERHEAD * self.step_seconds * self.steps_per_epoch * epochs + self.validation_seconds * validations


def evaluate_every(epochs: int) -> int:
    """Choose the epochs between validations."""
    return max(1, round(epochs / VALIDATIONS))


def time_steps(run: Path, recipe: Recipe, device: Any) -> Timing | None:
    """Time some steps and a validation of a throw-away run; `None` where somebody has asked to stop.

    Raises:
        ValueError: Data and settings do not fit.
    """
    trial = run / "trial.tmp"
    shutil.rmtree(trial, ignore_errors=True)
    config = replace(recipe.config, train=replace(recipe.config.train, epochs=MOST_EPOCHS, log_every=10_000_000))
    try:
        start_run(trial, settings_of(run, recipe, config))
        trainer = Trainer(trial, device, progress=False)
        try:
            taken = []
            for step in range(WARM_STEPS + TIMED_STEPS):
                if stop_requested(run):
                    return None
                write_progress(run, Progress("timing", step, WARM_STEPS + TIMED_STEPS))
                taken.append(measure(trainer.train_step))
            validation = measure(trainer.validate)
        finally:
            trainer.batches.close()
        return Timing(statistics.fmean(taken[WARM_STEPS:]), validation, trainer.steps_per_epoch)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def measure(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def settle(run: Path, record: Record, timing: Timing) -> None:
    """Turn the time budget into a number of steps, and start the trainer's own run with it.

    Raises:
        ValueError: One epoch would take longer than the budget, or the run longer than it may.
    """
    recipe = record.recipe
    epochs, most = recipe.config.train.epochs, 60 * recipe.most_minutes
    if recipe.minutes:
        budget = 60 * recipe.minutes - (time.time() - record.started)
        epochs = epochs_within(timing, budget)
        if timing.seconds(1) > 2 * 60 * recipe.minutes:
            raise ValueError(
                f"one pass over these images takes {words(timing.seconds(1))} here, more than the budget of"
                f" {words(60 * recipe.minutes)}: take fewer or smaller images, or a narrower network"
            )
    if timing.seconds(epochs) > 1.5 * most:
        raise ValueError(
            f"this run would take {words(timing.seconds(epochs))} here, more than the {words(most)} that a run may"
            " take: take fewer epochs or smaller images"
        )
    choices = recipe.config.train
    learned = SNAPSHOTS if epochs * timing.steps_per_epoch > SNAPSHOTS else 0
    steps = epochs * timing.steps_per_epoch
    config = replace(
        recipe.config,
        train=replace(
            choices,
            epochs=epochs,
            evaluate_every=evaluate_every(epochs),
            log_every=min(TrainConfig().log_every, max(2, steps // LINES)),
            snapshots=learned,
        ),
    )
    facts = {"step_seconds": timing.step_seconds, "validation_seconds": timing.validation_seconds}
    counts = {"timed_steps": TIMED_STEPS, "steps_per_epoch": timing.steps_per_epoch, "epochs": epochs, "steps": steps}
    write_record(run, replace(record, state="training", timing={**facts, **counts}))
    write_json(run / "config.json", to_json(settings_of(run, recipe, config)))


def epochs_within(timing: Timing, budget: float) -> int:
    """Find the most epochs that fit into a number of seconds; at least one."""
    epochs = 1
    while epochs < MOST_EPOCHS and timing.seconds(epochs + 1) <= budget:
        epochs += 1
    return epochs


def settings_of(run: Path, recipe: Recipe, config: Config) -> RunSettings:
    """Write down a run as the trainer reads it."""
    dataset = "synvi" if recipe.data.name == RENDER else recipe.data.name
    return RunSettings(FORMAT, config, dataset, str(data_folder(run, recipe)), recipe.seed)


def words(seconds: float) -> str:
    """Write a duration: `40 seconds`, `12 minutes`."""
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
