"""The bounds: each uses only what it names, chance is exact, and SynVI's pixels and backgrounds reveal little."""

import itertools

import numpy as np
import pytest
from made import samples as samples_of

from mun.evaluation.benchmark import benchmark
from mun.evaluation.bounds import (
    ATTRIBUTES,
    attribute_codes,
    benchmark_distances,
    chance,
    disagreement,
    grey_feature,
    hog_feature,
    random_features,
    silhouette_feature,
    standard_errors,
)
from mun.evaluation.galleries import queries, sample_gallery
from mun.evaluation.metrics import rank_metrics
from mun.evaluation.protocols import PROTOCOLS, SAME_MODALITY, dropped, get_protocol
from mun.structures import Modality, Split
from mun.synvi import LEVELS, Part, Plan
from mun.synvi.render import render_background

ACROSS = get_protocol("synvi-all")
READ = {"upper": "coat", "upper_pattern": None, "upper_hem": 0.31, "sleeve": 1.0, "lower": "slim", "hat": "none"}
READ |= {"lower_pattern": "checks", "lower_hem": 0.06, "hair": "bob", "beard": False, "bag": None, "boots": True}


def images(num_ids=4, count=2, cameras=range(1, 7)):
    return samples_of(range(1, num_ids + 1), cameras, count)


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (128, 64, 3), np.uint8)


def test_grey_pixels_know_the_grey_value_and_not_the_brightness():
    pixels = picture() // 2
    feature = grey_feature(pixels)
    luma = 0.299 * pixels[..., 0] + 0.587 * pixels[..., 1] + 0.114 * pixels[..., 2]
    assert feature == pytest.approx(luma.ravel() - luma.mean(), abs=1e-3)
    assert grey_feature(pixels + np.uint8(40)) == pytest.approx(feature, abs=1e-3)


def test_hog_knows_edges_and_not_their_sign():
    pixels = picture()
    feature = hog_feature(pixels)
    assert (feature.shape, feature.dtype) == ((3780,), np.float32)
    assert hog_feature(255 - pixels) == pytest.approx(feature, abs=1e-5)
    assert np.abs(hog_feature(pixels[:, ::-1]) - feature).max() > 0.1


def test_a_silhouette_knows_no_parts_and_not_what_is_hidden():
    parts = np.zeros((128, 64), np.uint8)
    parts[10:110, 20:44] = Part.UPPER
    feature = silhouette_feature(parts)
    assert feature.shape == (32 * 16,)
    assert feature.sum() == pytest.approx(0, abs=1e-3)
    mixed = parts.copy()
    mixed[30:60, 20:44], mixed[60:110, 20:44], mixed[10:20, 20:44] = Part.BAG, Part.LEG, Part.HAT
    assert (silhouette_feature(mixed) == feature).all()
    hidden, gone = parts.copy(), parts.copy()
    hidden[60:110], gone[60:110] = Part.OCCLUDER, Part.BACKGROUND
    assert (silhouette_feature(hidden) == silhouette_feature(gone)).all()
    assert (silhouette_feature(hidden) != feature).any()


def test_attributes_are_read_as_coarsely_as_they_have_names():
    changes = [{}, {"upper_hem": 0.29}, {"upper_hem": 0.37}, {"upper_pattern": "stripes"}, {"sleeve": 0.9}]
    changes += [{"sleeve": 0.36}, {"upper": None, "upper_hem": None, "sleeve": None}, {"bag": "tote"}, {"beard": True}]
    codes = attribute_codes([READ | change for change in changes])
    assert codes.shape == (9, len(ATTRIBUTES))
    differing = [{ATTRIBUTES[column] for column in np.flatnonzero(row != codes[0])} for row in codes]
    unseen = {"upper", "upper_pattern", "upper_hem", "sleeve"}  # no garment, no plain one either
    assert differing == [
        *(set(), set(), {"upper_hem"}, {"upper_pattern"}, set(), {"sleeve"}),
        *(unseen, {"bag"}, {"beard"}),
    ]
    assert (codes[6, [ATTRIBUTES.index(name) for name in unseen]] == -1).all()
    assert codes[0, ATTRIBUTES.index("bag")] == -1
    assert codes[0, ATTRIBUTES.index("upper_pattern")] >= 0


def test_attributes_know_no_colour():
    told = READ | {"upper_colour": [0.1, 0.2, 0.3], "lower_infrared": 0.4}
    other = READ | {"upper_colour": [0.9, 0.1, 0.1], "lower_infrared": 0.9}
    assert np.ptp(attribute_codes([told, other]), axis=0).max() == 0


def test_disagreement_counts_what_both_images_show():
    generator = np.random.default_rng(0)
    query, gallery = (generator.integers(-1, 3, (size, 5)) for size in (7, 9))
    query[0] = -1  # shows nothing
    found = disagreement(query, gallery)
    for asked, row in zip(query, found, strict=True):
        for shown, distance in zip(gallery, row, strict=True):
            both = [(a, b) for a, b in zip(asked, shown, strict=True) if a >= 0 and b >= 0]
            expected = sum(a != b for a, b in both) / len(both) if both else 1.0
            assert distance == pytest.approx(expected, abs=1e-12)


def test_distances_are_scored_as_embeddings_are():
    samples = images(num_ids=25)
    rows = np.random.default_rng(1).standard_normal((len(samples), 6))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ours = benchmark_distances(
        ACROSS, samples, lambda asked, shown: -rows[asked] @ rows[shown].T, data="synvi", name="cosine", trials=3
    )
    assert ours.to_json() == benchmark(ACROSS, samples, rows, data="synvi", trials=3).to_json()


