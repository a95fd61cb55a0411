"""From an experiment to its tables: search, choice, runs, a single test, claims, costs, files."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mun.data.sampler import training_labels
from mun.data.sources import read_source
from mun.experiments.cost import Cost, measure
from mun.experiments.provenance import claim_folder, commit_of_code, describe_table, versions_of
from mun.experiments.report import sentences, to_csv, to_latex, to_markdown
from mun.experiments.results import choose_variants, differences, ledger, read_tests, row_results, test_runs
from mun.experiments.runs import PlannedRun, config_of, finished, make_runs
from mun.experiments.statistics import Paired, holm, paired_change, paired_difference
from mun.experiments.study import Study
from mun.experiments.tables import Claim, Experiment, Setting
from mun.experiments.validations import validations_to_csv, validations_to_markdown
from mun.files import read_json, write_json, write_text
from mun.structures import Split
from mun.training.run import MetricsFile

__all__ = ["answer_claims", "claims_to_markdown", "conduct", "every_test"]

Choice = dict[str, dict[str, Any]]
CHOICE = "choice.json"
Tests = Mapping[str, Mapping[str, Sequence[Path]]]


def conduct(study: Study, device: torch.device, jobs: int, report: Callable[[str], None]) -> Iterator[str]:
    """Search, freeze the choice, make the runs, read test, write the tables; existing results are used.

    An experiment that reads no test makes every seed of every row and writes their scores on validation identities.

    Args:
        study: The experiment.
        device: Where to compute.
        jobs: Number of runs side by side.
        report: Called with one line at each step.

    Yields:
        The table of each setting with its contrasts, as text.

    Raises:
        FileNotFoundError: The data are not there.
        ValueError: `jobs` is out of range, the data or the content of `study.out` cannot be used, or a run has failed.
    """
    if not 1 <= jobs <= 64:
        raise ValueError(f"expected 1 to 64 jobs, got {jobs}")
    claim_folder(study)
    study.render()
    if not study.experiment.reads_test:
        yield from look_at_validation(study, device, jobs, report)
        return
    search = study.runs(variants_of(kept(study.out / CHOICE)), 1)
    make_runs(search, device.type, jobs, report)
    choice = freeze_choice(study, search)
    table = study.runs(variants_of(choice), study.seeds)
    make_runs(table, device.type, jobs, report)
    every = [run for run in study.runs({}, study.seeds) if finished(run)]  # with trials of rows chosen before
    keep_ledger(study.out / "ledger.jsonl", every)
    search = [run for run in every if run.seed == 0]
    read_once(study, table, device, jobs, report)
    costs = measure_costs(study, choice, device.type, report)
    for setting in study.settings:
        yield write_table(study, setting, search, table, choice, costs)
    if study.experiment.claims:
        answers = answer_claims(study.experiment.claims, every_test(study.out, study.experiment, choice))
        write_json(study.out / f"{study.name}-claims.json", {"claims": answers})
        yield claims_to_markdown(answers)


def look_at_validation(study: Study, device: torch.device, jobs: int, report: Callable[[str], None]) -> Iterator[str]:
    """Make every seed of every row, and write the ledger and the table of their scores on validation identities."""
    firsts = {row.name: row.variants[0].name for row in study.rows}
    runs, experiment = study.runs(firsts, study.seeds), study.experiment
    make_runs(runs, device.type, jobs, report)
    read_once(study, runs, device, jobs, report)
    files = study.tests(runs, study.settings[0])
    write_text(study.out / "ledger.jsonl", "".join(json.dumps(line) + "\n" for line in ledger(runs)))
    shown = (experiment.rows, runs, files, experiment.reference)
    write_text(study.out / f"{study.name}.csv", validations_to_csv(*shown))
    write_text(study.out / f"{study.name}.md", validations_to_markdown(*shown))
    contrasts = differences(experiment, files)
    made_with = {"versions": versions_of(runs), "commit": commit_of_code(), "contrasts": contrasts}
    write_json(study.out / f"{study.name}.json", {**describe_table(study, study.settings[0], {}), **made_with})
    lines = "".join(f"{line}\n" for line in sentences(experiment, contrasts))
    yield f"{experiment.title}\n\n{validations_to_markdown(*shown)}\n{lines}"


def read_once(
    study: Study, runs: Sequence[PlannedRun], device: torch.device, jobs: int, report: Callable[[str], None]
) -> None:
    """Read the test of every run, or its validation where the experiment reads no test, unless it was read before."""
    unread = [run for run in runs if not study.test_file(run).is_file()]
    folder, split = (study.test_folder, Split.TEST) if study.experiment.reads_test else (study.train_folder, Split.VAL)
    places = [(folder(run.setting), study.test_file(run)) for run in unread]
    test_runs(unread, study.experiment.protocol, places, device, jobs, report, split)


def keep_ledger(path: Path, runs: Sequence[PlannedRun]) -> None:
    """Write every validation trial of some runs into the ledger, beside those of other rows, settings and seeds."""
    names = ("row", "variant", "setting", "seed", "validation")
    known = {tuple(line[name] for name in names): line for line in [*MetricsFile.lines(path), *ledger(runs)]}
    write_text(path, "".join(json.dumps(line) + "\n" for line in known.values()))


def kept(path: Path) -> Choice:
    """Read earlier choices or measurements, by row; empty if there are none."""
    return read_json(path) if path.is_file() else {}


def variants_of(choice: Choice) -> dict[str, str]:
    """Return the name of the chosen variant of each row."""
    return {name: made["variant"] for name, made in choice.items()}


def freeze_choice(study: Study, search: Sequence[PlannedRun]) -> Choice:
    """Choose each row's variant once, before its test is read, and record the commit of the code.

    A row that was chosen before keeps its choice, so that test scores cannot influence the search.
    """
    choice = kept(study.out / CHOICE)
    now = {"commit": commit_of_code(), "time": datetime.now(UTC).isoformat(timespec="seconds")}
    for name, made in choose_variants(search).items():
        choice.setdefault(name, {**made, **now})
    write_json(study.out / CHOICE, choice)
    return choice


def measure_costs(study: Study, choice: Choice, device: str, report: Callable[[str], None]) -> dict[str, Cost]:
    """Measure the cost of every row, or read the earlier measurement."""
    path = study.out / "costs.json"
    costs = kept(path)
    samples = read_source("synvi", study.train_folder(study.settings[0])).require(Split.TRAIN)
    missing = {}
    for row in study.rows:
        if row.name not in costs:
            variant = next(variant for variant in row.variants if variant.name == choice[row.name]["variant"])
            missing[row.name] = config_of(study.experiment, row, variant, study.base, study.settings[0])
    for name, cost in measure(missing, len(training_labels(samples)), device, os.cpu_count() or 1):
        report(f"cost: {name}")
        costs[name] = asdict(cost)
        write_json(path, costs)
    return {row.name: Cost(**costs[row.name]) for row in study.rows}


def write_table(
    study: Study,
    setting: Setting,
    search: Sequence[PlannedRun],
    table: Sequence[PlannedRun],
    choice: Choice,
    costs: dict[str, Cost],
) -> str:
    """Write the table of a setting as Markdown, CSV, LaTeX and JSON, and return it as text."""
    experiment, tests = study.experiment, study.tests(table, setting)
    tried = [run for run in search if run.setting == setting]
    results = row_results(study.rows, experiment.reference, choice, tests, tried)
    stem = study.name if len(experiment.settings) == 1 else f"{study.name}-{setting.name}"
    for ending, write in (("md", to_markdown), ("csv", to_csv), ("tex", to_latex)):
        write_text(study.out / f"{stem}.{ending}", write(experiment.rows, results, costs))
    contrasts = differences(experiment, tests)
    made_with = {"versions": versions_of(table), "cost_device": next(iter(costs.values())).device}
    description = describe_table(study, setting, choice)
    write_json(study.out / f"{stem}.json", {**description, **made_with, "contrasts": contrasts})
    heading = f"{experiment.title}; {setting.name}\n\n"
    lines = "".join(f"{line}\n" for line in sentences(experiment, contrasts))
    return f"{heading}{to_markdown(experiment.rows, results, costs)}\n{lines}"


def every_test(out: Path, experiment: Experiment, choice: Mapping[str, Mapping[str, Any]]) -> Tests:
    """Return all tests in a folder, including those of rows, settings and seeds that are left out this time."""
    return {
        setting.name: {
            row: sorted((out / "tests").glob(f"{row}-{made['variant']}-s*-{setting.name}.npz"))
            for row, made in choice.items()
        }
        for setting in experiment.settings
    }


def answer_claims(claims: Sequence[Claim], tests: Tests) -> list[dict[str, Any]]:
    """Compute the difference of every claim in mAP, a fraction; a claim without runs is marked.

    Args:
        claims: In their order.
        tests: The files of `test_run` by setting and row, one per seed.

    Returns:
        Per claim its fields and `ran`; if that is true `mean`, `low`, `high`, with two or more seeds `seed_sd` and
        `p_value`, and for the role `other` the p-value after Holm's correction as `corrected`.
    """
    answers = [answer(claim, tests) for claim in claims]
    others = [made for claim, made in zip(claims, answers, strict=True) if made is not None and claim.role == "other"]
    corrected = dict(zip(map(id, others), holm([made.p_value for made in others]), strict=True))
    lines = []
    for claim, made in zip(claims, answers, strict=True):
        line = {**asdict(claim), "ran": made is not None, **({} if made is None else made.to_json())}
        lines.append(line | ({"corrected": corrected[id(made)]} if id(made) in corrected and "p_value" in line else {}))
    return lines


def answer(claim: Claim, tests: Tests) -> Paired | None:
    """Compute the difference of one claim; `None` if a row was not run in a setting.

    Raises:
        ValueError: The rows were tested on different people.
    """
    settings = [claim.setting, *([claim.minus] if claim.minus else [])]
    read, pids = [], None
    for setting in settings:
        files = [tests.get(setting, {}).get(row, ()) for row in (claim.first, claim.second)]
        if not all(files):
            return None
        (first, pids), (second, others) = map(read_tests, files)
        if not np.array_equal(pids, others):
            raise ValueError(f"expected {claim.first} and {claim.second} to be tested on the same people, got others")
        read.append((first["mean_ap"], second["mean_ap"]))
    assert pids is not None
    return paired_change(read[0], read[1], pids) if claim.minus else paired_difference(*read[0], pids)


def claims_to_markdown(answers: Sequence[Mapping[str, Any]]) -> str:
    """Write the answers as a Markdown table; points of mAP."""
    lines = ["| role | difference | where | mAP | p over seeds | corrected |", "|---|---|---|---|---|---|"]
    for made in answers:
        place = f"{made['setting']} minus {made['minus']}" if made["minus"] else made["setting"]
        known = {name: made[name] for name in ("mean", "low", "high", "seed_sd") if name in made}
        words = [str(Paired(**known)) if made["ran"] else "not run"]
        words += [f"{made[name]:.3f}" if name in made else "" for name in ("p_value", "corrected")]
        lines.append(f"| {made['role']} | {made['first']} minus {made['second']} | {place} | {' | '.join(words)} |")
    return "\n".join(lines) + "\n"
