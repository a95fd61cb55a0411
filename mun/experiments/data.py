"""The data of an experiment's settings: the same people as in the given data, rendered with other knobs."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from mun.data.sources import read_source
from mun.experiments.tables import Setting
from mun.progress import Progress
from mun.structures import Split
from mun.synvi import Plan, level_of, write

__all__ = ["render_setting"]


def render_setting(setting: Setting, source: Path, target: Path) -> None:
    """Render the data of a setting, unless they are there.

    Args:
        setting: Which knobs and counts differ.
        source: A SynVI folder with the people.
        target: Where to render; a complete folder of the same plan is left as it is.

    Raises:
        ValueError: The source is no SynVI, or there is something else at the target.
    """
    manifest = read_source("synvi", source).manifest
    if manifest is None:
        raise ValueError(
            f"expected a SynVI folder with its manifest at {source}, so that its people can be drawn again"
        )
    original = Plan.from_manifest(manifest)
    knobs = dataclasses.asdict(original.level.knobs) | dict(setting.knobs)
    level = level_of("standard", knobs) if setting.knobs else original.level
    held = original.images_of(Split.VAL) if setting.counts else original.held_images
    counts: dict[str, Any] = {"held_images": held, **setting.counts}
    plan = dataclasses.replace(original, level=level, **counts)
    if target.exists():
        there = read_source("synvi", target).manifest
        if there is None or Plan.from_manifest(there) != plan:
            raise ValueError(f"expected the data of setting {setting.name} at {target}, found something else there")
        return
    steps = write(plan, target, os.cpu_count() or 1)
    with Progress(None, setting.name, "image") as progress:
        try:
            for count in steps:
                progress.update(count)
        finally:
            steps.close()
