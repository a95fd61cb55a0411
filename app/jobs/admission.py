"""Whether one more run is let in, and which old ones make room for it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from app.jobs.folder import folder_bytes
from app.jobs.limits import Limits
from app.jobs.record import Record

__all__ = ["check_queue", "runs_to_remove"]

FREE_BYTES = 200_000_000  # that a run needs at least on the disk


def check_queue(records: Sequence[Record], limits: Limits) -> None:
    """Refuse a run while too many wait.

    Raises:
        ValueError: As many wait as may.
    """
    waiting = sum(record.state == "queued" for record in records)
    if waiting >= limits.waiting:
        raise ValueError(limits.refusal(f"{waiting} runs wait already: please come back in a few minutes"))


def runs_to_remove(records: Sequence[Record], limits: Limits, root: Path) -> list[str]:
    """Choose the runs that make room for one more: the oldest of those that are over.

    Args:
        records: All runs, the oldest first.
        limits: What is allowed.
        root: The folder of runs.

    Raises:
        ValueError: Too many wait, none that is over can make room, or the disk is nearly full.
    """
    check_queue(records, limits)
    over, kept, leaving = [record.run for record in records if record.over], len(records), []
    total = folder_bytes(root)
    while over and (kept >= limits.runs or total > limits.num_bytes):
        leaving.append(over.pop(0))
        kept, total = kept - 1, total - folder_bytes(root / leaving[-1])
    if kept >= limits.runs:
        raise ValueError(limits.refusal(f"at most {limits.runs} runs are kept, and none of them is over"))
    if shutil.disk_usage(root).free < FREE_BYTES:
        raise ValueError("the disk is nearly full: the run was not started; delete runs that are not needed")
    return leaving
