"""Start, stop, resume, delete and take home training runs; how they are is in `train_status`."""

from __future__ import annotations

import io
import zipfile
from dataclasses import asdict, dataclass
from typing import Any

from app.actions.checks import text
from app.actions.training.request import Request
from app.actions.training.status import Status, status
from app.library import Library
from mun.checkpoint import CARD, WEIGHTS
from mun.snapshots import SNAPSHOTS

__all__ = ["Started", "archive", "delete", "resume", "start", "stop"]


@dataclass(frozen=True)
class Started:
    """A run that waits now.

    Attributes:
        run: Its name.
        token: Its owner's; told this one time, and needed to stop, resume, delete or download the run.
        state: `queued`.
        place: In the queue, 1 for the next.
    """

    run: str
    token: str
    state: str
    place: int

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/train_start` answers."""
        return asdict(self)


def start(library: Library, request: Request) -> Started:
    """Put a run into the queue.

    Raises:
        ValueError: The request is not valid, more is asked than is allowed here, or too many runs wait.
    """
    jobs = library.jobs
    if jobs.limits.off:
        raise ValueError(jobs.limits.refusal("training is switched off here"))
    recipe = request.checked(library, jobs.limits).recipe(library, jobs.limits)
    run, token = jobs.start(recipe)
    return Started(run, token, "queued", jobs.place(run))


def stop(library: Library, run: object, token: object) -> Status:
    """Stop a run after the step in hand, or take it out of the queue.

    Raises:
        ValueError: There is no such run, or the token is not its owner's.
    """
    library.jobs.stop(text("run", run), text("token", token))
    return status(library, run)


def resume(library: Library, run: object, token: object) -> Status:
    """Let a run go on that did not finish.

    Raises:
        ValueError: As `stop`, or it cannot go on.
    """
    library.jobs.resume(text("run", run), text("token", token))
    return status(library, run)


def delete(library: Library, run: object, token: object) -> None:
    """Delete a run that is over, its model too.

    Raises:
        ValueError: As `stop`, or the run is not over.
    """
    library.jobs.delete(text("run", run), text("token", token))


def archive(library: Library, run: object, token: object) -> tuple[str, bytes]:
    """Pack a finished run's model: weights, card, and how its generator formed where that was kept.

    Returns:
        The name of a ZIP file, and its bytes; the same model gives the same bytes.

    Raises:
        ValueError: As `stop`, or the run is not finished.
    """
    record = library.jobs.owned(text("run", run), text("token", token))
    if record.state != "finished":
        raise ValueError(f"expected a finished run to download, this one is {record.state}")
    folder, file = library.jobs.root / record.run, io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name in (WEIGHTS, CARD, SNAPSHOTS):
            if (folder / name).is_file():
                packed.writestr(zipfile.ZipInfo(f"{record.run}/{name}"), (folder / name).read_bytes())
    return f"{record.run}.zip", file.getvalue()
