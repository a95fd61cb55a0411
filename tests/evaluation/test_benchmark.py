import json

import numpy as np
import pytest
import reference
from made import samples as samples_of

from mun.evaluation.benchmark import benchmark, ranked_rows, score_trials
from mun.evaluation.galleries import draw_trials, queries, sample_gallery
from mun.evaluation.metrics import cosine_distances
from mun.evaluation.protocols import OTHER_INSTANTS, get_protocol
from mun.structures import Modality

SCORES = ["rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp"]


def scene(seed=0, num_ids=6, count=4, dimension=8):
    """Samples of six cameras, and embeddings that tell the identities apart a little."""
    generator = np.random.default_rng(seed)
    samples = samples_of(range(1, num_ids + 1), count=count)
    centers = generator.standard_normal((num_ids + 1, dimension))
    rows = centers[[sample.pid for sample in samples]] + generator.standard_normal((len(samples), dimension))
    return samples, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_object_of_the_contract():
    samples, embeddings = scene()
    result = benchmark(get_protocol("synvi-all"), samples, embeddings, data="synvi", trials=3, flip=True)
    record = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert list(record) == [
        *("data", "protocol", "sampler", "shots", "trials", "flip", "rerank", "distance", "num_valid"),
        *("mean", "sd", "per_trial"),
    ]
    assert list(record.values())[:9] == ["synvi", "synvi-all", "seeded", 1, 3, True, False, "cosine", 48]
    assert list(record["mean"]) == list(record["sd"]) == SCORES
    assert [list(scores) for scores in record["per_trial"]] == [SCORES] * 3
    for name in SCORES:
        values = np.array([scores[name] for scores in record["per_trial"]])
        assert record["mean"][name] == pytest.approx(values.mean(), abs=1e-12)
        assert record["sd"][name] == pytest.approx(np.sqrt(((values - values.mean()) ** 2).sum() / 2), abs=1e-12)
    assert record["sd"]["mean_ap"] > 0


@pytest.mark.parametrize("name", ["sysu-all", "mixed-infrared"])
def test_blocks_of_queries_score_and_rank_as_all_of_them(name, monkeypatch):
    samples, embeddings = scene()
    protocol = get_protocol(name)
    asked, galleries = draw_trials(protocol, samples, trials=2)
    held = []

    def distances(queries, gallery):
        held.append(len(queries) * len(gallery))
        return cosine_distances(embeddings[queries], embeddings[gallery])

    def made():
        scores = score_trials(protocol, samples, asked, galleries, distances)
        found = list(ranked_rows(protocol, samples, embeddings, asked, galleries[0], 5))
        return found, [(one.scores(), one.average_precision.tolist()) for one in scores]

    rows, scores = made()
    monkeypatch.setattr("mun.evaluation.benchmark.BLOCK", 7 * len(galleries[0]))
    held.clear()
    blocked_rows, blocked_scores = made()
    assert max(held) == 7 * len(galleries[0])
    assert blocked_scores == scores
    assert blocked_rows == [{**row, "cosine": pytest.approx(row["cosine"], abs=1e-12)} for row in rows]


@pytest.mark.parametrize(("name", "shots"), [("sysu-all", 3), ("other", 1)])
def test_every_trial_agrees_with_the_slow_reference(name, shots):
    samples, embeddings = scene(seed=1)
    protocol = OTHER_INSTANTS if name == "other" else get_protocol(name)
    result = benchmark(protocol, samples, embeddings, data="sysu", shots=shots, trials=2)
    row_of = {sample: row for row, sample in enumerate(samples)}
    asked = queries(protocol, samples)
    for trial, metrics in enumerate(result.per_trial):
        gallery = sample_gallery(protocol, samples, shots, trial)
        distances = -(embeddings[[row_of[s] for s in asked]] @ embeddings[[row_of[s] for s in gallery]].T)
        own = name == "other"  # and the query's own instant
        mask = [
            [(q.camid, g.camid) == (3, 2) or (own and (q.pid, q.path.name) == (g.pid, g.path.name)) for g in gallery]
            for q in asked
        ]
        cmc, mean_ap, mean_inp, num_valid, _ = reference.metrics(
            distances.tolist(), [s.pid for s in asked], [s.pid for s in gallery], mask, True
        )
        assert metrics.cmc.tolist() == pytest.approx(cmc, abs=1e-12)
        assert (metrics.mean_ap, metrics.mean_inp) == pytest.approx((mean_ap, mean_inp), abs=1e-12)
        assert metrics.num_valid == num_valid


