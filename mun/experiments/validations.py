"""A table of validation identities alone: what a search over forms has seen, before any test is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mun.experiments.report import DASH, NOT_RUN, percent, with_spread
from mun.experiments.results import contrast, read_tests
from mun.experiments.runs import PlannedRun
from mun.experiments.statistics import Paired, Summary, summarise
from mun.experiments.tables import Row
from mun.training.run import MetricsFile

__all__ = ["COLUMNS", "validations_to_csv", "validations_to_markdown"]

TAIL = 0.1  # share of the run, at its end, over which what is logged of training batches is averaged
COLUMNS = {  # of what is logged: name, and heading
    "gap": "lead of training people",
    "identity_visible": "identity loss, visible",
    "identity_infrared": "infrared",
    "identity_auxiliary": "auxiliary",
    "iml_share": "IML in the scale",
    "cml_even": "CML, even part",
    "gate_pattern": "gate, spread over places",
    "visible_dependence": "dependence on visible",
}
Files = Mapping[str, Sequence[Path]]


def end_of_run(run: PlannedRun) -> dict[str, float]:
    """Read what a finished run ended with: fractions, losses in nats, by the names of `COLUMNS` that it has."""
    lines, found = list(MetricsFile.lines(run.folder / "metrics.jsonl")), {}
    scored = [line for line in lines if "training" in line]
    if scored:
        found["gap"] = scored[-1]["training"]["mean_ap"] - scored[-1]["validation"]["mean_ap"]
    last = [line for line in lines if "total" in line and line["step"] > (1 - TAIL) * lines[-1]["step"]]
    found |= {name: float(np.mean([line[name] for line in last])) for name in COLUMNS if name in last[0]}
    if last[0].get("cml_energy"):
        found["cml_even"] = float(np.mean([1 - (line["cml_pattern"] / line["cml_energy"]) ** 2 for line in last]))
    return found


def summaries(
    runs: Sequence[PlannedRun], files: Files, reference: str
) -> dict[str, tuple[Summary, Paired | None, dict[str, float]]]:
    """Summarise rows: mAP on validation people, its difference from the reference, and means of what was logged."""
    made = {}
    for name in files:
        ends = [end_of_run(run) for run in runs if run.row.name == name]
        logged = {key: float(np.mean([end[key] for end in ends])) for key in ends[0]}
        against = (
            contrast(files[name], files[reference])["mean_ap"] if name != reference and reference in files else None
        )
        made[name] = (summarise(read_tests(files[name])[0]["mean_ap"]), against, logged)
    return made


def validations_to_csv(rows: Sequence[Row], runs: Sequence[PlannedRun], files: Files, reference: str) -> str:
    """Write plain numbers, fractions and nats, one line per row; empty where nothing was run or is not known."""
    scores = ["seeds", "mean_ap", "mean_ap_seed_sd", "difference", "low", "high", "difference_seed_sd"]
    out, made = io.StringIO(), summaries(runs, files, reference)
    writer = csv.DictWriter(out, ["row", *scores, *COLUMNS], restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        line: dict[str, float | str] = {"row": row.name}
        if row.name in made:
            summary, against, logged = made[row.name]
            values = [len(files[row.name]), summary.mean, summary.seed_sd]
            values += [] if against is None else [against.mean, against.low, against.high, against.seed_sd]
            known = dict(zip(scores, values, strict=False)) | logged
            line |= {name: value for name, value in known.items() if value == value}  # NaN is not itself
        writer.writerow(line)
    return out.getvalue()


def validations_to_markdown(rows: Sequence[Row], runs: Sequence[PlannedRun], files: Files, reference: str) -> str:
    """Write a Markdown table: scores and shares in percent, losses in nats; mean ± standard deviation over seeds."""
    made = summaries(runs, files, reference)
    header = ["third modality", "seeds", "mAP", f"against {reference}", *COLUMNS.values()]
    lines = [header, ["---"] * len(header)]
    for row in rows:
        if row.name not in made:
            lines.append([row.label, NOT_RUN, *[""] * (len(header) - 2)])
            continue
        summary, against, logged = made[row.name]
        rest = [
            ""
            if name not in logged
            else f"{logged[name]:.2f}"
            if name.startswith("identity")
            else percent(logged[name])
            for name in COLUMNS
        ]
        difference = DASH if against is None else str(against)
        lines.append([row.label, str(len(files[row.name])), with_spread(summary), difference, *rest])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
