"""Make every run of a named table, choose on validation, read test once, and write the table."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mun.checkpoint import CARD
from mun.commands.train import add_config_flags, choose_device, config_from
from mun.config import Config, from_json, to_json
from mun.data.sampler import training_labels
from mun.data.sources import Source, read_source
from mun.experiments.cost import Cost, measure
from mun.experiments.data import rendered
from mun.experiments.report import to_csv, to_latex, to_markdown
from mun.experiments.results import (
    TRIALS,
    choose_variants,
    commit_of_code,
    contrast,
    ledger,
    row_results,
    test_runs,
)
from mun.experiments.runs import PlannedRun, config_of, make_runs, plan
from mun.experiments.statistics import Paired
from mun.experiments.tables import EXPERIMENTS, Experiment, Row, Setting
from mun.files import read_json, write_json, write_text
from mun.structures import Split
from mun.training.card import changed_values, describe_data

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command, and one flag for every field of the config."""
    parser.add_argument("name", choices=list(EXPERIMENTS), help="the table")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="SynVI with train and val identities")
    parser.add_argument("--test", type=Path, metavar="DIR", help="SynVI with test identities (default: that of --data)")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder of runs, ledger and tables")
    parser.add_argument("--rows", metavar="A,B", help="rows to run; the others are shown as not run (default: all)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 0 to N-1 of each row (default: 5)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs side by side (default: 1)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    add_config_flags(parser, Config)


@dataclass(frozen=True)
class Bench:
    """One experiment on this machine.

    Attributes:
        experiment: What is compared.
        rows: Which rows are run.
        base: The config of the command line.
        out: Folder of runs, ledger and tables.
        seeds: Of the runs.
        train: Training data by the name of the setting.
        test: Test data by the name of the setting.
    """

    experiment: Experiment
    rows: tuple[Row, ...]
    base: Config
    out: Path
    seeds: tuple[int, ...]
    train: dict[str, Path]
    test: dict[str, Path]

    def plan(self, chosen: dict[str, str] | None = None) -> list[PlannedRun]:
        """List the runs of the search, or those of the table."""
        return plan(self.experiment, self.base, self.train, self.out, self.seeds, self.rows, chosen)

    def test_path(self, planned: PlannedRun) -> Path:
        """Say where the test of a run is kept."""
        return self.out / "tests" / f"{planned.folder.name}.npz"


def run(options: argparse.Namespace) -> None:
    """Search, freeze, run, test, write the tables; whatever is there already is used as it is.

    Raises:
        FileNotFoundError: The data are not there.
        ValueError: A flag, the data or what is in `--out` cannot be used, or a run has failed.
    """
    experiment = EXPERIMENTS[options.name]
    if not 1 <= options.seeds <= 100 or not 1 <= options.jobs <= 64:
        raise ValueError(f"expected 1 to 100 seeds and 1 to 64 jobs, got {options.seeds} and {options.jobs}")
    rows = experiment.rows
    if options.rows is not None:
        wanted = {experiment.row(name).name for name in options.rows.split(",")}
        rows = tuple(row for row in experiment.rows if row.name in wanted)
    device = choose_device(options.device)
    base = config_from(options)
    for row in rows:
        for variant in row.variants:
            config_of(experiment, row, variant, base)
    sources = read_source("synvi", options.data), read_source("synvi", options.test or options.data)
    sources[0].require(Split.VAL)
    sources[1].require(Split.TEST)
    remember(options.out, options.name, base, *sources)
    train = prepared(experiment.settings, options.data, options.out / "data")
    test = train if options.test is None else prepared(experiment.settings, options.test, options.out / "test-data")
    bench = Bench(experiment, rows, base, options.out, tuple(range(options.seeds)), train, test)

    search = bench.plan()
    make_runs(search, device.type, options.jobs, say)
    choice = freeze(bench, search)
    table = bench.plan({row.name: choice[row.name]["variant"] for row in rows})
    make_runs(table, device.type, options.jobs, say)
    every = {planned.folder: planned for planned in [*search, *table]}.values()
    write_text(bench.out / "ledger.jsonl", "".join(json.dumps(line) + "\n" for line in ledger(list(every))))
    unread = [planned for planned in table if not bench.test_path(planned).is_file()]
    places = [(bench.test[planned.setting.name], bench.test_path(planned)) for planned in unread]
    test_runs(unread, experiment.protocol, places, device, options.jobs, say)
    costs = priced(bench, choice, device.type)
    for setting in experiment.settings:
        tests = tests_of(bench, table, setting)
        tried = [planned for planned in search if planned.setting == setting]
        results = row_results(rows, experiment.reference, choice, tests, tried)
        stem = options.name if len(experiment.settings) == 1 else f"{options.name}-{setting.name}"
        for ending, write in (("md", to_markdown), ("csv", to_csv), ("tex", to_latex)):
            write_text(bench.out / f"{stem}.{ending}", write(experiment.rows, results, costs))
        asked = differences(experiment, tests)
        facts = about(bench, options, setting, choice)
        made_with = {"versions": versions_of(table), "cost_device": next(iter(costs.values())).device}
        write_json(bench.out / f"{stem}.json", {**facts, **made_with, "contrasts": asked})
        print(f"{experiment.title}; {setting.name}\n\n{to_markdown(experiment.rows, results, costs)}")
        print(*(f"{line}\n" for line in sentences(experiment, asked)), sep="")


def about(bench: Bench, options: argparse.Namespace, setting: Setting, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a table is and how it is made again, without folders of this machine."""
    train, test = (describe_data(read_source("synvi", folders[setting.name])) for folders in (bench.train, bench.test))
    flags = [f"--{flag} {value}" for flag, value in changed_values(bench.base)]
    words = [f"python -m mun experiment {options.name} --data DATA --test TEST --out OUT"]
    words += [f"--seeds {options.seeds}", *([f"--rows {options.rows}"] if options.rows else []), *flags]
    given = [options.data, *([] if options.test is None else [options.test])]
    made = [describe_data(read_source("synvi", folder)).get("command", "") for folder in given]
    return {
        "title": bench.experiment.title,
        "reference": bench.experiment.row(bench.experiment.reference).label,
        "setting": setting.name,
        "knobs": dict(setting.knobs),
        "protocol": f"{bench.experiment.protocol.name}, single-shot, {TRIALS} galleries",
        "train": train,
        "test": test,
        "config": to_json(bench.base),
        "rows": {row.name: row.label for row in bench.experiment.rows},
        "choice": {row.name: choice[row.name] for row in bench.rows},
        "commands": [
            *(line.replace("OUT", name) for line, name in zip(made, ("DATA", "TEST"), strict=False) if line),
            " ".join(words),
        ],
    }


def versions_of(runs: Sequence[PlannedRun]) -> list[dict[str, str]]:
    """List what finished runs were made with, each once: versions, and device and precision where those were noted."""
    found: list[dict[str, str]] = []
    for made in (read_json(planned.folder / CARD)["versions"] for planned in runs):
        if made not in found:
            found.append(made)
    return found


def say(line: str) -> None:
    """Tell how far the command is."""
    print(line, file=sys.stderr, flush=True)


def remember(out: Path, name: str, base: Config, train: Source, test: Source) -> None:
    """Write down what the folder is for, or check that it is for this: table, flags, and the data.

    Raises:
        ValueError: The folder belongs to something else.
    """
    path = out / "experiment.json"
    record = {"experiment": name, "config": to_json(base), "train": describe_data(train), "test": describe_data(test)}
    if path.is_file():
        there, words = read_json(path), ("table", "flags", "data for training", "data for test")
        with contextlib.suppress(KeyError, ValueError):  # fields that came later have their defaults
            there["config"] = to_json(from_json(Config, there["config"], "config"))
        if others := [word for part, word in zip(record, words, strict=True) if there.get(part) != record[part]]:
            raise ValueError(f"expected {out} to be of this table, flags and data, it has other {' and '.join(others)}")
        return
    write_json(path, record)


def prepared(settings: Sequence[Setting], source: Path, target: Path) -> dict[str, Path]:
    """Find or render the data of every setting."""
    folders = {}
    for setting in settings:
        silent = not setting.knobs
        with tqdm(unit="img", desc=setting.name, file=sys.stderr, leave=False, disable=silent) as bar:
            folders[setting.name] = rendered(setting, source, target / setting.name, os.cpu_count() or 1, bar.update)
    return folders


def freeze(bench: Bench, search: Sequence[PlannedRun]) -> dict[str, dict[str, Any]]:
    """Choose each row's variant once, before its test is read, and note the commit of the code.

    A row that was chosen before keeps its choice, so that test cannot lead back to the search.
    """
    path = bench.out / "choice.json"
    kept: dict[str, dict[str, Any]] = read_json(path) if path.is_file() else {}
    now = {"commit": commit_of_code(), "time": datetime.now(UTC).isoformat(timespec="seconds")}
    for name, made in choose_variants(search).items():
        kept.setdefault(name, {**made, **now})
    write_json(path, kept)
    return kept


def priced(bench: Bench, choice: dict[str, dict[str, Any]], device: str) -> dict[str, Cost]:
    """Measure the cost of every row, or read what was measured before."""
    path = bench.out / "costs.json"
    kept: dict[str, dict[str, Any]] = read_json(path) if path.is_file() else {}
    samples = read_source("synvi", next(iter(bench.train.values()))).require(Split.TRAIN)
    missing = {}
    for row in bench.rows:
        if row.name not in kept:
            variant = next(variant for variant in row.variants if variant.name == choice[row.name]["variant"])
            missing[row.name] = config_of(bench.experiment, row, variant, bench.base)
    for name, cost in measure(missing, len(training_labels(samples)), device, os.cpu_count() or 1):
        say(f"cost: {name}")
        kept[name] = cost.to_json()
        write_json(path, kept)
    return {row.name: Cost(**kept[row.name]) for row in bench.rows}


def tests_of(bench: Bench, table: Sequence[PlannedRun], setting: Setting) -> dict[str, list[Path]]:
    """Find the tests of one setting by the row's name, one per seed."""
    tests: dict[str, list[Path]] = {}
    for planned in table:
        if planned.setting == setting:
            tests.setdefault(planned.row.name, []).append(bench.test_path(planned))
    return tests


def differences(experiment: Experiment, tests: Mapping[str, Sequence[Path]]) -> list[dict[str, Any]]:
    """List the differences that the experiment asks for, fractions; those of rows that were not run are left out."""
    made = []
    for first, second in experiment.contrasts:
        if tests.get(first) and tests.get(second):
            paired = contrast(tests[first], tests[second])
            made.append({"row": first, "against": second, **{name: value.to_json() for name, value in paired.items()}})
    return made


def sentences(experiment: Experiment, asked: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say each difference in words."""
    for made in asked:
        first, second = (experiment.row(made[name]).label for name in ("row", "against"))
        yield f"{first} minus {second}, mAP: {Paired(**made['mean_ap'])} points"
