"""A table of scores on validation identities only: the results of a search over forms, before any test is read."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mun.experiments.report import DASH, NOT_RUN, csv_table, markdown_table, percent, with_spread
from mun.experiments.results import contrast, read_tests
from mun.experiments.runs import PlannedRun
from mun.experiments.statistics import Paired, Summary, summarise
from mun.experiments.tables import Row
from mun.training.run import MetricsFile

__all__ = ["COLUMNS", "validations_to_csv", "validations_to_markdown"]

TAIL = 0.1  # final share of the run over which logged values of training batches are averaged
COLUMNS = {  # logged values: name and heading
    "gap": "generalisation gap",
    "identity_visible": "identity loss, visible",
    "identity_infrared": "infrared",
    "identity_auxiliary": "auxiliary",
    "iml_share": "IML in the scale",
    "cml_even": "CML, even part",
    "gate_pattern": "gate, spread over places",
    "visible_dependence": "dependence on visible",
}
SCORES = ("seeds", "mean_ap", "mean_ap_seed_sd", "difference", "low", "high", "difference_seed_sd")
Files = Mapping[str, Sequence[Path]]


def end_of_run(run: PlannedRun) -> dict[str, float]:
    """Read the final values of a finished run: fractions, losses in nats, by the names of `COLUMNS` that it has."""
    lines, found = list(MetricsFile.lines(run.folder / "metrics.jsonl")), {}
    scored = [line for line in lines if "training" in line]
    if scored:
        found["gap"] = scored[-1]["training"]["mean_ap"] - scored[-1]["validation"]["mean_ap"]
    last = [line for line in lines if "total" in line and line["step"] > (1 - TAIL) * lines[-1]["step"]]
    found |= {name: float(np.mean([line[name] for line in last])) for name in COLUMNS if name in last[0]}
    if last[0].get("cml_energy"):
        found["cml_even"] = float(np.mean([1 - (line["cml_pattern"] / line["cml_energy"]) ** 2 for line in last]))
    return found


def numbers(runs: Sequence[PlannedRun], files: Files, reference: str) -> dict[str, dict[str, float]]:
    """Collect the numbers of each row that was run: `SCORES` and `COLUMNS`, without NaN."""
    made = {}
    for name in files:
        summary = summarise(read_tests(files[name])[0]["mean_ap"])
        found = {"seeds": len(files[name]), "mean_ap": summary.mean, "mean_ap_seed_sd": summary.seed_sd}
        if name != reference and reference in files:
            paired = contrast(files[name], files[reference])["mean_ap"]
            found |= {"difference": paired.mean, "low": paired.low, "high": paired.high}
            found["difference_seed_sd"] = paired.seed_sd
        ends = [end_of_run(run) for run in runs if run.row.name == name]
        found |= {key: float(np.mean([end[key] for end in ends])) for key in ends[0]}
        made[name] = {key: value for key, value in found.items() if not math.isnan(value)}
    return made


def validations_to_csv(rows: Sequence[Row], runs: Sequence[PlannedRun], files: Files, reference: str) -> str:
    """Write plain numbers, fractions and nats, one line per row; empty if a row was not run or a value is unknown."""
    made = numbers(runs, files, reference)
    return csv_table(["row", *SCORES, *COLUMNS], ({"row": row.name, **made.get(row.name, {})} for row in rows))


def validations_to_markdown(rows: Sequence[Row], runs: Sequence[PlannedRun], files: Files, reference: str) -> str:
    """Write a Markdown table: scores and shares in percent, losses in nats; mean ± standard deviation over seeds."""
    made, not_run = numbers(runs, files, reference), [NOT_RUN, *[""] * (2 + len(COLUMNS))]
    header = ("third modality", "seeds", "mAP", f"against {reference}", *COLUMNS.values())
    lines = [[row.label, *(cells(made[row.name]) if row.name in made else not_run)] for row in rows]
    return markdown_table(header, lines)


def cells(found: Mapping[str, float]) -> list[str]:
    """Write the numbers of one row."""
    score = with_spread(Summary(found["mean_ap"], found.get("mean_ap_seed_sd", math.nan), math.nan))
    paired = [found.get(name, math.nan) for name in ("difference", "low", "high", "difference_seed_sd")]
    logged = [
        "" if name not in found else f"{found[name]:.2f}" if name.startswith("identity") else percent(found[name])
        for name in COLUMNS
    ]
    return [f"{found['seeds']:.0f}", score, str(Paired(*paired)) if "difference" in found else DASH, *logged]
