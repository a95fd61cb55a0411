"""The questions of an experiment: differences of two rows on the same people, asked only where both were run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mun.experiments.report import sentences
from mun.experiments.results import contrast, differences
from mun.experiments.tables import EXPERIMENTS

PEOPLE, IMAGES, GALLERIES = 12, 3, 2


def write(path: Path, average_precision: np.ndarray) -> Path:
    pids = np.repeat(np.arange(PEOPLE), IMAGES)
    first_hit = np.where(average_precision > 0.5, 1, 2)
    np.savez(
        path, average_precision=average_precision, inverse_negative_penalty=average_precision**2, first_hit=first_hit,
        pids=pids,
    )  # fmt: skip
    return path


def test_it_is_the_mean_over_people_of_paired_differences(tmp_path) -> None:
    generator = np.random.default_rng(0)
    fusion = generator.uniform(0.1, 0.8, (2, GALLERIES, PEOPLE * IMAGES))
    gain = np.repeat(generator.uniform(0.0, 0.1, PEOPLE), IMAGES)
    tests = {
        "mun": [write(tmp_path / f"mun{seed}.npz", fusion[seed] + gain) for seed in range(2)],
        "pixel-mean": [write(tmp_path / f"mean{seed}.npz", fusion[seed]) for seed in range(2)],
    }
    experiment = EXPERIMENTS["rivals"]
    (made,) = differences(experiment, tests)
    assert (made["row"], made["against"]) == ("mun", "pixel-mean")
    assert made["mean_ap"]["mean"] == pytest.approx(gain.mean())
    assert 0 < made["mean_ap"]["low"] < gain.mean() < made["mean_ap"]["high"] < 0.1
    (sentence,) = sentences(experiment, [made])
    assert sentence.startswith(f"MUN minus pixel mean, mAP: {100 * gain.mean():+.1f} ± 0.0 [+")


def test_rows_that_were_tested_on_other_people_are_not_compared(tmp_path) -> None:
    ours, theirs, others = (
        write(tmp_path / f"{name}.npz", np.full((GALLERIES, PEOPLE * IMAGES), 0.4)) for name in "abc"
    )
    with np.load(others) as file:
        arrays = {**file, "pids": file["pids"] + 100}
    np.savez(others, **arrays)
    with pytest.raises(ValueError, match=r"both rows to be tested on the same people, got other queries in .*c\.npz"):
        contrast([ours, theirs], [others, others])
    with pytest.raises(ValueError, match=r"all seeds to be tested on the same people, got other queries in .*c\.npz"):
        contrast([ours, others], [theirs, theirs])


def test_nothing_is_asked_of_a_row_that_was_not_run(tmp_path) -> None:
    tests = {"mun": [write(tmp_path / "mun.npz", np.full((GALLERIES, PEOPLE * IMAGES), 0.4))]}
    assert differences(EXPERIMENTS["rivals"], tests) == []
    assert list(sentences(EXPERIMENTS["rivals"], [])) == []


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_question_is_about_rows_of_its_table(name) -> None:
    experiment = EXPERIMENTS[name]
    assert experiment.contrasts
    for first, second in experiment.contrasts:
        assert experiment.row(first) != experiment.row(second)
