"""The page about few people says what the kept runs say: no number of its tables was typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mun.config import Config, from_json
from mun.experiments.runs import PlannedRun, config_of
from mun.experiments.tables import EXPERIMENTS
from mun.experiments.validations import validations_to_csv, validations_to_markdown
from mun.training.run import MetricsFile, read_settings

ROOT = Path(__file__).parents[1]
FEW = ROOT / "assets" / "results" / "few"
PAGE = (ROOT / "docs" / "third-modality.md").read_text(encoding="utf-8").splitlines()
FORMS = EXPERIMENTS["forms"]
SPANS = ((20, 60), (80, 120), (160, 200), (460, 500), (1160, 1200))


def test_the_kept_tables_come_again_from_the_kept_runs() -> None:
    runs, files = [], {}
    for folder in sorted((FEW / "runs").iterdir()):
        row = FORMS.row(folder.name.removesuffix("-only-s0"))
        runs.append(PlannedRun(folder, FORMS.settings[0], row, row.variants[0], 0, read_settings(folder)))
        files[row.name] = [FEW / "validations" / f"{folder.name}.npz"]
    for ending, write in (("csv", validations_to_csv), ("md", validations_to_markdown)):
        assert write(FORMS.rows, runs, files, FORMS.reference) == (FEW / f"forms.{ending}").read_text(encoding="utf-8")


def test_the_table_of_forms_is_the_kept_one() -> None:
    lines = (FEW / "forms.md").read_text(encoding="utf-8").splitlines()
    shown = [line for line in lines if "not run" not in line]
    assert len(shown) > 3
    assert set(shown) <= set(PAGE)
    assert set(json.loads((FEW / "forms.json").read_text(encoding="utf-8"))["commands"]) <= set(PAGE)


@pytest.mark.parametrize(
    ("label", "row"),
    [
        ("sum, paid by all losses", "sum"),
        ("sum, paid by alignment alone", "sum-unpaid"),
        ("residual, paid by all losses", "residual"),
        ("residual, paid by alignment alone", "residual-unpaid"),
    ],
)
def test_how_even_the_branch_is_was_logged(label: str, row: str) -> None:
    (path,) = FEW.glob(f"*/{row}-only-s0/metrics.jsonl")
    logged = list(MetricsFile.lines(path))
    cells = []
    for first, last in SPANS:
        even = [
            1 - (line["cml_pattern"] / line["cml_energy"]) ** 2
            for line in logged
            if "cml_energy" in line and first <= line["step"] <= last
        ]
        cells.append(f"{100 * np.mean(even):.0f}" if even else "\N{EN DASH}")
    assert f"| {label} | {' | '.join(cells)} |" in PAGE


@pytest.mark.parametrize(
    ("label", "row"), [("gate, paid by all losses", "gate"), ("gate, paid by alignment alone", "gate-unpaid")]
)
def test_how_far_the_gate_opens_was_logged(label: str, row: str) -> None:
    (path,) = FEW.glob(f"*/{row}-only-s0/metrics.jsonl")
    logged = [line for line in MetricsFile.lines(path) if "gate_mean" in line]
    cells = []
    for first, last in SPANS[:3]:
        span = [line for line in logged if first <= line["step"] <= last]
        mean, spread = (np.mean([line[name] for line in span]) for name in ("gate_mean", "gate_pattern"))
        cells.append(f"{mean:.2f}, {spread:.3f}")
    assert f"| {label} | {' | '.join(cells)} |" in PAGE


@pytest.mark.parametrize("folder", sorted(FEW.glob("*/*-s0")), ids=lambda path: path.name)
def test_kept_runs_are_those_of_the_experiment(folder: Path) -> None:
    """Whoever goes on from the kept folder must not be told that its runs have other settings."""
    kept, row = read_settings(folder), FORMS.row(folder.name.removesuffix("-only-s0"))
    base = json.loads((FEW / "forms.json").read_text(encoding="utf-8"))["config"]
    assert kept.config == config_of(FORMS, row, row.variants[0], from_json(Config, base))
    assert kept.data == ""