def test_other_instants_leave_out_the_querys_own():
    """Embeddings of instants, not people, are perfect with the query's own instant in the gallery, and fail without."""
    samples, _ = scene(seed=2, count=2)
    instants = np.eye(2 * 7)[[2 * sample.pid + int(sample.path.stem) - 1 for sample in samples]]
    usual = benchmark(get_protocol("synvi-all"), samples, instants, data="synvi", trials=3)
    other = benchmark(OTHER_INSTANTS, samples, instants, data="synvi", trials=3)
    assert other.mean()["rank1"] < 0.4 < 0.8 < usual.mean()["rank1"]


def test_perfect_embeddings_are_perfect_and_constant_ones_are_chance():
    samples, _ = scene(num_ids=30, count=2)
    perfect = np.eye(31)[[sample.pid for sample in samples]]
    result = benchmark(get_protocol("sysu-all"), samples, perfect, data="sysu", trials=2)
    assert set(result.mean().values()) == {1.0}
    constant = np.ones((len(samples), 4))
    result = benchmark(get_protocol("sysu-all"), samples, constant, data="sysu", trials=2)
    assert result.mean()["rank1"] == pytest.approx(1 / 30)
    assert result.mean()["rank20"] == pytest.approx(20 / 30)


def test_one_trial_has_no_spread_and_lengths_do_not_matter():
    samples, embeddings = scene()
    protocol = get_protocol("synvi-indoor")
    result = benchmark(protocol, samples, embeddings, data="synvi", trials=1)
    assert set(result.sd().values()) == {0.0}
    longer = benchmark(protocol, samples, 7 * embeddings, data="synvi", trials=1)
    assert longer.mean() == pytest.approx(result.mean(), abs=1e-12)


def test_the_official_sampler_is_recorded():
    samples, embeddings = scene()
    permutations = {(camid, pid): np.tile([4, 3, 2, 1], (10, 1)) for camid in (1, 2, 4, 5) for pid in range(1, 7)}
    result = benchmark(
        get_protocol("sysu-all"), samples, embeddings, data="sysu", sampler="official", permutations=permutations
    )
    assert (result.sampler, len(result.per_trial)) == ("official", 10)
    assert max(result.sd().values()) < 1e-12  # the same images in each trial


@pytest.mark.parametrize(
    ("samples", "embeddings", "message"),
    [
        (scene()[0], np.ones((5, 2)), r"expected `embeddings` of shape \(144, D\) .* got \(5, 2\)"),
        (scene()[0][:1] * 2, np.ones((2, 2)), "no sample twice, got .* for 1 different samples"),
    ],
)
def test_bad_embeddings_are_refused(samples, embeddings, message):
    with pytest.raises(ValueError, match=message):
        benchmark(get_protocol("synvi-all"), samples, embeddings, data="synvi")


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (
            lambda s: (s.modality is Modality.VISIBLE) == (s.pid < 3),
            "expected a match that counts .* its rule: .*cameras 2 and 3 watch one site",
        ),
        (lambda s: s.camid in (2, 3), "expected a match that counts .* its rule: .*cameras 2 and 3 watch one site"),
    ],
)
def test_splits_that_cannot_be_searched_are_refused(keep, message):
    samples = [sample for sample in scene()[0] if keep(sample)]
    with pytest.raises(ValueError, match=message):
        benchmark(get_protocol("synvi-all"), samples, np.ones((len(samples), 2)), data="synvi")
