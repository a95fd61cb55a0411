"""From finished runs to a table: the choice on validation identities, a single test, the numbers of each row."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mun.checkpoint import load_checkpoint
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.evaluation.benchmark import benchmark
from mun.evaluation.galleries import queries
from mun.evaluation.protocols import Protocol
from mun.experiments.runs import PlannedRun, validation_trials
from mun.experiments.statistics import METRICS, Paired, Summary, paired_difference, scores_of_queries, summarise
from mun.experiments.tables import Experiment, Row
from mun.files import whole_file
from mun.structures import Split

__all__ = ["TRIALS", "RowResult", "best_score", "choose_variants", "contrast", "differences", "ledger", "read_tests"]
__all__ += ["row_results", "test_run", "test_runs"]

TRIALS, PLACES = 10, 20  # galleries; ranks of a first match that are stored exactly
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowResult:
    """One row in numbers.

    Attributes:
        row: The line of the table.
        variant: Name of the variant chosen on validation identities.
        validation: Its best mAP on validation identities of the table's data at the first seed, a fraction.
        trials: Validation trials of the row on these data at the first seed.
        seeds: Seeds tested.
        scores: By the names of `METRICS`.
        against: Differences from the reference row by the same names; empty for the reference itself.
    """

    row: Row
    variant: str
    validation: float
    trials: int
    seeds: int
    scores: Mapping[str, Summary]
    against: Mapping[str, Paired]


def best_score(run: PlannedRun) -> float:
    """Return the best mAP of a finished run on the validation identities.

    Raises:
        ValueError: The data have no validation identities.
    """
    scores = [trial["mean_ap"] for trial in validation_trials(run)]
    if not scores:
        raise ValueError("expected validation identities in the data, so that a variant can be chosen; got none")
    return float(max(scores))


def choose_variants(runs: Sequence[PlannedRun]) -> dict[str, dict[str, Any]]:
    """Choose the variant of each row by mAP on the validation identities; the first of equals.

    Args:
        runs: Finished, every variant of every row at one seed; over several settings their mean counts.

    Returns:
        By row: the name of the chosen variant, and the mAP of every variant.
    """
    scores: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        scores.setdefault(run.row.name, {}).setdefault(run.variant.name, []).append(best_score(run))
    chosen: dict[str, dict[str, Any]] = {}
    for row, variants in scores.items():
        means = {name: sum(values) / len(values) for name, values in variants.items()}
        chosen[row] = {"variant": max(means, key=means.__getitem__), "mean_ap": means}
    return chosen


def ledger(runs: Sequence[PlannedRun]) -> Iterator[dict[str, Any]]:
    """List every validation trial of some runs."""
    for run in runs:
        known = {"row": run.row.name, "variant": run.variant.name, "setting": run.setting.name, "seed": run.seed}
        for number, trial in enumerate(validation_trials(run), start=1):
            yield {**known, "validation": number, **trial}


def test_run(run: PlannedRun, protocol: Protocol, data: Path, path: Path, device: torch.device, split: Split) -> None:
    """Test a finished run once and store the scores of every query.

    Args:
        run: A finished run.
        protocol: A protocol of SynVI.
        data: Folder with the test identities.
        path: Where to write: `average_precision`, `inverse_negative_penalty`, float16, `first_hit`, uint8, 21 for all
            places after the twentieth, `(T, Q)`, and `pids`, int32, `(Q,)`.
        device: Where to compute.
        split: Split of the queries: test, or validation in a search that reads no test.

    Raises:
        ValueError: The checkpoint or the data cannot be used.
    """
    network, _ = load_checkpoint(run.folder)
    samples = read_source(run.settings.dataset, data).require(split)
    embeddings = embed_samples(network.to(device), samples)
    trials = benchmark(protocol, samples, embeddings, data="synvi", trials=TRIALS).per_trial
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            average_precision=np.stack([trial.average_precision for trial in trials]).astype(np.float16),
            inverse_negative_penalty=np.stack([trial.inverse_negative_penalty for trial in trials]).astype(np.float16),
            first_hit=np.stack([np.minimum(trial.first_hit, PLACES + 1) for trial in trials]).astype(np.uint8),
            pids=np.array([sample.pid for sample in queries(protocol, samples)], np.int32),
        )


def test_runs(
    runs: Sequence[PlannedRun],
    protocol: Protocol,
    places: Sequence[tuple[Path, Path]],
    device: torch.device,
    jobs: int,
    report: Callable[[str], None],
    split: Split,
) -> None:
    """Read the tests of many runs, several side by side.

    Args:
        runs: Finished runs.
        protocol: A protocol of SynVI.
        places: For each run, the folder with the test identities and where to write, as in `test_run`.
        device: Where to compute.
        jobs: How many at once; they share the processor's cores.
        report: Called with one line for each run.
        split: As in `test_run`.

    Raises:
        ValueError: As `test_run`; what was written before stays.
    """
    if jobs == 1 or len(runs) <= 1:
        for run, (data, path) in zip(runs, places, strict=True):
            report(f"{split}: {run.folder.name}")
            test_run(run, protocol, data, path, device, split)
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(runs)), spawn, torch.set_num_threads, (threads,)) as pool:
        waiting = {
            pool.submit(test_run, run, protocol, data, path, device, split): run.folder.name
            for run, (data, path) in zip(runs, places, strict=True)
        }
        try:
            for done in as_completed(waiting):
                done.result()
                report(f"{split}: {waiting[done]}")
        finally:
            pool.shutdown(cancel_futures=True)


def read_tests(paths: Sequence[Path]) -> tuple[dict[str, Floats], NDArray[np.int64]]:
    """Read the tests of one row's seeds: scores by metric, `(S, T, Q)`, and the queries' identities.

    Raises:
        ValueError: The seeds were tested on different people.
    """
    per_seed, pids = [], None
    for path in paths:
        with np.load(path) as file:
            per_seed.append(scores_of_queries(file))
            if pids is not None and not np.array_equal(pids, file["pids"]):
                raise ValueError(f"expected all seeds to be tested on the same people, got other queries in {path}")
            pids = file["pids"]
    if pids is None:
        raise ValueError("expected the test of at least one seed, got none")
    return {metric: np.stack([scores[metric] for scores in per_seed]) for metric in METRICS}, pids


def contrast(first: Sequence[Path], second: Sequence[Path]) -> dict[str, Paired]:
    """Compare two rows on the same people: the first minus the second, by the names of `METRICS`.

    Args:
        first: The files of `test_run` of one row, one per seed.
        second: Those of the other.

    Raises:
        ValueError: The rows were tested on different people.
    """
    (scores, pids), (others, other_pids) = read_tests(first), read_tests(second)
    if not np.array_equal(pids, other_pids):
        raise ValueError(f"expected both rows to be tested on the same people, got other queries in {second[0]}")
    return {metric: paired_difference(scores[metric], others[metric], pids) for metric in METRICS}


def differences(experiment: Experiment, tests: Mapping[str, Sequence[Path]]) -> list[dict[str, Any]]:
    """List the differences that the experiment asks for, fractions; those of rows that were not run are left out."""
    made = []
    for first, second in experiment.contrasts:
        if tests.get(first) and tests.get(second):
            paired = contrast(tests[first], tests[second])
            made.append({"row": first, "against": second, **{name: value.to_json() for name, value in paired.items()}})
    return made


def row_results(
    rows: Sequence[Row],
    reference: str,
    chosen: Mapping[str, Mapping[str, Any]],
    tests: Mapping[str, Sequence[Path]],
    search: Sequence[PlannedRun],
) -> list[RowResult]:
    """Summarise rows whose tests were read.

    Args:
        rows: In the order of the table; those without a test are left out.
        reference: Name of the row that the others are compared with.
        chosen: As `choose_variants`.
        tests: The files of `test_run` by the row's name, one per seed.
        search: The runs of the search on the table's data, every variant of every row at the first seed.
    """
    results = []
    for row in rows:
        if not tests.get(row.name):
            continue
        scores, _ = read_tests(tests[row.name])
        compared = row.name != reference and tests.get(reference)
        against = contrast(tests[row.name], tests[reference]) if compared else {}
        variant = chosen[row.name]["variant"]
        tried = [run for run in search if run.row == row]
        best = max(best_score(run) for run in tried if run.variant.name == variant)
        summaries, trials = {metric: summarise(scores[metric]) for metric in METRICS}, len(list(ledger(tried)))
        results.append(RowResult(row, variant, best, trials, len(tests[row.name]), summaries, against))
    return results
