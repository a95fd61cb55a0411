"""One experiment on one machine: its data, its runs, and where each result is kept."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mun.config import Config
from mun.data.source import Source
from mun.data.sources import read_source
from mun.experiments.runs import PlannedRun, config_of
from mun.experiments.tables import EXPERIMENTS, Experiment, Row, Setting
from mun.progress import run_through
from mun.structures import Split
from mun.synvi import Plan, level_of, write
from mun.training.run import FORMAT, RunSettings

__all__ = ["Study", "render_setting"]


def render_setting(setting: Setting, source: Path, target: Path) -> None:
    """Render the data of a setting, unless they are there.

    Args:
        setting: Which knobs and counts differ.
        source: A SynVI folder with the people.
        target: Where to render; a complete folder of the same plan is left as it is.

    Raises:
        ValueError: The source is no SynVI, or there is something else at the target.
    """
    original = Plan.from_manifest(read_source("synvi", source).manifest)
    knobs = dataclasses.asdict(original.level.knobs) | dict(setting.knobs)
    level = level_of("standard", knobs) if setting.knobs else original.level
    held = original.images_of(Split.VAL) if setting.counts else original.held_images
    counts: dict[str, Any] = {"held_images": held, **setting.counts}
    plan = dataclasses.replace(original, level=level, **counts)
    if target.exists():
        if Plan.from_manifest(read_source("synvi", target).manifest) != plan:
            raise ValueError(f"expected the data of setting {setting.name} at {target}, found something else there")
        return
    run_through(write(plan, target, os.cpu_count() or 1), None, setting.name, "image")


@dataclass(frozen=True)
class Study:
    """One experiment on one machine.

    Attributes:
        name: A name of `EXPERIMENTS`.
        chosen_rows: Names of the rows to run; all where `None`.
        chosen_settings: Names of the settings to run; all where `None`.
        base: The config that experiment, row and variant change.
        seeds: Number of seeds of each row, from 0.
        data: SynVI with training and validation identities.
        test: SynVI with test identities; those of `data` where `None`.
        out: Folder of runs, ledger and tables.

    Raises:
        ValueError: A row or a setting is unknown, the number of seeds is out of range, or a row has no valid config.
    """

    name: str
    chosen_rows: tuple[str, ...] | None
    chosen_settings: tuple[str, ...] | None
    base: Config
    seeds: int
    data: Path
    test: Path | None
    out: Path

    def __post_init__(self) -> None:
        """Check the number of seeds and the config of every variant."""
        if not 1 <= self.seeds <= 100:
            raise ValueError(f"expected 1 to 100 seeds, got {self.seeds}")
        for row in self.rows:
            for variant in row.variants:
                for setting in self.settings:
                    config_of(self.experiment, row, variant, self.base, setting)

    @property
    def experiment(self) -> Experiment:
        """The experiment of this name."""
        return EXPERIMENTS[self.name]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows to run, in the order of the table."""
        rows = self.experiment.rows
        if self.chosen_rows is None:
            return rows
        chosen = {self.experiment.row(name).name for name in self.chosen_rows}
        return tuple(row for row in rows if row.name in chosen)

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The settings to run, in their order."""
        settings = self.experiment.settings
        if self.chosen_settings is None:
            return settings
        known = [setting.name for setting in settings]
        if unknown := [name for name in self.chosen_settings if name not in known]:
            raise ValueError(f"expected settings among {', '.join(known)}; got {unknown[0]!r}")
        return tuple(setting for setting in settings if setting.name in self.chosen_settings)

    @cached_property
    def sources(self) -> tuple[Source, Source]:
        """The given data for training and for test.

        Raises:
            FileNotFoundError: They are not there.
            ValueError: They lack validation or test identities.
        """
        sources = read_source("synvi", self.data), read_source("synvi", self.test or self.data)
        sources[0].require(Split.VAL)
        if self.experiment.reads_test:
            sources[1].require(Split.TEST)
        return sources

    def train_folder(self, setting: Setting) -> Path:
        """Return the folder with the training data of a setting."""
        return self.out / "data" / setting.name if setting.knobs or setting.counts else self.data

    def test_folder(self, setting: Setting) -> Path:
        """Return the folder with the test data of a setting."""
        if self.test is None:
            return self.train_folder(setting)
        return self.out / "test-data" / setting.name if setting.knobs else self.test

    def render(self) -> None:
        """Render the data of every setting with other knobs or counts, unless they are there.

        Raises:
            ValueError: The given data are no SynVI, or there is something else where they should be.
        """
        for setting in self.settings:
            if setting.knobs or setting.counts:
                render_setting(setting, self.data, self.train_folder(setting))
            if setting.knobs and self.test is not None:
                render_setting(replace(setting, counts={}), self.test, self.test_folder(setting))

    def runs(self, chosen: Mapping[str, str], seeds: int) -> list[PlannedRun]:
        """List the runs, setting by setting and seed by seed.

        Args:
            chosen: Name of the variant by row; for a row that is not named, every variant.
            seeds: From 0.
        """
        runs = []
        for setting in self.settings:
            data = str(self.train_folder(setting).resolve())
            for seed in range(seeds):
                for row in self.rows:
                    for variant in row.variants:
                        if variant.name != chosen.get(row.name, variant.name):
                            continue
                        config = config_of(self.experiment, row, variant, self.base, setting)
                        words = [row.name, variant.name, f"s{seed}"]
                        words += [setting.name] if len(self.experiment.settings) > 1 else []
                        started = RunSettings(FORMAT, config, "synvi", data, seed)
                        folder = self.out / "runs" / "-".join(words)
                        runs.append(PlannedRun(folder, setting, row, variant, seed, started))
        return runs

    def test_file(self, run: PlannedRun) -> Path:
        """Return the file that keeps the test of a run, or its validation where no test is read."""
        return self.out / ("tests" if self.experiment.reads_test else "validations") / f"{run.folder.name}.npz"

    def tests(self, table: Iterable[PlannedRun], setting: Setting) -> dict[str, list[Path]]:
        """Return the files that keep the tests of one setting by the row's name, one per seed."""
        files: dict[str, list[Path]] = {}
        for run in table:
            if run.setting == setting:
                files.setdefault(run.row.name, []).append(self.test_file(run))
        return files
