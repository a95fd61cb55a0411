"""Files in the folder of a run: its record, its progress, and frames of the auxiliary image of one fixed pair.

The record is `job.json`; the process that works on the run writes it, at other times the queue does.
"""

import hashlib
import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mun.config import Config, from_json, to_json
from mun.data.source import Reading
from mun.files import read_json, write_json
from mun.synvi import LEVELS, Plan

__all__ = ["FORMAT", "FRAMES", "RENDER", "Data", "Frame", "Phase", "Recipe", "Record", "duration"]
__all__ += ["folder_bytes", "read_frames", "read_progress", "read_record", "read_records"]
__all__ += ["token_hash", "write_progress", "write_record"]

FORMAT, NAME, PROGRESS, FRAMES = 1, "job.json", "progress.json", "frames"
RENDER = "render"  # name of data that are rendered for the run
ACTIVE = ("preparing", "timing", "training")
STATES = ("queued", *ACTIVE, "stopped", "interrupted", "failed", "finished")


@dataclass(frozen=True)
class Data:
    """The data of a run.

    Attributes:
        name: `render` for SynVI made for the run, else the name of a data set that the app was started with.
        level: Level of SynVI, for rendered data only; so are the next four.
        train_ids: Identities to train on.
        val_ids: Identities to validate on.
        images: Images per identity and camera.
        seed: Seed of the people.
        root: Folder of a given data set; never shown.
        layout: How a given data set is stored.
        reading: How it is read.
    """

    name: str = RENDER
    level: str = "standard"
    train_ids: int = 40
    val_ids: int = 12
    images: int = 2
    seed: int = 1
    root: str = ""
    layout: str = field(default="", metadata={"later": True})
    reading: Reading = field(default=Reading(), metadata={"later": True})

    @property
    def rendered(self) -> bool:
        """Whether the data are rendered for the run."""
        return self.name == RENDER

    def plan(self, size: tuple[int, int]) -> Plan:
        """Return the plan of the rendered data, at a height and a width.

        Raises:
            ValueError: A number is out of bounds.
        """
        return Plan(LEVELS[self.level], self.train_ids, self.val_ids, 0, self.images, size, self.seed)


@dataclass(frozen=True)
class Recipe:
    """The request for a run.

    Attributes:
        data: Data to train on.
        config: All settings; its number of epochs counts only where there is no time budget.
        minutes: Time budget from the start of the run, everything included; 0 for none.
        seed: Seed of the run.
        device: `auto`, `cpu` or `cuda`.
        most_minutes: Minutes that the host lets a run train.
    """

    data: Data = field(default_factory=Data)
    config: Config = field(default_factory=Config)
    minutes: float = 0.0
    seed: int = 0
    device: str = "auto"
    most_minutes: float = 1440.0


@dataclass(frozen=True)
class Record:
    """The record of a run.

    Attributes:
        format: Version of this layout.
        run: Its name, also the name of its folder and its checkpoint.
        state: One of `STATES`.
        recipe: The request.
        owner: Hash of the owner's token.
        created: Seconds since 1970, like all times here.
        queued: When it began to wait; the run that has waited longest is next.
        started: When a process last began to work on it; 0 for never.
        ended: When it ended last; 0 for never.
        trained: Seconds of training in all finished chunks.
        pid: Number of the process; 0 for none.
        error: Why it ended, in a sentence; empty where there is nothing to say.
        suggestion: What may help, in a sentence.
        resumable: Whether resuming it makes sense.
        timing: Seconds of a step and of a validation, and the resulting steps and epochs; empty before the timing.
    """

    format: int
    run: str
    state: str
    recipe: Recipe
    owner: str
    created: float
    queued: float
    started: float = 0.0
    ended: float = 0.0
    trained: float = 0.0
    pid: int = 0
    error: str = ""
    suggestion: str = ""
    resumable: bool = True
    timing: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether a process works on it."""
        return self.state in ACTIVE

    @property
    def over(self) -> bool:
        """Whether it has ended: it neither waits nor is worked on."""
        return self.state not in (*ACTIVE, "queued")


def token_hash(token: str) -> str:
    """Hash a token; only its owner keeps the token itself."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def write_record(folder: Path, record: Record) -> None:
    """Write a run's record, completely or not at all.

    Raises:
        OSError: The disk is full.
    """
    write_json(folder / NAME, to_json(record))


def read_record(folder: Path) -> Record:
    """Read a run's record.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is broken or of another version.
    """
    record = from_json(Record, read_json(folder / NAME), "job")
    if record.format != FORMAT or record.state not in STATES or record.run != folder.name:
        raise ValueError(f"expected a job of format {FORMAT} that names its folder, got another one")
    return record


def read_records(root: Path) -> list[Record]:
    """Read the runs of a folder, the oldest first; other entries and broken runs are skipped."""
    records = []
    for path in root.iterdir():
        if path.name.endswith(".trash"):
            shutil.rmtree(path, ignore_errors=True)
        with suppress(ValueError, OSError):
            records.append(read_record(path))
    return sorted(records, key=lambda record: record.created)


def duration(seconds: float) -> str:
    """Write a duration: `40 s`, `12 min`, `3 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def folder_bytes(folder: Path) -> int:
    """Sum the sizes of the files in a folder, bytes; files that vanish meanwhile count as 0."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size if path.is_file() else 0
    return total


@dataclass(frozen=True)
class Phase:
    """The progress of the current phase.

    Attributes:
        phase: `preparing`, `timing` or `training`, as the record's state.
        done: Images rendered, steps timed or steps trained.
        total: Number of these in the whole phase.
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


def write_progress(run: Path, progress: Phase) -> None:
    """Write the progress of a run; the file is not synced, because it matters only while the run goes on."""
    partial = run / f".{PROGRESS}.part"
    partial.write_text(json.dumps(asdict(progress)), encoding="utf-8")
    partial.replace(run / PROGRESS)


def read_progress(run: Path) -> Phase:
    """Read the progress of a run; an empty `Phase` where the file is missing or broken."""
    try:
        return Phase(**json.loads((run / PROGRESS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Phase()


def read_frames(run: Path) -> list[Frame]:
    """List a run's frames by step."""
    frames = []
    for path in (run / FRAMES).glob("step-*.png"):
        _, step, clipped = path.stem.split("-")
        frames.append(Frame(int(step), int(clipped) / 1e4, path))
    return sorted(frames, key=lambda frame: frame.step)
