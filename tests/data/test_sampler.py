"""Batches of P×K and pairs for a generator: what is in them, that seed and step alone decide, and the refusals."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mun.data.pairing import Pairing, pair_samples
from mun.data.sampler import CrossModalSampler, training_labels
from mun.structures import Modality, Sample

V, I = Modality.VISIBLE, Modality.INFRARED


def samples(pids=range(10, 22), visible: int = 5, infrared: int = 3) -> list[Sample]:
    made = [Sample(Path(f"cam1/{p:04d}/{k}.jpg"), p, 1, V) for p in pids for k in range(visible)]
    return made + [Sample(Path(f"cam3/{p:04d}/{k}.jpg"), p, 3, I) for p in pids for k in range(infrared)]


def test_a_batch_is_p_by_k_pairs_of_one_person() -> None:
    source = samples()
    labels_of = training_labels(source)
    sampler = CrossModalSampler(source, ids_per_batch=4, instances_per_id=3, seed=0)
    rows, labels = sampler.batch(5)
    assert sorted(Counter(labels.tolist()).values()) == [3, 3, 3, 3]
    for modality in (V, I):
        chosen = [source[row] for row in rows[modality]]
        assert [labels_of[sample.pid] for sample in chosen] == labels.tolist()
        assert {sample.modality for sample in chosen} == {modality}
        assert len({row.item() for row in rows[modality]}) == 12


def test_the_step_decides_and_nothing_else() -> None:
    source = samples()
    first = CrossModalSampler(source, 4, 2, seed=3)
    for step in (7, 2, 7):
        first.batch(step)
    rows, labels = CrossModalSampler(source, 4, 2, seed=3).batch(2)
    again, labels_again = first.batch(2)
    assert np.array_equal(labels, labels_again)
    assert all(np.array_equal(rows[m], again[m]) for m in rows)
    others = [CrossModalSampler(source, 4, 2, seed=4).batch(2), first.batch(3)]
    assert all(not np.array_equal(rows[V], other[V]) for other, _ in others)


def test_every_identity_once_per_round() -> None:
    sampler = CrossModalSampler(samples(), 4, 2, seed=0)
    seen = Counter(label for step in range(3) for label in sampler.identities_of(step).tolist())
    assert seen == Counter(range(12))


def test_few_images_are_drawn_with_replacement() -> None:
    rows, _ = CrossModalSampler(samples(visible=2, infrared=1), 2, 4, seed=0).batch(0)
    assert len(rows[V]) == len(rows[I]) == 8


def test_epoch_length_counts_the_larger_modality() -> None:
    assert CrossModalSampler(samples(), 4, 2, seed=0).steps_per_epoch == -(-12 * 5 // 8)


def test_identities_of_one_modality_are_left_out() -> None:
    source = [*samples(), Sample(Path("cam1/0001/1.jpg"), 1, 1, V)]
    sampler = CrossModalSampler(source, 4, 2, seed=0)
    assert sampler.num_classes == 13
    assert 0 not in {label for step in range(6) for label in sampler.identities_of(step).tolist()}


def test_same_instant_pairs_equal_file_names() -> None:
    source = samples(visible=5, infrared=3)
    rows, labels = CrossModalSampler(source, 4, 3, seed=0, same_instant=True).batch(1)
    pairs = [(source[v], source[i]) for v, i in zip(rows[V], rows[I], strict=True)]
    assert all(visible.pid == infrared.pid for visible, infrared in pairs)
    assert all(visible.path.name == infrared.path.name for visible, infrared in pairs if visible.path.stem in "012")
    assert len({visible.path.name for visible, _ in pairs} & {"3.jpg", "4.jpg"}) > 0, "and they are not dropped"
    assert len(labels) == 12


def few(pids=(3, 5, 8), visible: int = 6) -> list[Sample]:
    return samples(pids, visible)


def test_matched_partners_are_of_one_person_and_dealt_evenly() -> None:
    pairs = pair_samples(few())
    assert [pair.visible for pair in pairs] == [sample for sample in few() if sample.modality is V]
    assert all(pair.visible.pid == pair.infrared.pid for pair in pairs)
    assert all(pair.infrared.modality is I for pair in pairs)
    assert set(Counter(pair.infrared for pair in pairs).values()) == {2}


def test_mismatched_partners_are_of_one_other_person_each() -> None:
    pairs = pair_samples(few(range(2, 9)), Pairing.MISMATCHED, seed=4)
    partner = {(pair.visible.pid, pair.infrared.pid) for pair in pairs}
    assert len(partner) == 7
    assert all(mine != other for mine, other in partner)
    assert len({other for _, other in partner}) == 7


@pytest.mark.parametrize("pairing", Pairing)
def test_the_seed_decides_the_pairs(pairing) -> None:
    assert pair_samples(few(), pairing, 1) == pair_samples(few(), str(pairing), 1)
    assert pair_samples(few(), pairing, 1) != pair_samples(few(), pairing, 2)


def test_pairs_leave_out_identities_of_one_modality() -> None:
    alone = [Sample(Path("cam1/0001/0.jpg"), 1, 1, V), Sample(Path("cam3/0002/0.jpg"), 2, 3, I)]
    assert pair_samples([*few(), *alone]) == pair_samples(few())


@pytest.mark.parametrize(
    ("given", "pairing", "message"),
    [
        (few(visible=0), "matched", "an identity with visible and infrared images, got none"),
        (few((3,)), "mismatched", "at least two identities for mismatched pairs"),
        (few(), "upside-down", "is not a valid Pairing"),
    ],
)
def test_pairs_that_cannot_be_made_are_refused(given, pairing, message) -> None:
    with pytest.raises(ValueError, match=message):
        pair_samples(given, pairing)
