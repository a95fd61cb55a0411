"""One bounded call of training: it reads a state from disk and leaves one there, on any device, in any process."""

import math
import shutil
import statistics
import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from timeit import timeit
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from app.train.record import (
    FRAMES,
    Phase,
    Recipe,
    Record,
    duration,
    read_frames,
    read_record,
    write_progress,
    write_record,
)
from mun.auxiliary.panel import UNIT
from mun.config import Config, TrainConfig, to_json
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.data.pairing import pair_samples
from mun.distributed import choose_device
from mun.files import whole_file, write_json
from mun.synvi import LEVELS
from mun.training.run import FORMAT, RunSettings
from mun.training.trainer import Trainer, start_run, train

__all__ = ["TIMED_STEPS", "Watcher", "data_folder", "frame_steps", "run_chunk", "stop_requested", "write_png"]

TIMED_STEPS, WARM_STEPS = 20, 3
VALIDATIONS, LINES, SNAPSHOTS = 8, 60, 8  # approximate numbers per run; snapshots: of the generator
OVERHEAD = 1.3  # factor on the time of a step: diagnostics, frames and other processes
MOST_EPOCHS = 5000
MOST_FRAMES = 60
EVERY_SECONDS = 0.3


def stop_requested(run: Path) -> bool:
    """Say whether somebody has asked the run to stop."""
    return (run / "stop").exists()


def data_folder(run: Path, recipe: Recipe) -> Path:
    """Return the folder of a run's data; all runs of one plan share rendered data."""
    if not recipe.data.rendered:
        return Path(recipe.data.root)
    model, data = recipe.config.model, recipe.data
    counts = f"{data.train_ids}-{data.val_ids}-{data.images}-{data.seed}"
    return run.parent / "data" / f"{LEVELS[data.level].hash}-{counts}-{model.height}x{model.image_width}"