@pytest.mark.parametrize("name", ["synvi-all", "synvi-v2v"])
def test_chance_is_the_mean_over_all_orders(name):
    """Two people and few cameras, so that every order of the gallery can be tried."""
    protocol = {**PROTOCOLS, **SAME_MODALITY}[name]
    samples = images(num_ids=2, count=1, cameras=(1, 2, 3, 4, 6))
    asked, gallery = queries(protocol, samples), sample_gallery(protocol, samples, 1, 0)
    sides = [[sample.pid for sample in side] for side in (asked, gallery)]
    mask = dropped(protocol, sides[0], [s.camid for s in asked], sides[1], [s.camid for s in gallery])
    scores = [
        rank_metrics(np.tile(order, (len(asked), 1)), *sides, mask, True)
        for order in itertools.permutations(range(len(gallery)))
    ]
    exact = chance(protocol, samples)
    assert exact["rank1"] == pytest.approx(np.mean([score.rank(1) for score in scores]), abs=1e-12)
    assert exact["mean_ap"] == pytest.approx(np.mean([score.mean_ap for score in scores]), abs=1e-12)


def test_chance_needs_a_match():
    samples = [s for s in images(num_ids=2) if (s.modality is Modality.VISIBLE) == (s.pid == 1)]
    with pytest.raises(ValueError, match="expected a match in the gallery of at least one query of synvi-all"):
        chance(ACROSS, samples)


def test_the_standard_error_is_over_people():
    samples = images(num_ids=5)
    result = benchmark(ACROSS, samples, random_features(len(samples), seed=3), data="synvi", trials=4)
    pids = [sample.pid for sample in queries(ACROSS, samples)]
    found = standard_errors(result, pids)
    hits = {pid: [] for pid in pids}
    for trial in result.per_trial:
        for pid, first in zip(pids, trial.first_hit, strict=True):
            hits[pid].append(first == 1)
    means = [np.mean(values) for values in hits.values()]
    assert found["rank1"] == pytest.approx(np.std(means, ddof=1) / np.sqrt(5), abs=1e-12)
    assert 0 < found["mean_ap"] < 0.2


def test_the_standard_error_needs_people():
    samples = images(num_ids=2)
    result = benchmark(ACROSS, samples, random_features(len(samples)), data="synvi", trials=1)
    with pytest.raises(ValueError, match=r"expected `pids` of shape \(8,\), got \(3,\)"):
        standard_errors(result, [1, 2, 3])
    with pytest.raises(ValueError, match="expected valid queries of at least two identities, got 1"):
        standard_errors(result, [1] * 8)


@pytest.mark.parametrize(("name", "cameras"), [("synvi-v2v", (1, 2, 4, 5)), ("synvi-i2i", (3, 6))])
def test_searches_within_a_modality_are_across_cameras_and_not_published(name, cameras):
    protocol, samples = SAME_MODALITY[name], images()
    assert name not in PROTOCOLS
    with pytest.raises(ValueError, match="expected one of the protocols"):
        get_protocol(name)
    assert protocol.gallery_modality is protocol.query_modality
    asked, gallery = queries(protocol, samples), sample_gallery(protocol, samples, 1, 0)
    assert {sample.camid for sample in asked} == {sample.camid for sample in gallery} == set(cameras)
    assert len(gallery) == 4 * len(cameras)
    sides = [[getattr(s, key) for s in side] for side in (asked, gallery) for key in ("pid", "camid")]
    assert (dropped(protocol, *sides) == np.equal.outer(sides[1], sides[3])).all()


@pytest.fixture(scope="module")
def standard():
    """Images of 30 people at level standard, before their JPEG, and the same images without their people."""
    plan = Plan(LEVELS["standard"], train_ids=0, val_ids=0, test_ids=30, images=2, seed=31)
    samples = images(num_ids=30)
    recipes = [plan.recipe(Split.TEST, s.pid - 1, s.camid, int(s.path.stem) - 1) for s in samples]
    empty = [render_background(r.identity, r.camera, r.scene, r.size, r.knobs) for r in recipes]
    return samples, np.stack([recipe.image() for recipe in recipes]), np.stack(empty)


def away_from_chance(samples, features):
    """The distances of rank-1 and mAP from chance, in standard errors over people."""
    result = benchmark(ACROSS, samples, features, data="synvi")
    errors = standard_errors(result, [sample.pid for sample in queries(ACROSS, samples)])
    return {name: (result.mean()[name] - value) / errors[name] for name, value in chance(ACROSS, samples).items()}


@pytest.mark.slow
def test_grey_pixels_find_at_most_a_tenth(standard):
    samples, pixels, _ = standard
    result = benchmark(ACROSS, samples, np.stack([grey_feature(image) for image in pixels]), data="synvi")
    assert result.mean()["rank1"] <= 0.10


@pytest.mark.slow
@pytest.mark.parametrize("feature", [grey_feature, hog_feature])
def test_backgrounds_alone_are_chance(standard, feature):
    samples, _, empty = standard
    away = away_from_chance(samples, np.stack([feature(image) for image in empty]))
    assert max(map(abs, away.values())) < 3


@pytest.mark.slow
def test_a_background_that_tells_who_is_there_would_be_noticed(standard):
    """The same test with a faint stripe at a height that depends on the person."""
    samples, _, empty = standard
    told = empty // 2
    for image, sample in zip(told, samples, strict=True):
        image[2 * sample.pid : 2 * sample.pid + 2] += np.uint8(60)
    away = away_from_chance(samples, np.stack([grey_feature(image) for image in told]))
    assert min(away.values()) > 3
