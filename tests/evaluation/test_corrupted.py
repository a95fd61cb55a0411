"""The field's test of robustness: draws that no order changes, infrared images untouched, passes pooled."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mun.data.corruptions import CORRUPTIONS, corrupt
from mun.data.sources import read_source
from mun.embedding import embed_pixels, embed_samples
from mun.evaluation.benchmark import BenchmarkResult, benchmark
from mun.evaluation.corrupted import MIXED, CorruptedTest, Corruption, Order, embed_corrupted
from mun.evaluation.protocols import PROTOCOLS
from mun.images import read_image, resize
from mun.models.network import Network
from mun.structures import Modality, Sample, Split

KEYS = [
    f"cam{camid}/{pid:04d}/{number:04d}.jpg" for pid in range(100) for camid in (1, 2, 4, 5) for number in range(10)
]


@pytest.fixture(scope="module")
def samples(tiny_synvi: Path) -> tuple[Sample, ...]:
    return read_source("synvi", tiny_synvi).split(Split.TEST)


def test_draws_belong_to_seed_pass_and_key_alone() -> None:
    corruption = Corruption(seed=3, number=2)
    forwards = {key: corruption.draw(key) for key in KEYS}
    backwards = {key: Corruption(seed=3, number=2).draw(key) for key in reversed(KEYS)}
    assert forwards == backwards
    for other in (Corruption(seed=4, number=2), Corruption(seed=3, number=1)):
        same = np.mean([forwards[key] == other.draw(key) for key in KEYS])
        assert same == 0
        alike = np.mean([forwards[key].name == other.draw(key).name for key in KEYS])
        assert alike == pytest.approx(1 / 20, abs=0.02)


def test_every_corruption_and_severity_is_alike_likely() -> None:
    drawn = [Corruption().draw(key) for key in KEYS]
    names, severities = Counter(draw.name for draw in drawn), Counter(draw.severity for draw in drawn)
    assert set(names) == set(CORRUPTIONS)
    assert set(severities) == {1, 2, 3, 4, 5}
    assert sum((count - 200) ** 2 / 200 for count in names.values()) < 43.8  # chi square, 19 degrees, p = 0.001
    assert sum((count - 800) ** 2 / 800 for count in severities.values()) < 18.5  # 4 degrees, p = 0.001
    assert len({draw.seed for draw in drawn}) == len(KEYS)


def test_one_corruption_and_one_severity_for_all() -> None:
    drawn = [Corruption("fog", 4).draw(key) for key in KEYS]
    assert {(draw.name, draw.severity) for draw in drawn} == {("fog", 4)}
    assert [draw.seed for draw in drawn] == [Corruption().draw(key).seed for key in KEYS]
    assert {Corruption("fog").draw(key).severity for key in KEYS[:100]} == {1, 2, 3, 4, 5}


def test_the_two_orders_are_what_they_say(samples: tuple[Sample, ...]) -> None:
    corruption = Corruption("pixelate", 3)
    draw, image = corruption.draw(samples[0].key), read_image(samples[0].path)
    peer = corruption.pixels(samples[0], 96, 48, Order.PEER)
    native = corruption.pixels(samples[0], 96, 48, Order.NATIVE)
    assert np.array_equal(peer, corrupt(resize(image, 96, 48), "pixelate", 3, draw.seed))
    assert np.array_equal(native, resize(corrupt(image, "pixelate", 3, draw.seed), 96, 48))
    assert not np.array_equal(peer, native)


def test_only_visible_rows_change_and_each_as_if_it_were_alone(
    tiny_network: Network, samples: tuple[Sample, ...]
) -> None:
    clean = embed_samples(tiny_network, samples)
    before, corruption = clean.copy(), Corruption(seed=1)
    rows = embed_corrupted(tiny_network, samples, clean, corruption, Order.PEER)
    assert np.array_equal(clean, before)
    for row, sample in enumerate(samples):
        if sample.modality is Modality.INFRARED:
            assert np.array_equal(rows[row], clean[row])
        else:
            pixels = corruption.pixels(sample, 64, 32, Order.PEER)[None]
            np.testing.assert_allclose(rows[row], embed_pixels(tiny_network, pixels, Modality.VISIBLE)[0], atol=1e-5)
    turned = embed_corrupted(tiny_network, samples[::-1], clean[::-1], corruption, Order.PEER)
    np.testing.assert_allclose(turned[::-1], rows, atol=1e-5)
    with pytest.raises(ValueError, match="expected `clean` of shape"):
        embed_corrupted(tiny_network, samples, clean[1:], corruption, Order.PEER)


def test_mirrored_images_are_mirrors_of_the_corrupted_one(tiny_network: Network, samples: tuple[Sample, ...]) -> None:
    one = [sample for sample in samples if sample.modality is Modality.VISIBLE][:1]
    clean, corruption = embed_samples(tiny_network, one), Corruption("impulse_noise", 5)
    flipped = embed_corrupted(tiny_network, one, clean, corruption, Order.NATIVE, flip=True)
    pixels = corruption.pixels(one[0], 64, 32, Order.NATIVE)[None]
    np.testing.assert_allclose(flipped, embed_pixels(tiny_network, pixels, Modality.VISIBLE, flip=True), atol=1e-6)


def test_passes_are_pooled_and_each_corruption_stands_alone(tiny_network: Network, samples: tuple[Sample, ...]) -> None:
    clean = embed_samples(tiny_network, samples)
    asked: list[Corruption] = []

    def score(corruption: Corruption) -> BenchmarkResult:
        asked.append(corruption)
        rows = (
            embed_corrupted(tiny_network, samples, clean, corruption, Order.PEER) if corruption.name == MIXED else clean
        )
        return benchmark(PROTOCOLS["synvi-all"], samples, rows, data="synvi", trials=3)

    result = CorruptedTest(Order.PEER, passes=2, seed=9, each=True).run(score)
    assert asked[:2] == [Corruption(MIXED, None, 9, number) for number in (0, 1)]
    assert len(asked) == 2 * 21
    passes = [score(Corruption(MIXED, None, 9, number)) for number in (0, 1)]
    trials = [metrics.scores()["mean_ap"] for one in passes for metrics in one.per_trial]
    assert result["mean"]["mean_ap"] == pytest.approx(np.mean(trials), abs=1e-12)
    assert result["sd"]["mean_ap"] == pytest.approx(np.std(trials, ddof=1), abs=1e-12)
    assert [one["mean_ap"] for one in result["per_pass"]] == pytest.approx([one.mean()["mean_ap"] for one in passes])
    assert set(result["per_corruption"]) == set(CORRUPTIONS)
    assert (result["order"], result["severity"], result["passes"], result["seed"]) == ("peer", "uniform 1-5", 2, 9)


def test_an_unknown_corruption_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of the corruptions mixed, gaussian_noise, .*; got 'hail'"):
        Corruption("hail")
