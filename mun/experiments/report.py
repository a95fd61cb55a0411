"""A table as Markdown, CSV and LaTeX (booktabs), from the same numbers."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mun.experiments.cost import Cost
from mun.experiments.results import RowResult
from mun.experiments.statistics import METRICS, Paired, Summary
from mun.experiments.tables import Experiment, Row

__all__ = ["csv_table", "markdown_table", "sentences", "to_csv", "to_latex", "to_markdown"]

HEADER: tuple[str, ...] = ("auxiliary modality", "variant", "seeds", "validation", "rank-1", "mAP", "mINP")
HEADER += ("mAP against reference", "gallery spread of mAP", "learned", "ms/step", "memory")
NOT_RUN, DASH = "not run", "\N{EN DASH}"


def percent(value: float) -> str:
    """Write a fraction in percent, one decimal; a dash for NaN."""
    return DASH if math.isnan(value) else f"{100 * value:.1f}"


def with_spread(summary: Summary) -> str:
    """Write mean ± standard deviation over seeds; the mean alone with one seed."""
    mean = percent(summary.mean)
    return mean if math.isnan(summary.seed_sd) else f"{mean} ± {percent(summary.seed_sd)}"


def cells(row: Row, result: RowResult | None, cost: Cost | None) -> list[str]:
    """Write one line of the table."""
    if result is None:
        return [row.label, NOT_RUN, *[""] * (len(HEADER) - 2)]
    scores = [with_spread(result.scores[metric]) for metric in METRICS]
    price = ["", "", ""]
    if cost is not None:
        price = [f"{cost.parameters:,}", f"{1000 * cost.step_seconds:.0f}", f"{cost.peak_bytes / 1e6:.0f} MB"]
    made = [row.label, result.variant, str(result.seeds), percent(result.validation)]
    compared = [str(result.against.get("mean_ap", DASH)), percent(result.scores["mean_ap"].gallery_sd)]
    return [*made, *scores, *compared, *price]


def table(rows: Sequence[Row], results: Sequence[RowResult], costs: Mapping[str, Cost]) -> list[list[str]]:
    """Write every line; rows without a result are marked as not run."""
    by_name = {result.row.name: result for result in results}
    return [cells(row, by_name.get(row.name), costs.get(row.name)) for row in rows]


def to_markdown(rows: Sequence[Row], results: Sequence[RowResult], costs: Mapping[str, Cost]) -> str:
    """Write a Markdown table; scores in percent, mean ± standard deviation over seeds."""
    return markdown_table(HEADER, table(rows, results, costs))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write cells as a Markdown table."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, ["---"] * len(header), *rows))


def to_latex(rows: Sequence[Row], results: Sequence[RowResult], costs: Mapping[str, Cost]) -> str:
    """Write a LaTeX table for the package booktabs."""

    def escape(text: str) -> str:
        for old, new in (("%", r"\%"), ("_", r"\_"), ("&", r"\&"), ("±", r"$\pm$"), (DASH, "--")):
            text = text.replace(old, new)
        return text

    body = [" & ".join(escape(cell) for cell in line) + r" \\" for line in table(rows, results, costs)]
    columns = "ll" + "r" * (len(HEADER) - 2)
    head = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", " & ".join(HEADER) + r" \\", r"\midrule"]
    return "\n".join([*head, *body, r"\bottomrule", r"\end{tabular}"]) + "\n"


def to_csv(rows: Sequence[Row], results: Sequence[RowResult], costs: Mapping[str, Cost]) -> str:
    """Write plain numbers, fractions, one line per row; empty where nothing was run."""
    names = ["row", "variant", "seeds", "validation_trials", "validation_mean_ap"]
    for metric in METRICS:
        names += [metric, f"{metric}_seed_sd", f"{metric}_gallery_sd"]
        names += [f"{metric}_difference", f"{metric}_low", f"{metric}_high", f"{metric}_difference_seed_sd"]
    names += ["parameters", "generator_parameters", "step_seconds", "peak_bytes", "images_per_step", "device"]
    by_name = {result.row.name: result for result in results}
    lines = []
    for row in rows:
        line: dict[str, object] = {"row": row.name}
        if (result := by_name.get(row.name)) is not None:
            line |= {"variant": result.variant, "seeds": result.seeds}
            line |= {"validation_trials": result.trials, "validation_mean_ap": result.validation}
            for metric in METRICS:
                summary, paired = result.scores[metric], result.against.get(metric)
                line |= {metric: summary.mean, f"{metric}_seed_sd": summary.seed_sd}
                line[f"{metric}_gallery_sd"] = summary.gallery_sd
                if paired is not None:
                    line |= {f"{metric}_difference": paired.mean, f"{metric}_low": paired.low}
                    line |= {f"{metric}_high": paired.high, f"{metric}_difference_seed_sd": paired.seed_sd}
        if (cost := costs.get(row.name)) is not None:
            price = asdict(cost)
            line |= {"images_per_step": price.pop("images"), **price}
        lines.append({name: value for name, value in line.items() if value == value})  # without NaN
    return csv_table(names, lines)


def csv_table(names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Write rows as CSV, with the given columns; a cell is empty if the row lacks the column."""
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def sentences(experiment: Experiment, contrasts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield each difference as a sentence."""
    for pair in contrasts:
        first, second = (experiment.row(pair[name]).label for name in ("row", "against"))
        yield f"{first} minus {second}, mAP: {Paired(**pair['mean_ap'])} points"
