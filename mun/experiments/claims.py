"""The claims of an experiment, tested: each with its interval, its seeds and its corrected p-value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mun.experiments.results import read_tests
from mun.experiments.statistics import Paired, holm, paired_change, paired_difference
from mun.experiments.tables import Claim

__all__ = ["answer_claims", "claims_to_markdown"]

Tests = Mapping[str, Mapping[str, Sequence[Path]]]


def answer_claims(claims: Sequence[Claim], tests: Tests) -> list[dict[str, Any]]:
    """Answer every claim in mAP, a fraction; one whose runs were not made says so.

    Args:
        claims: In their order.
        tests: The files of `test_run` by setting and row, one per seed.

    Returns:
        Per claim its fields and `ran`; where that is true `mean`, `low`, `high`, with two or more seeds `seed_sd` and
        `p_value`, and of the role `other` the p-value after Holm's correction as `corrected`.
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
    """Answer one claim; `None` where a row was not run in a setting."""
    settings = [claim.setting, *([claim.minus] if claim.minus else [])]
    read, pids = [], None
    for setting in settings:
        files = [tests.get(setting, {}).get(row, ()) for row in (claim.first, claim.second)]
        if not all(files):
            return None
        (first, pids), (second, _) = map(read_tests, files)
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
