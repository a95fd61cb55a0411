"""Summaries, paired intervals, claims and contrasts against loops and known cases."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from mun.experiments.pipeline import answer_claims, claims_to_markdown
from mun.experiments.report import sentences
from mun.experiments.results import contrast, differences
from mun.experiments.statistics import (
    holm,
    identity_means,
    paired_change,
    paired_difference,
    scores_of_queries,
    summarise,
)
from mun.experiments.tables import EXPERIMENTS, Claim


def scores(seed: int, shape=(3, 4, 12)) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


PIDS = np.repeat([4, 9, 2], 4)


def test_seed_spread_and_gallery_spread_are_told_apart() -> None:
    values = scores(0)
    summary = summarise(values)
    seeds = [float(np.mean([values[s, t].mean() for t in range(4)])) for s in range(3)]
    galleries = [float(np.std([values[s, t].mean() for t in range(4)], ddof=1)) for s in range(3)]
    assert summary.mean == pytest.approx(np.mean(seeds))
    assert summary.seed_sd == pytest.approx(np.std(seeds, ddof=1))
    assert summary.gallery_sd == pytest.approx(np.mean(galleries))


def test_a_single_seed_has_no_spread() -> None:
    assert math.isnan(summarise(scores(0, (1, 4, 12))).seed_sd)
    assert math.isnan(summarise(scores(0, (2, 1, 12))).gallery_sd)


def test_skipped_queries_do_not_count() -> None:
    values = scores(1)
    values[:, :, 3] = np.nan
    assert summarise(values).mean == pytest.approx(np.delete(values, 3, axis=2).mean())


def test_shape_is_checked() -> None:
    with pytest.raises(ValueError, match=r"\(seeds, galleries, queries\), got \(4, 12\)"):
        summarise(scores(0)[0])


def test_identity_means_equal_loops() -> None:
    values = scores(2)
    expected = [
        np.mean([values[s, t, q] for s in range(3) for t in range(4) for q in range(12) if PIDS[q] == pid])
        for pid in (2, 4, 9)
    ]
    np.testing.assert_allclose(identity_means(values, PIDS), expected)


def test_paired_interval_is_that_of_people_drawn_again() -> None:
    first, second = scores(3), scores(4)
    paired = paired_difference(first, second, PIDS, seed=5)
    differences = identity_means(first, PIDS) - identity_means(second, PIDS)
    generator = np.random.default_rng(5)
    means = np.array([differences[row].mean() for row in generator.integers(3, size=(10_000, 3))])
    assert paired.mean == pytest.approx(differences.mean())
    assert (paired.low, paired.high) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))


def test_the_spread_of_a_difference_is_that_over_seeds() -> None:
    first, second = scores(3), scores(4)
    each = [identity_means(first[[s]], PIDS).mean() - identity_means(second[[s]], PIDS).mean() for s in range(3)]
    paired = paired_difference(first, second, PIDS)
    assert paired.seed_sd == pytest.approx(np.std(each, ddof=1))
    assert paired.mean == pytest.approx(np.mean(each))
    assert math.isnan(paired_difference(first, second[:2], PIDS).seed_sd), "other numbers of seeds are no pairs"
    single = paired_difference(first[:1], second[:1], PIDS)
    assert math.isnan(single.seed_sd)
    assert set(single.to_json()) == {"mean", "low", "high"}


def test_scores_of_queries() -> None:
    kept = {
        "first_hit": [[1, 3, 0]],
        "average_precision": [[1.0, 0.4, np.nan]],
        "inverse_negative_penalty": [[1.0, 0.2, np.nan]],
    }
    scored = scores_of_queries(kept)
    np.testing.assert_array_equal(scored["rank1"], [[1.0, 0.0, np.nan]])
    np.testing.assert_array_equal(scored["mean_ap"], kept["average_precision"])


def test_the_p_value_is_that_of_students_t_over_seeds() -> None:
    first, second = scores(5), scores(6)
    each = [np.mean(identity_means(first[s : s + 1], PIDS) - identity_means(second[s : s + 1], PIDS)) for s in range(3)]
    assert paired_difference(first, second, PIDS).p_value == pytest.approx(ttest_1samp(each, 0).pvalue)
    assert math.isnan(paired_difference(first[:1], second[:1], PIDS).p_value)


def test_a_change_is_the_difference_of_differences() -> None:
    after, before = (scores(1), scores(2)), (scores(3), scores(4))
    made = paired_change(after, before, PIDS)
    people = [identity_means(rows[0], PIDS) - identity_means(rows[1], PIDS) for rows in (after, before)]
    assert made.mean == pytest.approx(np.mean(people[0] - people[1]))
    per_seed = [[identity_means(row[s : s + 1], PIDS).mean() for s in range(3)] for row in (*after, *before)]
    seeds = np.array(per_seed).T @ [1, -1, -1, 1]
    assert made.seed_sd == pytest.approx(np.std(seeds, ddof=1))
    assert made.low <= made.mean <= made.high
    same = paired_change(after, after, PIDS)
    assert (same.mean, same.low, same.high) == (0.0, 0.0, 0.0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    corrected = holm([0.5, math.nan, 0.6])
    assert corrected[::2] == [1.0, 1.0]
    assert math.isnan(corrected[1])
    assert holm([]) == []


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


@pytest.mark.parametrize(("claim", "setting", "row"), [(0, "few", "none"), (0, "many", "ours"), (1, "few", "ours")])
def test_claims_about_rows_that_were_tested_on_other_people_are_refused(tests, claim, setting, row) -> None:
    for path in tests[setting][row]:
        with np.load(path) as file:
            np.savez(path, **{**file, "pids": file["pids"] + 1})
    with pytest.raises(ValueError, match="expected ours and none to be tested on the same people"):
        answer_claims([CLAIMS[claim]], tests)


def test_the_table_says_what_was_not_run(tests) -> None:
    text = claims_to_markdown(answer_claims(CLAIMS, tests))
    lines = text.splitlines()
    assert len(lines) == 2 + len(CLAIMS)
    assert lines[2].startswith("| primary | ours minus none | many minus few | -6.9 ")
    assert "not run" in lines[-1]
    assert text.count("not run") == 1


CONTRASTED, IMAGES, SEEN = 12, 3, 2


def write(path: Path, average_precision: np.ndarray) -> Path:
    pids = np.repeat(np.arange(CONTRASTED), IMAGES)
    first_hit = np.where(average_precision > 0.5, 1, 2)
    np.savez(
        path, average_precision=average_precision, inverse_negative_penalty=average_precision**2, first_hit=first_hit,
        pids=pids,
    )  # fmt: skip
    return path


def test_it_is_the_mean_over_people_of_paired_differences(tmp_path) -> None:
    generator = np.random.default_rng(0)
    fusion = generator.uniform(0.1, 0.8, (2, SEEN, CONTRASTED * IMAGES))
    gain = np.repeat(generator.uniform(0.0, 0.1, CONTRASTED), IMAGES)
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
        write(tmp_path / f"{name}.npz", np.full((SEEN, CONTRASTED * IMAGES), 0.4)) for name in "abc"
    )
    with np.load(others) as file:
        arrays = {**file, "pids": file["pids"] + 100}
    np.savez(others, **arrays)
    with pytest.raises(ValueError, match=r"both rows to be tested on the same people, got other queries in .*c\.npz"):
        contrast([ours, theirs], [others, others])
    with pytest.raises(ValueError, match=r"all seeds to be tested on the same people, got other queries in .*c\.npz"):
        contrast([ours, others], [theirs, theirs])


def test_nothing_is_asked_of_a_row_that_was_not_run(tmp_path) -> None:
    tests = {"mun": [write(tmp_path / "mun.npz", np.full((SEEN, CONTRASTED * IMAGES), 0.4))]}
    assert differences(EXPERIMENTS["rivals"], tests) == []
    assert list(sentences(EXPERIMENTS["rivals"], [])) == []


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_question_is_about_rows_of_its_table(name) -> None:
    experiment = EXPERIMENTS[name]
    assert experiment.contrasts
    for first, second in experiment.contrasts:
        assert experiment.row(first) != experiment.row(second)
