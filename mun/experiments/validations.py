"""A table of validation identities alone: what a search over forms has seen, before any test is read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

import numpy as np

from mun.experiments.report import DASH, NOT_RUN, percent
from mun.experiments.runs import PlannedRun
from mun.experiments.tables import Row
from mun.training.run import MetricsFile

__all__ = ["COLUMNS", "validations_to_csv", "validations_to_markdown"]

TAIL = 0.1  # share of the run, at its end, over which what is logged of training batches is averaged
LOGGED = ("visible", "infrared", "auxiliary")
COLUMNS = {
    "validation": "validation mAP",
    "gap": "lead of training people",
    **{f"identity_{modality}": f"identity loss, {modality}" for modality in LOGGED},
    "iml_share": "share of IML in the scale",
    "cml_flat": "CML, even part",
    "gate_pattern": "gate, spread over places",
    "visible_dependence": "dependence on visible",
}


def end_of_run(run: PlannedRun) -> dict[str, float]:
    """Read what a finished run ended with: fractions, losses in nats, by the names of `COLUMNS` that it has."""
    lines = list(MetricsFile.lines(run.folder / "metrics.jsonl"))
    scored = [line for line in lines if "validation" in line]
    best = max(scored, key=lambda line: line["validation"]["mean_ap"])
    found = {"validation": best["validation"]["mean_ap"]}
    if "training" in best:
        found["gap"] = best["training"]["mean_ap"] - best["validation"]["mean_ap"]
    last = [line for line in lines if "total" in line and line["step"] > (1 - TAIL) * lines[-1]["step"]]
    found |= {name: float(np.mean([line[name] for line in last])) for name in COLUMNS if name in last[0]}
    if last[0].get("cml_energy"):
        shares = [1 - (line["cml_pattern"] / line["cml_energy"]) ** 2 for line in last]
        found["cml_flat"] = float(np.mean(shares))
    return found


def summaries(runs: Sequence[PlannedRun], reference: str) -> dict[str, dict[str, float]]:
    """Average the seeds of each row: means, `validation_sd`, `seeds`, and the difference from the reference by seed."""
    ends = {(run.row.name, run.seed): end_of_run(run) for run in runs}
    made = {}
    for name in dict.fromkeys(run.row.name for run in runs):
        own = {seed: end for (row, seed), end in ends.items() if row == name}
        scores = [end["validation"] for end in own.values()]
        shared = [
            end["validation"] - ends[reference, seed]["validation"]
            for seed, end in own.items()
            if (reference, seed) in ends
        ]
        made[name] = {
            "seeds": len(own),
            **{key: float(np.mean([end[key] for end in own.values()])) for key in next(iter(own.values()))},
            "validation_sd": float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan,
            "difference": float(np.mean(shared)) if shared and name != reference else math.nan,
            "difference_sd": float(np.std(shared, ddof=1)) if len(shared) > 1 and name != reference else math.nan,
        }
    return made


def validations_to_csv(rows: Sequence[Row], runs: Sequence[PlannedRun], reference: str) -> str:
    """Write plain numbers, one line per row; empty where nothing was run or is not known."""
    names = ["row", "seeds", "validation", "validation_sd", "difference", "difference_sd", *list(COLUMNS)[1:]]
    out, made = io.StringIO(), summaries(runs, reference)
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        known = {name: value for name, value in made.get(row.name, {}).items() if not math.isnan(value)}
        writer.writerow({"row": row.name, **known})
    return out.getvalue()


def validations_to_markdown(rows: Sequence[Row], runs: Sequence[PlannedRun], reference: str) -> str:
    """Write a Markdown table: scores and shares in percent, mean ± standard deviation over seeds; losses in nats."""
    made = summaries(runs, reference)
    header = ["third modality", "seeds", "validation mAP", f"against {reference}", *list(COLUMNS.values())[1:]]
    lines = [header, ["---"] * len(header)]
    for row in rows:
        found = made.get(row.name)
        lines.append([row.label, NOT_RUN, *[""] * (len(header) - 2)] if found is None else cells(row, found))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cells(row: Row, found: Mapping[str, float]) -> list[str]:
    """Write one line of the table."""

    def spread(name: str, sign: str = "") -> str:
        if math.isnan(found[name]):
            return DASH
        sd = found[f"{name}_sd"]
        return f"{100 * found[name]:{sign}.1f}" + ("" if math.isnan(sd) else f" ± {percent(sd)}")

    rest = [
        "" if name not in found else f"{found[name]:.2f}" if name.startswith("identity") else percent(found[name])
        for name in list(COLUMNS)[1:]
    ]
    return [row.label, f"{found['seeds']:.0f}", spread("validation"), spread("difference", "+"), *rest]
