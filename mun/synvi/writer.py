"""Write SynVI to disk in the layout of SYSU-MM01; the number of workers does not change a byte."""

import io
import signal
from collections import deque
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mun.files import whole_folder, write_json, write_text
from mun.structures import Split
from mun.synvi.camera import CAMERAS
from mun.synvi.plan import Plan
from mun.synvi.truth import TruthFile, truth_of

__all__ = ["jpeg", "write"]


@dataclass(frozen=True, slots=True)
class Task:
    """One person to render for all cameras."""

    plan: Plan
    root: Path
    split: Split
    number: int  # in the split, from 0
    pid: int

    @property
    def leaf(self) -> Path:
        """The file into which a worker writes the truth of this person."""
        return self.root / "truth" / f"{self.pid:04d}.zip"


def write(plan: Plan, out: Path, workers: int) -> Generator[int, None, None]:
    """Write a data set completely or not at all, while the caller runs through the iterator.

    Args:
        plan: What to write.
        out: A folder that does not exist, or an empty one.
        workers: Number of processes, at least 1; it does not change a byte.

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
        in_turn = (_write_person(task) for task in tasks)
        with closing(in_turn if workers == 1 else _at_once(tasks, min(workers, len(tasks)))) as done:
            for split, group in groupby(zip(tasks, done, strict=True), key=lambda pair: pair[0].split):
                with TruthFile(root / "truth" / f"{split}.zip") if plan.truth else nullcontext() as truth:
                    for task, count in group:
                        if truth is not None:  # join the files of all people into one per split
                            truth.take(task.leaf)
                        yield count


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
        **({"held_images_per_camera": plan.held_images} if plan.held_images else {}),
        **({"cameras": list(plan.cameras)} if plan.cameras != tuple(CAMERAS) else {}),
        "size": list(plan.size),
        "truth": plan.truth,
        "command": plan.command,
    }
    write_json(root / "manifest.json", manifest)


def _line(pids: list[int]) -> str:
    return ",".join(str(pid) for pid in pids) + "\n" if pids else ""


def _at_once(tasks: list[Task], workers: int) -> Generator[int, None, None]:
    """Spread tasks over processes, with two waiting per process, so that an interruption takes effect soon."""
    waiting = iter(tasks)
    ignored = (signal.SIGINT, signal.SIG_IGN)  # only the parent handles interrupts
    pool = ProcessPoolExecutor(workers, get_context("spawn"), signal.signal, ignored)
    try:
        running = deque(pool.submit(_write_person, task) for task in islice(waiting, 3 * workers))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(_write_person, task) for task in islice(waiting, 1))
    except BrokenProcessPool:
        raise OSError("a worker process died; is there enough memory? try fewer with --workers") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _write_person(task: Task) -> int:
    """Render and write all images of one person, and the truth if the plan has it; return the number of images."""
    plan = task.plan
    with TruthFile(task.leaf) if plan.truth else nullcontext() as leaf:
        for recipe in plan.recipes(task.split, task.number):
            image = f"cam{recipe.camera.camid}/{task.pid:04d}/{recipe.scene.noise_key.index + 1:04d}.jpg"
            path = task.root / image
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(recipe.image(), recipe.camera.quality))
            if leaf is not None:
                leaf.add(image, truth_of(recipe))
    return plan.images_of(task.split) * len(plan.cameras)


def jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """Compress RGB, uint8, `(H, W, 3)`, as the cameras do."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling=2, optimize=False)
    return stream.getvalue()
