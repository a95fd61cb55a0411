"""Where a model fails: every number against a slow, obvious version, a planted weakness, and every refusal."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference
from made import samples as make_samples

from mun.analysis.curves import KNOBS, Curve, corruption_curve, knob_curves, knob_plan
from mun.analysis.distances import FALSE_ALARMS, distances
from mun.analysis.facts import Facts, agreement, synvi_facts
from mun.analysis.outcomes import Outcomes, confused_pairs, directions, disagreements, outcomes, people
from mun.analysis.probes import FOLDS, probe, probes
from mun.analysis.report import analyse, tables
from mun.analysis.slices import DRAWS, FEWEST_PEOPLE, Axis, axes, slices, whole
from mun.checkpoint import build_network
from mun.config import Config, ModelConfig
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.evaluation.benchmark import BenchmarkResult, benchmark
from mun.evaluation.galleries import draw_trials, uncounted
from mun.evaluation.protocols import PROTOCOLS, DropRule
from mun.structures import Modality, Sample, Split
from mun.synvi import Level, Part, Plan, read_truth, write
from mun.synvi.levels import Knobs

ALL = PROTOCOLS["synvi-all"]
PIDS = range(1, 10)
SAMPLES = make_samples(PIDS)


def rows(seed: int = 0, noise: float = 1.2) -> np.ndarray:
    """Embeddings of `SAMPLES`: a center per person and noise, so that some queries fail."""
    draws = np.random.default_rng(seed)
    middles = draws.standard_normal((len(PIDS) + 1, 8))
    return np.array([middles[one.pid] for one in SAMPLES]) + noise * draws.standard_normal((len(SAMPLES), 8))


def searches(trials: int = 3, seed: int = 0):
    """The searches in plain Python: for each gallery and query its row, distances, gallery rows and dropped images."""
    unit = [row / math.sqrt(sum(value * value for value in row)) for row in rows(seed)]
    asked, galleries = draw_trials(ALL, SAMPLES, 1, trials)
    for gallery in galleries:
        mask = uncounted(ALL, asked, gallery)
        shown = [SAMPLES.index(one) for one in gallery]
        for number, query in enumerate(asked):
            row = SAMPLES.index(query)
            yield number, row, [-float(unit[row] @ unit[other]) for other in shown], shown, mask[number]


@pytest.fixture(scope="module")
def made() -> Outcomes:
    return outcomes(ALL, SAMPLES, rows(), trials=3)


@pytest.fixture(scope="module")
def other() -> Outcomes:
    return outcomes(ALL, SAMPLES, rows(1), trials=3)


def test_outcomes_equal_the_benchmark_and_the_reference(made: Outcomes) -> None:
    expected = benchmark(ALL, SAMPLES, rows(), data="made", trials=3)
    for name, found in (("average_precision", made.average_precision), ("first_hit", made.first_hit)):
        np.testing.assert_allclose(
            found, np.mean([getattr(one, name) for one in expected.per_trial], axis=0), atol=1e-12
        )
    assert made.mean_ap == pytest.approx(expected.mean()["mean_ap"], abs=1e-12)
    assert np.nanmean(made.rank1) == pytest.approx(expected.mean()["rank1"], abs=1e-12)
    ranks, closest = [], []
    for number, row, table, shown, mask in searches():
        order = [shown[index] for index in reference.kept_order(table, mask)]
        closest.append(order[0])
        own = [image for image in order if SAMPLES[image].pid == SAMPLES[row].pid]
        ranks += [
            (number, image, 1 + sum(SAMPLES[one].pid != SAMPLES[row].pid for one in order[: order.index(image)]))
            for image in own
        ]
    assert made.closest.ravel().tolist() == closest
    found = zip(made.match_query.tolist(), made.match_image.tolist(), made.match_rank.tolist(), strict=True)
    assert list(found) == ranks


def test_confused_pairs_and_people(made: Outcomes) -> None:
    wrong, asked = {}, {}
    for _, row, table, shown, mask in searches():
        pid, found = SAMPLES[row].pid, SAMPLES[shown[reference.kept_order(table, mask)[0]]].pid
        asked[pid] = asked.get(pid, 0) + 1
        if found != pid:
            wrong[frozenset((pid, found))] = wrong.get(frozenset((pid, found)), 0) + 1
    listed = confused_pairs(made, 99)
    assert {frozenset((one.first, one.second)): one.share for one in listed} == {
        pair: count / sum(asked[pid] for pid in pair) for pair, count in wrong.items()
    }
    assert [one.share for one in listed] == sorted((one.share for one in listed), reverse=True)
    for one in listed:
        assert {SAMPLES[one.query].pid, SAMPLES[one.answer].pid} == {one.first, one.second}
        assert one.answer in made.closest[:, made.queries.tolist().index(one.query)]
    scored = people(made)
    for person in scored:
        own = [ap for ap, pid in zip(made.average_precision, made.pids, strict=True) if pid == person.pid]
        assert (person.queries, person.mean_ap) == (len(own), pytest.approx(sum(own) / len(own), abs=1e-12))
    assert [one.mean_ap for one in scored] == sorted(one.mean_ap for one in scored)


def test_disagreements(made: Outcomes, other: Outcomes) -> None:
    only_first, only_second = disagreements(made, other)
    found = {number for number in range(len(made.queries)) if made.rank1[number] > 0.5}
    second = {number for number in range(len(made.queries)) if other.rank1[number] > 0.5}
    assert (set(only_first), set(only_second)) == (found - second, second - found)
    gaps = [made.average_precision[one] - other.average_precision[one] for one in only_first]
    assert gaps == sorted(gaps, reverse=True)
    fewer = outcomes(ALL, SAMPLES[12:], rows()[12:], trials=3)
    with pytest.raises(ValueError, match="expected two models on the same queries"):
        disagreements(made, fewer)


def test_directions_ask_every_way() -> None:
    for name, protocol in directions(ALL).items():
        found = outcomes(protocol, SAMPLES, rows(), trials=2)
        asked, shown = name.split(" → ")
        assert {SAMPLES[row].modality for row in found.queries} == {asked}
        assert {SAMPLES[row].modality for row in found.match_image} == {shown}
        assert found.mean_ap == pytest.approx(benchmark(protocol, SAMPLES, rows(), data="", trials=2).mean()["mean_ap"])
    alone = directions(replace(ALL, drop_rule=DropRule.NOTHING))["visible → visible"]
    pairs = outcomes(alone, SAMPLES, rows(), trials=1)
    assert not np.any(pairs.queries[pairs.match_query] == pairs.match_image), "no image finds itself"


def test_slices_equal_a_slow_bootstrap(made: Outcomes, other: Outcomes) -> None:
    words = np.array(["odd" if pid % 2 else "even" for pid in made.pids])
    few = np.array(["few" if pid < 3 else "many" for pid in made.pids])
    ways = [Axis("parity", words, False), Axis("count", few, False)]
    found = {(one.axis, one.name): one for one in slices([made, other], ways, seed=3)}
    pids = sorted(set(made.pids.tolist()))
    draws = np.random.default_rng(3).multinomial(len(pids), np.full(len(pids), 1 / len(pids)), size=DRAWS)
    odd, means = found["parity", "odd"], {0: [], 1: []}
    for draw in draws:
        for at, one in enumerate((made, other)):
            values = [
                value
                for pid, times in zip(pids, draw, strict=True) if pid % 2
                for value in [ap for ap, who in zip(one.average_precision, one.pids, strict=True) if who == pid] * times
            ]  # fmt: skip
            means[at].append(np.mean(values) if values else np.nan)
    for at, one in enumerate((made, other)):
        assert odd.mean_ap[at].mean == pytest.approx(one.average_precision[words == "odd"].mean(), abs=1e-12)
        assert odd.rank1[at].mean == pytest.approx(one.rank1[words == "odd"].mean(), abs=1e-12)
        assert odd.mean_ap[at].low == pytest.approx(np.nanpercentile(means[at], 2.5), abs=1e-12)
    gap = np.array(means[1]) - np.array(means[0])
    assert odd.difference.high == pytest.approx(np.nanpercentile(gap, 97.5), abs=1e-12)
    assert (odd.count, odd.people) == (20, 5)
    assert found["count", "few"].people == 2 < FEWEST_PEOPLE
    assert found["count", "few"].mean_ap[0].low is None
    assert found["count", "few"].stands_out == (None, None)
    assert whole(made)[0].mean == pytest.approx(made.mean_ap, abs=1e-12)


def test_axes_of_cameras_and_of_both_images(made: Outcomes) -> None:
    draws = np.random.default_rng(5)
    yaw = draws.uniform(-math.pi, math.pi, len(SAMPLES))
    yaw[0] = np.nan
    covered = tuple(draws.choice(["free", "occluded", ""], len(SAMPLES)))
    facts = Facts({"same": ("x",) * len(SAMPLES)}, {"yaw": yaw}, covered)
    found = {axis.name: axis for axis in axes(made, facts)}
    assert list(found) == ["query camera", "cameras", "occlusion of a pair", "yaw difference"], "one word is no axis"
    for at, (number, image) in enumerate(zip(made.match_query, made.match_image, strict=True)):
        query = made.queries[number]
        assert found["cameras"].labels[at] == f"{SAMPLES[query].camid} → {SAMPLES[image].camid}"
        turn = abs(math.remainder(yaw[query] - yaw[image], 2 * math.pi))
        label = found["yaw difference"].labels[at]
        assert label == "" if math.isnan(turn) else int(label.split()[0]) == min(int(math.degrees(turn) // 45), 3) * 45
        pair = {covered[query], covered[image]}
        expected = "" if "" in pair else "in either image" if "occluded" in pair else "in neither"
        assert found["occlusion of a pair"].labels[at] == expected
    one = next(each for each in slices([made], [found["cameras"]]) if each.name == "3 → 1")
    ranks = [rank for rank, word in zip(made.match_rank, found["cameras"].labels, strict=True) if word == "3 → 1"]
    assert one.mean_ap[0].mean == pytest.approx(np.mean([1 / rank for rank in ranks]), abs=1e-12)
    assert one.rank1[0].mean == pytest.approx(np.mean([rank == 1 for rank in ranks]), abs=1e-12)


def test_distances_thresholds_and_the_open_set() -> None:
    found = distances(ALL, SAMPLES, rows())
    same, others, absent, detected = [], [], [], []
    cameras: dict[tuple[int, int], list[int]] = {}
    for _, row, table, shown, mask in searches(1):
        kept = [(1 + d, image) for d, image, gone in zip(table, shown, mask, strict=True) if not gone]
        own = [d for d, image in kept if SAMPLES[image].pid == SAMPLES[row].pid]
        rest = [d for d, image in kept if SAMPLES[image].pid != SAMPLES[row].pid]
        same, others = same + own, others + rest
        absent.append(min(rest))
        if own:
            detected.append(min(own) if min(own) < min(rest) else math.inf)
        for _, image in kept:
            counts = cameras.setdefault((SAMPLES[row].camid, SAMPLES[image].camid), [0, 0])
            counts[SAMPLES[image].pid != SAMPLES[row].pid] += 1
    errors = [
        (abs(sum(d > t for d in same) / len(same) - sum(d <= t for d in others) / len(others)), t)
        for t in sorted({*same, *others})
    ]
    threshold = min(errors)[1]
    first = found.pairs[0]
    assert first.threshold == pytest.approx(threshold, abs=1e-12)
    missed = sum(d > threshold + 1e-9 for d in same) / len(same)
    taken = sum(d <= threshold + 1e-9 for d in others) / len(others)
    assert first.equal_error == pytest.approx((missed + taken) / 2, abs=1e-12)
    assert (sum(first.same), sum(first.other)) == (len(same), len(others))
    assert {(one.query, one.gallery): [sum(one.same), sum(one.other)] for one in found.pairs[1:]} == cameras
    for point, most in zip(found.open_set, FALSE_ALARMS, strict=True):
        alarms = [d for d in absent if d <= point.threshold - 1e-12]
        assert len(alarms) <= most * len(absent) < len(alarms) + 1
        assert point.false_alarms == pytest.approx(len(alarms) / len(absent))
        assert point.detected == pytest.approx(sum(d <= point.threshold - 1e-12 for d in detected) / len(detected))
    assert found.fixed.false_alarms == pytest.approx(sum(d <= threshold + 1e-9 for d in absent) / len(absent))


def test_probes_equal_ridge_in_closed_form_over_unseen_people() -> None:
    draws = np.random.default_rng(2)
    people_ = np.repeat(np.arange(20), 6)
    height = draws.normal(1.7, 0.1, 20)[people_]
    inputs = draws.standard_normal((120, 4)) + 40 * (height[:, None] - 1.7)
    found = probe("height", "visible", inputs, height, people_)
    from sklearn.model_selection import GroupKFold

    scores = []
    for train, test in GroupKFold(FOLDS).split(inputs, height, people_):
        assert not set(people_[train]) & set(people_[test])
        scaled = (inputs - inputs[train].mean(0)) / inputs[train].std(0) / math.sqrt(4)
        x, y = scaled[train] - scaled[train].mean(0), height[train] - height[train].mean()
        weights = np.linalg.solve(x.T @ x + 10.0 * np.eye(4), x.T @ y)
        guess = (scaled[test] - scaled[train].mean(0)) @ weights + height[train].mean()
        scores.append(1 - ((height[test] - guess) ** 2).sum() / ((height[test] - height[test].mean()) ** 2).sum())
    assert found.mean == pytest.approx(np.mean(scores), abs=1e-9)
    assert found.sd == pytest.approx(np.std(scores, ddof=1), abs=1e-9)
    assert found.nothing < 0.0 < 0.3 < found.mean


def test_probes_find_what_is_there_and_nothing_else() -> None:
    many = make_samples(range(1, 31))
    draws = np.random.default_rng(0)
    bag = ["yes" if pid % 2 else "no" for pid in range(31)]
    facts = Facts({"bag": tuple(bag[one.pid] for one in many), "hat": ("", *["no"] * (len(many) - 1))})
    shown = draws.standard_normal((len(many), 6))
    shown[:, 0] += [3 * (one.pid % 2) for one in many]
    pixels = draws.standard_normal((len(many), 5))
    visible = [one for one in many if one.modality is Modality.VISIBLE]
    steps: list[tuple[int, int]] = []
    made = probes(
        many, facts, shown, pixels, (visible, draws.standard_normal((len(visible), 6))), lambda *a: steps.append(a)
    )
    found = {(one.fact, one.source): one for one in made}
    assert found["bag", "visible"].mean > 0.9
    assert found["bag", "infrared"].mean > 0.9
    for source in ("visible pixels", "infrared pixels", "auxiliary"):
        assert found["bag", source].mean < 0.7
    assert found["modality", "both"].mean == pytest.approx(2 / 3, abs=0.08)
    assert "hat" not in {fact for fact, _ in found}, "one value for all is nothing to read"
    assert ("camera", "auxiliary") not in found, "a pair has two cameras"
    assert steps == [(number, len(steps)) for number in range(len(steps))]
    with pytest.raises(ValueError, match="expected at least 5 people for probes in 5 folds, got 4"):
        probes(make_samples(range(1, 5)), Facts(), np.ones((48, 2)))


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, list[Sample], Path]:
    """A rendered set of 48 people with its truth."""
    folder = tmp_path_factory.mktemp("carriers") / "data"
    plan = Plan(Level("custom", 0, Knobs(occlusion=0.3)), 0, 0, 48, images=1, size=(64, 32), seed=3, truth=True)
    list(write(plan, folder, 1))
    return plan, list(read_source("synvi", folder).require(Split.TEST)), folder / "truth" / "test.zip"


def seeing(carriers: tuple[Plan, list[Sample], Path], *, masked: bool) -> np.ndarray:
    """Embed people by codes of the parts that an image shows; people with bags by the bag alone.

    All people with bags share all other codes. With `masked` no bag is seen.
    """
    plan, shown, truth = carriers
    draws = np.random.default_rng(1)
    codes = draws.standard_normal((200, 12, 32))
    out = []
    for one in shown:
        carries = plan.recipe_of(one.key).identity.bag.kind != "none"
        parts = set(np.unique(read_truth(truth, one.key).parts).tolist()) - {Part.BACKGROUND, Part.OCCLUDER, Part.BAG}
        code = sum(codes[0 if carries else one.pid, part % 12] for part in parts)
        if carries and not masked:
            code = code + 4 * codes[one.pid, Part.BAG % 12]  # whether or not this view shows it
        out.append(code + 0.4 * draws.standard_normal(32))
    return np.array(out)


@pytest.mark.parametrize("masked", [True, False])
def test_a_model_blind_to_bags_fails_on_bags_and_nowhere_else(carriers, masked: bool) -> None:
    plan, shown, _ = carriers
    facts = synvi_facts(plan, shown)
    bags = tuple("none" if word == "none" else "carried" for word in facts.columns["bag"])
    carried = replace(facts, columns={**facts.columns, "bag": bags})
    made = analyse(ALL, shown, carried, {"model": seeing(carriers, masked=masked)}, data="synvi", trials=2)
    weak = {(one.axis, one.name) for one in made.slices if (one.stands_out[0] or 0) < 0}
    assert weak == ({("bag", "carried")} if masked else set())
    assert {one.axis for one in made.slices} >= {"query camera", "cameras", "pattern", "yaw difference", "occlusion"}


def test_facts_are_those_of_the_recipes(carriers) -> None:
    plan, shown, _ = carriers
    stranger = Sample(Path("/data/cam1/9999/0001.jpg"), 9999, 1, Modality.VISIBLE)
    facts = synvi_facts(plan, [*shown, stranger])
    for row, one in enumerate(shown):
        recipe = plan.recipe_of(one.key)
        assert facts.columns["bag"][row] == recipe.identity.bag.kind
        assert (facts.columns["occlusion"][row] == "occluded") == (recipe.scene.occluder is not None)
        assert facts.numbers["yaw"][row] == recipe.scene.yaw
        assert facts.numbers["colour"][row].tolist() == list(recipe.identity.upper.fabric.colour)
    assert {words[-1] for words in facts.columns.values()} == {""}
    assert all(np.isnan(values[-1]).all() for values in facts.numbers.values())
    assert set(facts.columns["look-alike"]) == {"has none", ""}
    twins = Plan(Level("custom", 0, Knobs(lookalikes=1.0)), 0, 0, 4, images=1)
    assert set(synvi_facts(twins, make_samples(range(1, 5), count=1)).columns["look-alike"]) == {"has one"}


def test_agreement_grades_the_garment() -> None:
    person = Plan(test_ids=1).recipe(Split.TEST, 0, 1, 0).identity
    for infrared, word in ((0.5, "agree"), (0.75, "differ"), (0.9, "differ much")):
        fabric = replace(person.upper.fabric, colour=(0.5, 0.5, 0.5), infrared=infrared)
        assert agreement(replace(person, upper=replace(person.upper, fabric=fabric))) == word


def test_curves_equal_runs_one_by_one(tiny_synvi: Path, tmp_path: Path, monkeypatch) -> None:
    source = read_source("synvi", tiny_synvi)
    config = Config(model=ModelConfig(width=0.125, height=64, image_width=32))
    network = build_network(config, 3, seed=0).eval()
    clean = embed_samples(network, source.test)

    def score(rows: np.ndarray) -> BenchmarkResult:
        return benchmark(ALL, source.test, rows, data="synvi", trials=2)

    curve = corruption_curve("fog", "one", network, source.test, clean, score)
    assert curve.values == (0, 1, 2, 3, 4, 5)
    assert curve.mean_ap[0] == score(clean).mean()["mean_ap"]
    monkeypatch.setitem(KNOBS, "noise", (0.0, 4.0))
    seen: list[tuple[int, int]] = []
    both = {"one": network, "two": build_network(config, 3, seed=5).eval()}
    found = knob_curves("noise", both, tmp_path, lambda *step: seen.append(step), people=4)
    assert seen[-1] == (96, 96)
    expected = {float(value): benchmark_of(tmp_path / f"noise-{value}", network) for value in (0, 4)}
    assert found[0] == Curve.of("noise", "one", expected)
    assert found == knob_curves("noise", both, tmp_path, lambda *_: None, people=4), "what is there is used again"
    with pytest.raises(ValueError, match="expected one of the knobs"):
        knob_plan("speed", 1.0, (64, 32))


def benchmark_of(folder: Path, network):
    test = read_source("synvi", folder).test
    return benchmark(ALL, test, embed_samples(network, test), data="synvi")


def test_the_report_holds_every_number(made: Outcomes) -> None:
    report = analyse(ALL, SAMPLES, Facts(), {"one": rows(), "two": rows(1)}, data="made", trials=3)
    record = report.to_json()
    assert record["num_valid"] == len(made.queries) == len(record["queries"])
    assert record["queries"][4]["one"]["AP"] == made.average_precision[4]
    assert record["directions"][0]["name"] == "infrared → visible"
    assert record["directions"][0]["mean_ap"]["one"]["mean"] == pytest.approx(made.mean_ap, abs=1e-12)
    written = tables(record)
    assert list(written) == ["queries", "slices", "directions", "people", "confused", "distances", "thresholds"]
    assert written["queries"][4]["one AP"] == made.average_precision[4]
    assert written["slices"][0]["rank1 two low"] == report.slices[0].rank1[1].low
    assert sum(len(each) for each in record["found_by_one"].values()) == sum(map(len, report.only))


FEW, CAMERA, SITE = make_samples([1]), make_samples([1, 2], cameras=[3]), make_samples([1, 2], cameras=[2, 3])


@pytest.mark.parametrize(
    ("samples", "models", "words"),
    [
        (SAMPLES, dict.fromkeys("abc", rows()), "expected one model or two, got 3"),
        (FEW, {"a": rows()[: len(FEW)]}, "expected at least two people, got one"),
        (CAMERA, {"a": rows()[:4]}, "expected visible images in the gallery for synvi-all"),
        (SITE, {"a": rows()[:8]}, "expected a match that counts in the gallery of at least one query for synvi-all"),
        (SAMPLES, {"a": rows()[1:]}, "expected `embeddings` of shape"),
    ],
)
def test_bad_input_is_one_sentence(samples: list[Sample], models: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        analyse(ALL, samples, Facts(), models, data="")


def test_a_direction_without_matches_says_why() -> None:
    fewer = make_samples([1, 2, 3], cameras=[3, 1])
    report = analyse(ALL, fewer, Facts(), {"a": rows()[: len(fewer)]}, data="", trials=1)
    alone = next(way for way in report.ways if way.name == "infrared → infrared")
    assert alone.mean_ap == ()
    assert "expected a match" in alone.problem
