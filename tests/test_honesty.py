"""That labels reach nothing they should not, and that an auxiliary image carries both of its inputs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mun.checkpoint import load_checkpoint
from mun.data.pairing import pair_samples
from mun.data.sources import read_source
from mun.embedding import embed_pairs, embed_samples
from mun.evaluation.benchmark import benchmark
from mun.evaluation.protocols import get_protocol
from mun.structures import Sample

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network():
    return load_checkpoint(ROOT / "checkpoints" / "mun-resnet18-w0.5")[0]


@pytest.fixture(scope="module")
def samples() -> tuple[Sample, ...]:
    return read_source("synvi", ROOT / "assets" / "synvi").test


@pytest.fixture(scope="module")
def embeddings(network, samples) -> np.ndarray:
    return embed_samples(network, samples)


def test_of_mismatched_pairs_the_auxiliary_image_retrieves_both_people(network, samples, embeddings) -> None:
    """With the infrared partner of another identity, each of the two is among the first of 100; chance is 50."""
    pairs = pair_samples(samples, "mismatched", seed=0)[::8]
    points = embed_pairs(network, pairs)[:, 0]
    row_of = {sample: row for row, sample in enumerate(samples)}
    pids = np.array([sample.pid for sample in samples])
    everybody = np.unique(pids)
    places: dict[str, list[int]] = {"visible": [], "infrared": []}
    for point, pair in zip(points, pairs, strict=True):
        similarity = embeddings @ point
        similarity[[row_of[pair.visible], row_of[pair.infrared]]] = -np.inf
        nearest = np.array([similarity[pids == pid].max() for pid in everybody])
        for side in places:
            own = nearest[np.searchsorted(everybody, getattr(pair, side).pid)]
            places[side].append(int((nearest > own).sum()) + 1)
    assert np.median(places["visible"]) <= 5
    assert np.median(places["infrared"]) <= 5


def test_renamed_people_keep_their_embeddings_and_score_at_chance(network, samples, embeddings) -> None:
    """Every image gets the pid of a random other: what is measured then has nothing to do with the pictures."""
    order = np.random.default_rng(0).permutation(len(samples))
    groups: dict[int, list[int]] = {}
    for row, sample in enumerate(samples):
        groups.setdefault(sample.camid, []).append(row)
    renamed = list(samples)
    for rows in groups.values():
        shuffled = [row for row in order if row in set(rows)]
        for row, other in zip(rows, shuffled, strict=True):
            renamed[row] = replace(samples[row], pid=samples[other].pid)
    again = embed_samples(network, renamed[:64])
    np.testing.assert_array_equal(again, embed_samples(network, samples[:64]))
    score = benchmark(get_protocol("synvi-all"), renamed, embeddings, data="synvi").mean()["rank1"]
    assert score == pytest.approx(0.01, abs=0.01)
