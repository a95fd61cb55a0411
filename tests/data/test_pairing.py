"""Pairs for a generator outside training: who is whose partner, that a seed decides, and the refusals."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mun.data.pairing import Pairing, pair_samples
from mun.structures import Modality, Sample

V, I = Modality.VISIBLE, Modality.INFRARED


def samples(pids=(3, 5, 8), visible: int = 6, infrared: int = 3) -> list[Sample]:
    made = [Sample(Path(f"cam1/{p:04d}/{k}.jpg"), p, 1, V) for p in pids for k in range(visible)]
    return made + [Sample(Path(f"cam3/{p:04d}/{k}.jpg"), p, 3, I) for p in pids for k in range(infrared)]


def test_matched_partners_are_of_one_person_and_dealt_evenly() -> None:
    pairs = pair_samples(samples())
    assert [pair.visible for pair in pairs] == [sample for sample in samples() if sample.modality is V]
    assert all(pair.visible.pid == pair.infrared.pid for pair in pairs)
    assert all(pair.infrared.modality is I for pair in pairs)
    assert set(Counter(pair.infrared for pair in pairs).values()) == {2}


def test_mismatched_partners_are_of_one_other_person_each() -> None:
    pairs = pair_samples(samples(range(2, 9)), Pairing.MISMATCHED, seed=4)
    partner = {(pair.visible.pid, pair.infrared.pid) for pair in pairs}
    assert len(partner) == 7
    assert all(mine != other for mine, other in partner)
    assert len({other for _, other in partner}) == 7


@pytest.mark.parametrize("pairing", Pairing)
def test_the_seed_decides(pairing) -> None:
    assert pair_samples(samples(), pairing, 1) == pair_samples(samples(), str(pairing), 1)
    assert pair_samples(samples(), pairing, 1) != pair_samples(samples(), pairing, 2)


def test_identities_of_one_modality_are_left_out() -> None:
    alone = [Sample(Path("cam1/0001/0.jpg"), 1, 1, V), Sample(Path("cam3/0002/0.jpg"), 2, 3, I)]
    assert pair_samples([*samples(), *alone]) == pair_samples(samples())


@pytest.mark.parametrize(
    ("given", "pairing", "message"),
    [
        (samples(visible=0), "matched", "an identity with visible and infrared images, got none"),
        (samples((3,)), "mismatched", "at least two identities for mismatched pairs"),
        (samples(), "upside-down", "is not a valid Pairing"),
    ],
)
def test_refusals(given, pairing, message) -> None:
    with pytest.raises(ValueError, match=message):
        pair_samples(given, pairing)
