"""The data of an experiment's settings: the given ones, or the same people rendered again with other knobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from mun.data.sources import read_source
from mun.experiments.tables import Setting
from mun.synvi import Plan, level_of, write

__all__ = ["rendered"]


def rendered(setting: Setting, source: Path, target: Path, workers: int, step: Callable[[int], object]) -> Path:
    """Find or render the data of a setting.

    Args:
        setting: Which knobs differ.
        source: A SynVI folder with the people.
        target: Where to render; an existing complete folder of the same plan is used as it is.
        workers: Processes.
        step: Told how many images were written since the last call.

    Returns:
        `source` where no knob differs, else `target`.

    Raises:
        ValueError: The source is no SynVI, or there is something else at the target.
    """
    if not setting.knobs:
        return source
    manifest = read_source("synvi", source).manifest
    if manifest is None:
        raise ValueError(
            f"expected a SynVI folder with its manifest at {source}, so that its people can be drawn again"
        )
    original = Plan.from_manifest(manifest)
    knobs = dataclasses.asdict(original.level.knobs) | dict(setting.knobs)
    plan = dataclasses.replace(original, level=level_of("standard", knobs))
    if target.exists():
        there = read_source("synvi", target).manifest
        if there is None or Plan.from_manifest(there) != plan:
            raise ValueError(f"expected the data of setting {setting.name} at {target}, found something else there")
        return target
    steps = write(plan, target, workers)
    try:
        for count in steps:
            step(count)
    finally:
        steps.close()
    return target
