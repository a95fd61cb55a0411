"""Write SynVI to disk in the layout of SYSU-MM01, the same bytes whatever the number of workers."""

from __future__ import annotations

import io
import signal
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

from mun.data.synthetic.camera import CAMERAS
from mun.data.synthetic.levels import LEVELS, Level
from mun.data.synthetic.people import draw_identity
from mun.data.synthetic.render import render_image
from mun.data.synthetic.scene import Key, draw_scene
from mun.files import whole_folder, write_json, write_text
from mun.structures import Split

__all__ = ["Plan", "write"]

MOST_IDS = 9999  # folder names have four digits
MOST_IMAGES = 9999


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write.

    Raises:
        ValueError: A count or the size is out of bounds, or there would be no identity or too many.
    """

    level: Level = field(default_factory=lambda: LEVELS["standard"])
    train_ids: int = 100
    val_ids: int = 20
    test_ids: int = 20
    images: int = 4  # per identity and camera
    size: tuple[int, int] = (128, 64)  # rows and columns
    seed: int = 0

    def __post_init__(self) -> None:
        for split, count in self.counts.items():
            if count < 0:
                raise ValueError(f"expected at least 0 {split} identities, got {count}")
        total = sum(self.counts.values())
        if not 1 <= total <= MOST_IDS:
            raise ValueError(f"expected 1 to {MOST_IDS} identities in all splits together, got {total}")
        if not 1 <= self.images <= MOST_IMAGES:
            raise ValueError(f"expected 1 to {MOST_IMAGES} images per identity and camera, got {self.images}")
        if not all(32 <= length <= 512 for length in self.size):
            raise ValueError(f"expected a height and a width from 32 to 512, got {self.size[0]}x{self.size[1]}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"expected a seed from 0 to 2**63 - 1, got {self.seed}")

    @property
    def counts(self) -> dict[Split, int]:
        """The number of identities of each split, in the order of their folders."""
        return {Split.TRAIN: self.train_ids, Split.VAL: self.val_ids, Split.TEST: self.test_ids}

    @property
    def command(self) -> str:
        """The command line that writes this plan to OUT."""
        counts = f"--train-ids {self.train_ids} --val-ids {self.val_ids} --test-ids {self.test_ids}"
        size = f"{self.size[0]}x{self.size[1]}"
        rest = f"--images {self.images} --size {size} --seed {self.seed}"
        return f"python -m mun synth OUT --level {self.level.name} {counts} {rest}"

    def pids(self) -> dict[Split, list[int]]:
        """The identity numbers of each split: from 1, train before val before test."""
        out, first = {}, 1
        for split, count in self.counts.items():
            out[split] = list(range(first, first + count))
            first += count
        return out


@dataclass(frozen=True, slots=True)
class Task:
    """One person to render for all cameras."""

    plan: Plan
    root: Path
    split: Split
    number: int  # in the split, from 0
    pid: int


def write(plan: Plan, out: Path, workers: int) -> Generator[int, None, None]:
    """Write a data set whole or not at all, while the caller runs through the iterator.

    Args:
        plan: What to write.
        out: A folder that does not exist, or an empty one.
        workers: Processes, at least 1; they do not change a byte.

    Yields:
        The number of images just written, person by person.

    Raises:
        ValueError: `workers` is below 1, or there is something at `out`.
        OSError: The disk is full, or a worker died.
    """
    if workers < 1:
        raise ValueError(f"expected at least 1 worker, got {workers}")
    with whole_folder(out) as root:
        pids = plan.pids()
        tasks = [Task(plan, root, split, number, pid) for split in pids for number, pid in enumerate(pids[split])]
        _write_lists(plan, root)
        yield from _in_turn(tasks) if workers == 1 else _at_once(tasks, min(workers, len(tasks)))


def _write_lists(plan: Plan, root: Path) -> None:
    """Write the lists of identities and the manifest."""
    pids = plan.pids()
    for split, numbers in pids.items():
        write_text(root / "exp" / f"{split}_id.txt", _line(numbers))
    write_text(root / "exp" / "available_id.txt", _line([pid for numbers in pids.values() for pid in numbers]))
    manifest = {
        "data": "synvi",
        "format": 1,
        "level": plan.level.name,
        "level_version": plan.level.version,
        "level_hash": plan.level.hash,
        "knobs": asdict(plan.level.knobs),
        "seed": plan.seed,
        "train_ids": plan.train_ids,
        "val_ids": plan.val_ids,
        "test_ids": plan.test_ids,
        "images_per_camera": plan.images,
        "size": list(plan.size),
        "command": plan.command,
    }
    write_json(root / "manifest.json", manifest)


def _line(pids: list[int]) -> str:
    return ",".join(str(pid) for pid in pids) + "\n" if pids else ""


def _in_turn(tasks: list[Task]) -> Iterator[int]:
    for task in tasks:
        yield _write_person(task)


def _at_once(tasks: list[Task], workers: int) -> Iterator[int]:
    """Spread tasks over processes, two waiting for each, so that an interruption has little to wait for."""
    waiting = iter(tasks)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_leave_interrupts_to_parent)
    try:
        running: set[Future[int]] = {pool.submit(_write_person, task) for task in islice(waiting, 2 * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(_write_person, task) for task in islice(waiting, len(done))}
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise OSError("a worker process died; is there enough memory? try fewer with --workers") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_person(task: Task) -> int:
    """Render and write all images of one person; returns their number."""
    plan = task.plan
    identity = draw_identity(plan.seed, task.split, task.number, plan.level.knobs)
    for camera in CAMERAS.values():
        folder = task.root / f"cam{camera.camid}" / f"{task.pid:04d}"
        folder.mkdir(parents=True)
        for index in range(plan.images):
            key = Key(plan.seed, task.split, task.number, camera.camid, index)
            pixels = render_image(identity, camera, draw_scene(key, plan.level.knobs), plan.size, plan.level.knobs)
            (folder / f"{index + 1:04d}.jpg").write_bytes(_jpeg(Image.fromarray(pixels), camera.quality))
    return plan.images * len(CAMERAS)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, subsampling=2, optimize=False)
    return stream.getvalue()
