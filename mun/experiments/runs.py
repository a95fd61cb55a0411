"""The runs of an experiment: their configs and folders, and training them side by side."""

import dataclasses
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mun.checkpoint import CARD
from mun.config import Config, leaves, to_json, with_values
from mun.experiments.tables import PLAIN, Experiment, Row, Setting, Variant
from mun.files import write_json
from mun.training.run import MetricsFile, RunSettings, read_settings
from mun.training.trainer import start_run

__all__ = ["PlannedRun", "config_of", "finished", "keep_records", "make_runs", "validation_trials"]

POLL_SECONDS = 0.5
RECORDS = (CARD, "config.json", "metrics.jsonl")


@dataclass(frozen=True)
class PlannedRun:
    """One training run of an experiment.

    Attributes:
        folder: Folder of the run.
        setting: The data it is trained on.
        row: The line of the table.
        variant: The variant of the row.
        seed: Seed of the run.
        settings: Settings that the run is started with.
    """

    folder: Path
    setting: Setting
    row: Row
    variant: Variant
    seed: int
    settings: RunSettings


def config_of(experiment: Experiment, row: Row, variant: Variant, base: Config, setting: Setting = PLAIN) -> Config:
    """Apply the changes of experiment, row and variant to the config of the command line; later changes win.

    The factors of the variant and of the setting are both applied.

    Raises:
        ValueError: A field is unknown, a factor gives no whole number, or the values together are not a valid
            config.
    """
    known = {item.name: value for item, value in leaves(base)}
    wanted: dict[str, Any] = {**experiment.changes, **row.changes, **variant.changes}
    factors = [*variant.factors.items(), *setting.factors.items()]
    if unknown := sorted({*wanted, *dict(factors)} - known.keys()):
        raise ValueError(f"expected fields of the config, got {', '.join(unknown)}")
    for name in dict(factors):
        factor = math.prod(one for other, one in factors if other == name)
        wanted[name] = multiplied(name, wanted.get(name, known[name]), factor)
    return with_values(base, wanted)


def multiplied(name: str, value: int, factor: float) -> int:
    """Multiply a whole-numbered field.

    Raises:
        ValueError: The product is no whole number; rounded, it would give one variant more steps than the others.
    """
    product = float(value * factor)
    if not product.is_integer():
        flag = name.replace("_", "-")
        raise ValueError(
            f"expected --{flag} to stay a whole number times {factor:g}, as a variant or a setting asks, got {value}"
        )
    return int(product)


def finished(run: PlannedRun) -> bool:
    """Return whether a run has its checkpoint.

    Raises:
        ValueError: The folder holds a run with other settings.
    """
    if not run.folder.exists():
        return False
    there = read_settings(run.folder)
    if dataclasses.replace(there, data="") != dataclasses.replace(run.settings, data=""):
        raise ValueError(
            f"expected {run.folder} to be the run of this experiment, its config.json has other settings;"
            " choose another --out, or the same flags as before"
        )
    return (run.folder / CARD).is_file()


def keep_records(folder: Path) -> None:
    """Remove everything from a finished run except settings, card and metrics (a few kilobytes), which tables need.

    The run stays finished, and names no folder of this machine, so that a table can be continued elsewhere.
    """
    if not (folder / CARD).is_file():
        return
    write_json(folder / "config.json", to_json(dataclasses.replace(read_settings(folder), data="")))
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in RECORDS:
            path.unlink()


def validation_trials(run: PlannedRun) -> list[dict[str, Any]]:
    """Return the validations in the metrics of a run: step and scores, fractions."""
    lines = (line for line in MetricsFile.lines(run.folder / "metrics.jsonl") if "validation" in line)
    return [{"step": line["step"], **line["validation"]} for line in lines]


def start(run: PlannedRun, device: str, threads: int) -> subprocess.Popen[bytes]:
    """Start or resume a run in a separate process; its messages go to `log.txt` in its folder."""
    if not run.folder.exists():
        start_run(run.folder, run.settings)
    words = [sys.executable, "-m", "mun", "train", "--resume", "--quiet", "--device", device, "--out", str(run.folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with (run.folder / "log.txt").open("ab") as log:
        return subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def make_runs(runs: Sequence[PlannedRun], device: str, jobs: int, report: Callable[[str], None]) -> None:
    """Make the runs that are not finished, several side by side; interrupted runs continue the next time.

    Args:
        runs: In the order of their start.
        device: `cpu`, `cuda` or `auto`.
        jobs: How many at once; they share the processor's cores.
        report: Called with one line at each start.

    Raises:
        ValueError: A run has failed; the others are stopped, and continue the next time.
    """
    waiting = [run for run in runs if not finished(run)]
    total, running = len(waiting), dict[str, tuple[PlannedRun, subprocess.Popen[bytes]]]()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                running[run.folder.name] = (run, start(run, device, threads))
                report(f"run {total - len(waiting)} of {total}: {run.folder.name}")
            time.sleep(POLL_SECONDS)
            for name, (run, process) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[name]
                if process.returncode:
                    raise ValueError(f"expected the run {name} to finish, it ended with: {last_line(run.folder)}")
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.wait()


def last_line(folder: Path) -> str:
    """Return the last line of a run's log."""
    lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no message"