def run_chunk(folder: str, seconds: float) -> bool:
    """Continue a run for a while; its progress is on disk when the call returns.

    The first call times some steps and sets the number of steps. On a CPU, the result is the same to the bit, however
    the run is cut into calls.

    Args:
        folder: Folder of the run, with its record.
        seconds: Longest training time, from the first step on; the current step is finished.

    Returns:
        Whether the run is finished.

    Raises:
        OSError: Data are missing or the disk is full.
        ValueError: Data and settings do not fit, or the run would take longer than it may.
        RuntimeError: There is not enough memory.
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
        raise ValueError("expected the run to end within twice the minutes that a run may take, it did not")
    if record.state != "training":
        record = replace(record, state="training")
        write_record(run, record)
    finished = train(run, device=device, progress=False, stop=stop, watch=Watcher(run))
    write_record(run, replace(record, trained=record.trained + time.monotonic() - began))
    return finished


@dataclass(frozen=True)
class Timing:
    """Cost of a run here: seconds of a step and of a validation, number of timed steps, and steps per epoch."""

    step_seconds: float
    validation_seconds: float
    timed_steps: int
    steps_per_epoch: int

    def seconds(self, epochs: int) -> float:
        """Estimate how long a run takes."""
        validations = math.ceil(epochs / evaluate_every(epochs)) + 1  # choosing statistics at the end costs one too
        return OVERHEAD * self.step_seconds * self.steps_per_epoch * epochs + self.validation_seconds * validations


def evaluate_every(epochs: int) -> int:
    """Choose the number of epochs between validations."""
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
        trainer, taken = Trainer(trial, device, progress=False), []
        with closing(trainer.batches):
            for step in range(WARM_STEPS + TIMED_STEPS):
                if stop_requested(run):
                    return None
                write_progress(run, Phase("timing", step, WARM_STEPS + TIMED_STEPS))
                taken.append(timeit(trainer.train_step, number=1))
            validation = timeit(trainer.validate, number=1)
        return Timing(statistics.fmean(taken[WARM_STEPS:]), validation, TIMED_STEPS, trainer.steps_per_epoch)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def settle(run: Path, record: Record, timing: Timing) -> None:
    """Turn the time budget into a number of steps, and write the configuration that the trainer starts from.

    Raises:
        ValueError: One epoch would take longer than the budget, or the run longer than it may.
    """
    recipe = record.recipe
    epochs, most = recipe.config.train.epochs, 60 * recipe.most_minutes
    if recipe.minutes:
        budget = 60 * recipe.minutes - max(0.0, time.time() - record.started)  # the clock may have been set back
        epochs = epochs_within(timing, budget)
        if timing.seconds(1) > 2 * 60 * recipe.minutes:
            raise ValueError(
                f"one pass over these images takes {duration(timing.seconds(1))} here, more than the budget of"
                f" {duration(60 * recipe.minutes)}: take fewer or smaller images, or a narrower network"
            )
    if timing.seconds(epochs) > 1.5 * most:
        raise ValueError(
            f"this run would take {duration(timing.seconds(epochs))} here, more than the {duration(most)} that a run"
            " may take: take fewer epochs or smaller images"
        )
    steps = epochs * timing.steps_per_epoch
    choices = replace(
        recipe.config.train,
        epochs=epochs,
        evaluate_every=evaluate_every(epochs),
        log_every=min(TrainConfig().log_every, max(2, steps // LINES)),
        snapshots=SNAPSHOTS if steps > SNAPSHOTS else 0,
    )
    write_record(run, replace(record, state="training", timing={**asdict(timing), "epochs": epochs, "steps": steps}))
    write_json(run / "config.json", to_json(settings_of(run, recipe, replace(recipe.config, train=choices))))


def epochs_within(timing: Timing, budget: float) -> int:
    """Find the most epochs that fit into a number of seconds; at least one."""
    return max((epochs for epochs in range(1, MOST_EPOCHS + 1) if timing.seconds(epochs) <= budget), default=1)


def settings_of(run: Path, recipe: Recipe, config: Config) -> RunSettings:
    """Return the settings of a run as the trainer reads them."""
    data = recipe.data
    dataset = "synvi" if data.rendered else data.layout or data.name
    return RunSettings(FORMAT, config, dataset, str(data_folder(run, recipe)), recipe.seed, reading=data.reading)


def frame_steps(steps: int) -> tuple[int, ...]:
    """Choose the steps of a run to show: the first, the last, and more at the start, where most changes."""
    places = np.linspace(0.0, 1.0, MOST_FRAMES) ** 1.5
    return tuple(sorted({round(float(place) * steps) for place in places}))


class Watcher:
    """Record the progress and frames of a run at each step without changing the trainer; see `train(watch=…)`."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._pair: NDArray[np.uint8] | None = None
        self._due: frozenset[int] = frozenset()
        self._began = self._noted = 0.0
        self._first = -1

    def __call__(self, trainer: Trainer) -> None:
        """Draw a frame where one is due, and write the progress a few times per second."""
        step, now = trainer.state.step, time.monotonic()
        if self._first < 0:
            self._open(trainer, step, now)
        if step in self._due:
            self._draw(trainer, step)
        if step == trainer.steps or now - self._noted >= EVERY_SECONDS:
            self._noted = now
            done = step - self._first
            left = (now - self._began) / done * (trainer.steps - step) if done else -1.0
            write_progress(self.run, Phase("training", step, trainer.steps, left))

    def _open(self, trainer: Trainer, step: int, now: float) -> None:
        """Start; delete the frames of steps that a killed run did not save, as its metrics are deleted."""
        self._first, self._began = step, now
        write_progress(self.run, Phase("training", step, trainer.steps))
        if not trainer.network.auxiliary.num_images:
            return
        for frame in read_frames(self.run):
            if frame.step > step:
                frame.path.unlink(missing_ok=True)
        self._due = frozenset(frame_steps(trainer.steps)) - {frame.step for frame in read_frames(self.run)}
        pair = pair_samples(trainer.source.val or trainer.source.train)[0]
        self._pair = decode_samples([pair.visible, pair.infrared], *trainer.config.model.size)
        for name, pixels in zip(("visible", "infrared"), self._pair, strict=True):
            write_png(self.run / FRAMES / f"{name}.png", pixels)

    def _draw(self, trainer: Trainer, step: int) -> None:
        """Generate the pair's image by the current generator, in evaluation mode, and restore its mode."""
        assert self._pair is not None  # frames are due only where there is a pair
        auxiliary, pixels = trainer.network.auxiliary, torch.from_numpy(self._pair).to(trainer.device)
        was, _ = auxiliary.training, auxiliary.eval()
        try:
            with torch.inference_mode():
                values = torch.cat(trainer.network.generate(*to_images(pixels)[:, None]), dim=3)[0].float().cpu()
        finally:
            auxiliary.train(was)
        name = f"step-{step:07d}-{round(1e4 * UNIT.clipped(values)):05d}.png"
        write_png(self.run / FRAMES / name, UNIT.pixels(values.nan_to_num()))


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write RGB, uint8, `(H, W, 3)`, as a PNG; a partly written file is never seen."""
    with whole_file(path) as partial:
        Image.fromarray(pixels).save(partial, "PNG")
