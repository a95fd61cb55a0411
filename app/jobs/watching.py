"""What a run shows while it goes on: how far it is, and the auxiliary image of one fixed pair as it forms."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mun.data.cache import decode_samples
from mun.data.pairing import pair_samples
from mun.images import read_image
from mun.structures import Sample

if TYPE_CHECKING:
    from mun.training.trainer import Trainer

__all__ = ["MOST_FRAMES", "Frame", "Progress", "Watcher", "frame_steps", "read_frames", "read_pair", "read_progress"]
__all__ += ["write_progress"]

MOST_FRAMES = 60
PROGRESS, FRAMES = "progress.json", "frames"
EVERY_SECONDS = 0.3


@dataclass(frozen=True)
class Progress:
    """How far the phase in hand is.

    Attributes:
        phase: `preparing`, `timing` or `training`, as the record's state.
        done: Images rendered, steps timed or steps trained.
        total: Of these.
        left: Seconds that the rest will take, an estimate; negative where there is none yet.
    """

    phase: str = ""
    done: int = 0
    total: int = 0
    left: float = -1.0


@dataclass(frozen=True)
class Frame:
    """The auxiliary image of the fixed pair at one step; several images of one pair lie side by side.

    Attributes:
        step: Steps trained.
        clipped: Share of its values beyond [0, 1], which no screen can show.
        path: The PNG.
    """

    step: int
    clipped: float
    path: Path


def write_progress(run: Path, progress: Progress) -> None:
    """Note how far a run is; the note is not synced, because it is only of use while the run goes on."""
    partial = run / f".{PROGRESS}.part"
    partial.write_text(json.dumps(asdict(progress)), encoding="utf-8")
    partial.replace(run / PROGRESS)


def read_progress(run: Path) -> Progress:
    """Read how far a run is; nothing is known where there is no note, or a broken one."""
    try:
        return Progress(**json.loads((run / PROGRESS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Progress()


def frame_steps(steps: int, most: int = MOST_FRAMES) -> tuple[int, ...]:
    """Choose the steps to show: the first and the last, closer to one another at the start, where most happens.

    Args:
        steps: Of the whole run.
        most: How many at most.
    """
    places = np.linspace(0.0, 1.0, most) ** 1.5
    return tuple(sorted({round(float(place) * steps) for place in places}))


class Watcher:
    """Follow a trainer from step to step without touching it; see `train(watch=…)`.

    Args:
        run: The run's folder.
        clock: Seconds from any moment on.
    """

    def __init__(self, run: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.run, self.clock = run, clock
        self._pair: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
        self._due: frozenset[int] = frozenset()
        self._began = self._told = 0.0
        self._first = -1

    def __call__(self, trainer: Trainer) -> None:
        """Look at the trainer as it is now."""
        step, now = trainer.state.step, self.clock()
        if self._first < 0:
            self._open(trainer, step, now)
        if step in self._due:
            self._draw(trainer, step)
        if step == trainer.steps or now - self._told >= EVERY_SECONDS:
            self._told = now
            done = step - self._first
            left = (now - self._began) / done * (trainer.steps - step) if done else -1.0
            write_progress(self.run, Progress("training", step, trainer.steps, left))

    def _open(self, trainer: Trainer, step: int, now: float) -> None:
        """Begin: frames of steps that a killed run did not save are dropped, as its metrics are."""
        self._first, self._began = step, now
        write_progress(self.run, Progress("training", step, trainer.steps))
        if not trainer.network.auxiliary.num_images:
            return
        for frame in read_frames(self.run):
            if frame.step > step:
                frame.path.unlink(missing_ok=True)
        self._due = frozenset(frame_steps(trainer.steps)) - {frame.step for frame in read_frames(self.run)}
        self._pair = self._choose(trainer.source.val or trainer.source.train, trainer)

    def _choose(self, samples: tuple[Sample, ...], trainer: Trainer) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Take the first pair of the samples, and keep its two images beside the frames."""
        pair, model = pair_samples(samples)[0], trainer.config.model
        visible, infrared = decode_samples([pair.visible, pair.infrared], model.height, model.image_width)
        folder = self.run / FRAMES
        folder.mkdir(exist_ok=True)
        for name, pixels in (("visible", visible), ("infrared", infrared)):
            write_png(folder / f"{name}.png", pixels)
        return visible, infrared

    def _draw(self, trainer: Trainer, step: int) -> None:
        """Generate the pair's image by the generator as it is, in evaluation mode, and put everything back."""
        assert self._pair is not None  # frames are due only where there is a pair
        auxiliary, device = trainer.network.auxiliary, trainer.device
        pixels = torch.from_numpy(np.stack(self._pair)).to(device).permute(0, 3, 1, 2).float().div(255.0)
        modes = [(module, module.training) for module in auxiliary.modules()]
        auxiliary.eval()
        try:
            with torch.inference_mode():
                images = trainer.network.generate(pixels[:1], pixels[1:])
        finally:
            for module, training in modes:
                module.training = training
        values = torch.cat(images, dim=3)[0].float().permute(1, 2, 0).cpu().numpy()
        clipped = float(((values < 0) | (values > 1)).mean())
        shown = (np.nan_to_num(values).clip(0, 1) * 255).round().astype(np.uint8)
        write_png(self.run / FRAMES / f"step-{step:07d}-{round(1e4 * clipped):05d}.png", shown)


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write RGB, uint8, `(H, W, 3)`, as a PNG that appears whole."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    partial = path.with_suffix(".part")
    partial.write_bytes(file.getvalue())
    partial.replace(path)


def read_frames(run: Path) -> list[Frame]:
    """List a run's frames by step."""
    frames = []
    for path in (run / FRAMES).glob("step-*.png"):
        _, step, clipped = path.stem.split("-")
        frames.append(Frame(int(step), int(clipped) / 1e4, path))
    return sorted(frames, key=lambda frame: frame.step)


def read_pair(run: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Read the two images of the fixed pair, RGB, uint8, `(H, W, 3)`; `None` where there is none."""
    try:
        return read_image(run / FRAMES / "visible.png"), read_image(run / FRAMES / "infrared.png")
    except (OSError, ValueError):
        return None
