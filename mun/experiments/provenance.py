"""Provenance of a table: code, data, flags, versions of libraries."""

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mun.checkpoint import CARD
from mun.config import Config, from_json, to_json
from mun.data.sources import read_source
from mun.experiments.results import TRIALS
from mun.experiments.runs import PlannedRun
from mun.experiments.study import Study
from mun.experiments.tables import Setting
from mun.files import read_json, write_json
from mun.training.card import changed_values, describe_data

__all__ = ["claim_folder", "commit_of_code", "describe_table", "versions_of"]


def commit_of_code() -> str:
    """Return the commit of the code that runs, with `+` where files differ from it; `unknown` outside a git checkout.

    Code that was copied to another machine without its history is named by `$MUN_COMMIT`.
    """
    if named := os.environ.get("MUN_COMMIT"):
        return named
    root = Path(__file__).parents[2]
    try:
        words = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def versions_of(runs: Sequence[PlannedRun]) -> list[dict[str, str]]:
    """List the different versions of finished runs, with device and precision if their cards have them."""
    found: list[dict[str, str]] = []
    for made in (read_json(planned.folder / CARD)["versions"] for planned in runs):
        if made not in found:
            found.append(made)
    return found


def claim_folder(study: Study) -> None:
    """Record table, flags and data of a study in its folder, or check them against the record there.

    Raises:
        ValueError: The folder belongs to another experiment.
    """
    path = study.out / "experiment.json"
    train, test = (untitled(describe_data(source)) for source in study.sources)
    record = {"experiment": study.name, "config": to_json(study.base), "train": train, "test": test}
    if not path.is_file():
        write_json(path, record)
        return
    there, parts = read_json(path), ("table", "flags", "data for training", "data for test")
    with contextlib.suppress(KeyError, ValueError):  # fields that came later have their defaults
        there["config"] = to_json(from_json(Config, there["config"], "config"))
        there |= {key: untitled(there[key]) for key in ("train", "test")}
    if others := [part for key, part in zip(record, parts, strict=True) if there.get(key) != record[key]]:
        raise ValueError(
            f"expected {study.out} to be of this table, flags and data, it has other {' and '.join(others)}"
        )


def untitled(data: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out a data set's title, a label that older records lack."""
    return {key: value for key, value in data.items() if key != "title"}


def describe_table(study: Study, setting: Setting, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a table and the commands that reproduce it, without folders of this machine."""
    experiment = study.experiment
    folders = (study.train_folder(setting), study.test_folder(setting))
    train, test = (describe_data(read_source("synvi", folder)) for folder in folders)
    rows = [] if study.chosen_rows is None else [f"--rows {','.join(study.chosen_rows)}"]
    rows += [] if study.chosen_settings is None else [f"--settings {','.join(study.chosen_settings)}"]
    flags = [f"--{flag} {value}" for flag, value in changed_values(study.base)]
    given = study.sources[: 1 if study.test is None else 2]
    synth = [describe_data(source).get("command", "") for source in given]
    made = [line.replace("OUT", name) for line, name in zip(synth, ("DATA", "TEST"), strict=False) if line]
    test_flag = "--test TEST " if experiment.reads_test else ""
    command = f"python -m mun experiment {study.name} --data DATA {test_flag}--out OUT --seeds {study.seeds}"
    return {
        "title": experiment.title,
        "reference": experiment.row(experiment.reference).label,
        "setting": setting.name,
        "knobs": dict(setting.knobs),
        "protocol": f"{experiment.protocol.name}, single-shot, {TRIALS} galleries",
        "train": train,
        "test": test,
        "config": to_json(study.base),
        "rows": {row.name: row.label for row in experiment.rows},
        "choice": {row.name: choice[row.name] for row in study.rows if row.name in choice},
        "commands": [*made, " ".join([command, *rows, *flags])],
    }
