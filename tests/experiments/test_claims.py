"""What was asked before test was read: answered from the files of tests, corrected, or said not to have been run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mun.experiments.pipeline import answer_claims, claims_to_markdown
from mun.experiments.tables import Claim

PEOPLE, GALLERIES, SEEDS = 20, 2, 3
CLAIMS = (
    Claim("primary", "ours", "none", "many", minus="few"),
    Claim("secondary", "ours", "none", "few"),
    Claim("other", "ours", "none", "many"),
    Claim("other", "theirs", "none", "few"),
    Claim("other", "absent", "none", "few"),
)


@pytest.fixture
def tests(tmp_path: Path) -> dict[str, dict[str, list[Path]]]:
    """Ours is ahead of none by 0.05 where people are few and behind by 0.02 where they are many; theirs is level."""
    draws = np.random.default_rng(0)
    leads = {("few", "ours"): 0.05, ("many", "ours"): -0.02, ("few", "theirs"): 0.0}
    made: dict[str, dict[str, list[Path]]] = {"few": {}, "many": {}}
    for setting in made:
        base = draws.uniform(0.2, 0.6, (SEEDS, GALLERIES, PEOPLE))
        for row in ("none", "ours", "theirs"):
            if row != "none" and (setting, row) not in leads:
                continue
            for seed in range(SEEDS):
                scores = base[seed] + leads.get((setting, row), 0.0) + draws.normal(0, 0.004 * (row != "none"), PEOPLE)
                path = tmp_path / f"{setting}-{row}-{seed}.npz"
                hits = np.ones_like(scores)
                np.savez(path, average_precision=scores, inverse_negative_penalty=scores, first_hit=hits,
                         pids=np.arange(PEOPLE))  # fmt: skip
                made[setting].setdefault(row, []).append(path)
    return made


def test_claims_are_answered_in_their_order(tests) -> None:
    primary, secondary, many, theirs, absent = answer_claims(CLAIMS, tests)
    assert primary["mean"] == pytest.approx(-0.07, abs=0.005)
    assert primary["low"] < primary["mean"] < primary["high"] < 0
    assert secondary["mean"] == pytest.approx(0.05, abs=0.005)
    assert many["mean"] == pytest.approx(-0.02, abs=0.005)
    assert absent["ran"] is False
    assert "mean" not in absent
    assert not any("corrected" in line for line in (primary, secondary, absent))
    first, second = sorted((many, theirs), key=lambda line: line["p_value"])
    assert first["corrected"] == pytest.approx(2 * first["p_value"])
    assert second["corrected"] == pytest.approx(max(second["p_value"], first["corrected"]))


def test_the_table_says_what_was_not_run(tests) -> None:
    text = claims_to_markdown(answer_claims(CLAIMS, tests))
    lines = text.splitlines()
    assert len(lines) == 2 + len(CLAIMS)
    assert lines[2].startswith("| primary | ours minus none | many minus few | -6.9 ")
    assert "not run" in lines[-1]
    assert text.count("not run") == 1
