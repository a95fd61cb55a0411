import random
from dataclasses import replace

import numpy as np
import pytest
from made import sample as image
from made import samples, write_permutations
from scipy.io import savemat

from mun.evaluation.galleries import queries, read_permutations, sample_gallery
from mun.evaluation.protocols import dropped, get_protocol
from mun.structures import Modality


def images(pids=(2, 7, 31), cameras=(1, 2, 3, 4, 5, 6), count=12):
    """All images, in a shuffled order that no result may depend on."""
    made = samples(pids, cameras, count)
    random.Random(5).shuffle(made)
    return made


@pytest.mark.parametrize(("ours", "theirs"), [("synvi-all", "sysu-all"), ("synvi-indoor", "sysu-indoor")])
def test_synvi_is_searched_as_sysu_is(ours, theirs):
    assert get_protocol(ours) == replace(get_protocol(theirs), name=ours, data=get_protocol(ours).data)


def test_dropped_takes_integers_of_one_length():
    for arguments in (([1], [3, 6], [1], [1]), ([1], [3], [1], [1, 2]), ([[1]], [3], [1], [1]), ([1], [3], [0.5], [1])):
        with pytest.raises(ValueError, match="^expected `(query|gallery)_(pids|camids)` of (shape|an integer type)"):
            dropped(get_protocol("sysu-all"), *arguments)


def test_all_infrared_images_are_queries_in_order():
    asked = queries(get_protocol("sysu-indoor"), images())
    assert len(asked) == 3 * 2 * 12
    assert asked == [image(pid, camid, n) for pid in (2, 7, 31) for camid in (3, 6) for n in range(1, 13)]


@pytest.mark.parametrize("trial", range(3))
def test_one_seeded_shot_is_the_draw_of_the_published_repositories(trial):
    random.seed(trial)  # as they do: the global generator, identities ascending, cameras in list order, sorted files
    expected = []
    for pid in (2, 7, 31):
        for camid in (1, 2, 4, 5):
            if (pid, camid) == (7, 4):
                continue
            expected.append(random.choice(sorted(image(pid, camid, n).path for n in range(1, 13))))
    samples = [sample for sample in images() if (sample.pid, sample.camid) != (7, 4)]
    gallery = sample_gallery(get_protocol("sysu-all"), samples, 1, trial, "seeded")
    assert [sample.path for sample in gallery] == expected
    assert all(sample.modality is Modality.VISIBLE for sample in gallery)


def test_more_shots_are_different_images_and_trials_differ():
    protocol = get_protocol("synvi-indoor")
    gallery = sample_gallery(protocol, images(), 10, 0)
    assert len(gallery) == len(set(gallery)) == 3 * 2 * 10
    assert {sample.camid for sample in gallery} == {1, 2}
    assert [(sample.pid, sample.camid) for sample in gallery] == sorted((s.pid, s.camid) for s in gallery)
    assert gallery == sample_gallery(protocol, images(), 10, 0)
    assert gallery != sample_gallery(protocol, images(), 10, 1)


def test_the_official_galleries_follow_the_permutation_file(tmp_path):
    generator = np.random.default_rng(0)
    entries = {
        (camid, pid): np.array([generator.permutation(12) + 1 for _ in range(10)])
        for camid in (1, 2, 4, 5)
        for pid in (2, 7, 31)
    }
    write_permutations(tmp_path, entries)
    permutations = read_permutations(tmp_path)
    assert set(permutations) == set(entries)
    for shots in (1, 10):
        gallery = sample_gallery(get_protocol("sysu-all"), images(), shots, 3, "official", permutations)
        expected = [
            image(pid, camid, int(number))
            for pid in (2, 7, 31)
            for camid in (1, 2, 4, 5)
            for number in entries[camid, pid][3, :shots]
        ]
        assert gallery == expected


def test_a_single_image_in_the_permutation_file(tmp_path):
    write_permutations(tmp_path, {(1, 2): np.ones((10, 1))})
    permutations = read_permutations(tmp_path)
    assert permutations[1, 2].shape == (10, 1)
    gallery = sample_gallery(get_protocol("sysu-all"), [image(2, 1, 1)], 1, 9, "official", permutations)
    assert gallery == [image(2, 1, 1)]


@pytest.mark.parametrize(
    ("shots", "trial", "permutations", "message"),
    [
        (1, 0, {}, r"expected 1 images of identity 2 by camera 1 for trial 0 .* found 0 trials"),
        (1, 1, {(1, 2): [[1, 2]]}, r"for trial 1 in exp/rand_perm_cam.mat, found 1 trials of 2 images"),
        (2, 0, {(1, 2): [[1]]}, r"expected 2 images .* found 1 trials of 1 images"),
        (1, 0, {(1, 2): [[9, 1]]}, r"expected image 0009 in .*cam1.0002, named by exp/rand_perm_cam.mat"),
        (1, 0, None, r"expected the content of exp/rand_perm_cam.mat"),
    ],
)
def test_permutations_that_do_not_fit_are_refused(shots, trial, permutations, message):
    known = None if permutations is None else {key: np.array(rows) for key, rows in permutations.items()}
    with pytest.raises(ValueError, match=message):
        sample_gallery(get_protocol("sysu-all"), [image(2, 1, 1), image(2, 1, 2)], shots, trial, "official", known)


def test_a_missing_permutation_file_is_explained(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"official galleries at .*rand_perm_cam.mat, found none; .*put it there"
    ):
        read_permutations(tmp_path)


@pytest.mark.parametrize("content", ["text", "empty", "other"])
def test_a_broken_permutation_file_is_refused(tmp_path, content):
    path = tmp_path / "exp" / "rand_perm_cam.mat"
    path.parent.mkdir()
    if content == "other":
        savemat(path, {"something": np.ones(3)})
    else:
        path.write_bytes(b"not a MATLAB file " * 40 if content == "text" else b"")
    with pytest.raises(ValueError, match="expected a MATLAB file with cells `rand_perm_cam`"):
        read_permutations(tmp_path)


def test_too_few_images_name_identity_and_camera():
    samples = [*images(count=3), *[image(40, 5, n) for n in (1, 2)]]
    with pytest.raises(ValueError, match="expected 3 images of identity 40 by camera 5, found 2"):
        sample_gallery(get_protocol("synvi-all"), samples, 3, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shots": 0}, "expected `shots` of at least 1"),
        ({"trial": -1}, "`trial` of at least 0, got 1 and -1"),
        ({"sampler": "random"}, "expected one of the samplers seeded, official; got 'random'"),
    ],
)
def test_bad_settings_are_refused(change, message):
    settings = {"shots": 1, "trial": 0, "sampler": "seeded", **change}
    with pytest.raises(ValueError, match=message):
        sample_gallery(get_protocol("synvi-all"), images(), **settings)
