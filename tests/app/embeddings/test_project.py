"""Features in the plane: points and numbers against NumPy, controls, refusals, bundled pictures."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.embeddings import project as project_module
from app.embeddings import request as request_module
from app.embeddings.numbers import gather, generated, neighbors, points, with_untrained_generator
from app.embeddings.project import FOLDER, answer, call, find, name_of, project, save
from app.embeddings.projector import unwatched
from app.embeddings.request import Project, View, select
from app.library import Library, open_library
from app.library.background import StoppedError
from app.library.collection import Terms
from mun.data.pairing import pair_samples
from mun.embedding import Space, embed_pairs, embed_samples
from mun.evaluation.separation import separation
from mun.structures import Modality

ROOT = Path(__file__).parents[3]
SMALL = {"method": "pca", "identities": 4, "images": 3}


def asked(library: Library, **changes: Any) -> Project:
    return Project.read({**SMALL, **changes}, library)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("space", ["embedding", "features"])
@pytest.mark.parametrize("pairing", ["matched", "mismatched"])
def test_every_number_is_that_of_the_images_embedded_anew(library: Library, space: str, pairing: str) -> None:
    request = asked(library, space=space, pairing=pairing, seed=2)
    numbers = project(library, request).to_json()["numbers"]
    network, samples = library.network("mun-tiny"), select(library.collections["synvi"], request)
    rows, found, pids = embed_samples(network, samples, space=Space(space)), {}, {}
    for modality in (Modality.VISIBLE, Modality.INFRARED):
        kept = [row for row, sample in enumerate(samples) if sample.modality is modality]
        found[modality], pids[modality] = rows[kept], np.array([samples[row].pid for row in kept])
    pairs = pair_samples(samples, pairing, 2)
    found[Modality.AUXILIARY] = embed_pairs(network, pairs, space=Space(space))[:, 0]
    pids[Modality.AUXILIARY] = np.array([pair.visible.pid for pair in pairs])
    expected = separation(found, pids)
    assert numbers["between_identities"] == pytest.approx(expected.between_identities, rel=1e-4)
    for name in ("visible_infrared", "visible_auxiliary", "infrared_auxiliary"):
        assert numbers[name] == pytest.approx(getattr(expected, name), rel=1e-4)
        assert numbers[f"mmd_{name}"] == pytest.approx(getattr(expected, f"mmd_{name}"), rel=1e-3, abs=1e-7)


def test_the_answer_is_json_that_says_everything(library: Library) -> None:
    made = answer(library, asked(library))
    json.dumps(made, allow_nan=False)
    assert len(made["points"]) == 4 * (3 + 3 + 3)
    assert {point["modality"] for point in made["points"]} == {"visible", "infrared", "auxiliary"}
    assert len(made["centers"]) == 4 * 3
    assert [mark["modality"] for mark in made["prototypes"]] == ["visible", "auxiliary", "infrared"]
    for words in ("PCA", "mun-tiny", "seed 7", "test split", "matched pairs", "pairing uses labels", "12 visible"):
        assert words in made["sentence"]
    assert made["uses_labels"] is True
    assert sum(made["histograms"]["same"]) == 4 * 9
    assert sum(made["histograms"]["different"]) == 12 * 9


def test_right_at_rank_1_is_what_the_ranking_says(library: Library) -> None:
    result = project(library, asked(library))
    collection = library.collections["synvi"]
    metrics = library.metrics("mun-tiny", "synvi", Terms(collection.protocols[0]))
    first = dict(zip((s.key for s in collection.queries), metrics.first_hit.tolist(), strict=True))
    infrared = [point for point in result.points if point.modality == "infrared"]
    assert [point.correct for point in infrared] == [first[point.image] == 1 for point in infrared]
    assert all(point.correct is None for point in result.points if point.modality == "auxiliary")
    assert any(point.correct is not None for point in result.points if point.modality == "visible")


def test_centers_and_prototypes_are_laid_out_along_with_the_points(library: Library) -> None:
    request = asked(library, metric="euclidean")
    result, made = project(library, request), points(library, asked(library))
    values = made.values.astype(np.float64)
    # PCA is linear: the center of a person in the picture is the mean of their points in the picture.
    for mark in result.centers:
        places = [(p.x, p.y) for p in result.points if (p.pid, p.modality) == (mark.pid, mark.modality)]
        np.testing.assert_allclose((mark.x, mark.y), np.mean(places, axis=0), atol=1e-4)
    infrared = made.rows(Modality.INFRARED)
    by_person = [unit(values[infrared])[made.pids[infrared] == pid].mean(0) for pid in np.unique(made.pids)]
    spots, owners = project_module.anchors(made)
    np.testing.assert_allclose(spots[owners.index((Modality.INFRARED, None))], np.mean(by_person, axis=0), atol=1e-6)


def test_the_untrained_generator_is_a_copy_and_depends_on_the_seed(library: Library) -> None:
    network = library.network("mun-tiny")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    trained, fresh = (project(library, asked(library, untrained=flag, seed=5)) for flag in (False, True))
    assert trained.separation.visible_auxiliary != fresh.separation.visible_auxiliary
    assert trained.separation.visible_infrared == fresh.separation.visible_infrared
    assert "freshly initialised generator (control)" in fresh.sentence
    other = with_untrained_generator(network, 6)
    same = with_untrained_generator(network, 5)
    weights = [dict(n.auxiliary.named_parameters()) for n in (other, same, with_untrained_generator(network, 5))]
    assert all(torch.equal(weights[1][name], weights[2][name]) for name in weights[1])
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbors_are_those_of_the_true_space(library: Library, metric: str) -> None:
    request = asked(library, metric=metric, space="features")
    values = points(library, request).values.astype(np.float64)
    row = 17
    if metric == "cosine":
        distances = 1 - unit(values) @ unit(values)[row]
    else:
        distances = np.sqrt(((values - values[row]) ** 2).sum(1))
    distances[row] = math.inf
    found = neighbors(library, request, row, 5)
    assert [one.row for one in found] == np.argsort(distances, kind="stable")[:5].tolist()
    np.testing.assert_allclose([one.distance for one in found], np.sort(distances)[:5], atol=1e-9)
    with pytest.raises(ValueError, match="expected a point from 0 to 35, got 36"):
        neighbors(library, request, 36)


def test_images_are_dealt_round_the_cameras(library: Library) -> None:
    collection = library.collections["synvi"]
    chosen = select(collection, asked(library))
    visible = [sample for sample in chosen if sample.modality is Modality.VISIBLE]
    assert len(visible) == 12
    first = [sample.camid for sample in visible if sample.pid == visible[0].pid]
    assert len(set(first)) == 3
    pids = sorted({sample.pid for sample in collection.samples})
    named = select(collection, asked(library, people=f"{pids[4]}, {pids[1]}"))
    assert list(dict.fromkeys(sample.pid for sample in named)) == [pids[4], pids[1]]


def test_an_auxiliary_point_has_a_picture_and_an_image_has_none(library: Library) -> None:
    request = asked(library)
    assert generated(library, request, 24).startswith("data:image/jpeg;base64,")
    assert generated(library, asked(library, untrained=True), 24).startswith("data:image/jpeg;base64,")
    assert generated(library, request, 3) == ""


def test_too_many_points_are_refused(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert request_module.MAX_POINTS == 20_000
    monkeypatch.setattr(request_module, "MAX_POINTS", 30)
    with pytest.raises(ValueError, match="expected at most 30 points, got 36; choose fewer people or images"):
        asked(library)


def test_one_person_is_shown_and_what_needs_two_is_left_open(library: Library) -> None:
    result = project(library, asked(library, identities=1))
    assert result.separation.silhouette_identity is None
    assert result.separation.histograms.overlap is None
    assert result.separation.silhouette_modality is not None


def test_constant_features_are_a_sentence(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(library, identities=5, seed=9)
    constant = replace(gather(library, request, unwatched), values=np.ones((60, 8), dtype=np.float32))
    monkeypatch.setattr(project_module, "points", lambda *_: constant)
    monkeypatch.setattr(project_module, "measure", lambda *_: None)
    with pytest.raises(ValueError, match="these features are constant"):
        project(library, request)


def test_a_report_that_stops_ends_the_work_within_a_chunk(library: Library) -> None:
    told = []

    def stop(done: int = 0, **words: object) -> None:
        told.append((done, words["total"]))
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        project(library, asked(library, space="features", identities=6, seed=11), stop)
    assert told == [(0, 36)]


def test_the_line_of_python_asks_for_the_same(library: Library) -> None:
    request = asked(library, space="features", perplexity=7.0, seed=3)
    words = call(library, request, "http://example.org:81")
    assert "Client('http://example.org:81')" in words
    said = eval(f"dict({words.partition('.predict(')[2].removesuffix('))')})")
    assert said.pop("api_name") == "/project"
    assert Project.read(said, library) == request


def test_what_was_made_beforehand_comes_back_whole(library: Library, tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    result = project(library, asked(library, seed=26))
    path = save(library, result, tmp_path)
    assert find(open_library(tiny_synvi, tiny_checkpoint), result.request, tmp_path) == result
    assert find(open_library(tiny_synvi, tiny_checkpoint), asked(library, seed=27), tmp_path) is None
    path.write_text(json.dumps({"format": 1}))
    assert find(open_library(tiny_synvi, tiny_checkpoint), result.request, tmp_path) is None


def test_other_weights_or_images_have_another_name(library: Library, two: Library) -> None:
    first, second = (Project.read({**SMALL, "checkpoint": name}, two) for name in ("mun-tiny", "other-tiny"))
    assert name_of(two, first) == name_of(library, asked(library))
    assert name_of(two, first) != name_of(two, second)


def test_the_bundled_first_view_is_that_of_the_bundled_checkpoints() -> None:
    """If this fails, run `python -m benchmarks.projection_bundle`: a bundled checkpoint or image has changed."""
    library = open_library(ROOT / "assets" / "synvi", ROOT / "checkpoints")
    sides = View.read({}, library).sides(library)
    assert [side.auxiliary for side in sides] == [True, False]
    for side in sides:
        result = find(library, side)
        assert result is not None, "python -m benchmarks.projection_bundle"
        samples = select(library.collections[side.data], side)
        rows = embed_samples(library.network(side.checkpoint), samples).astype(np.float64)
        people: dict[Any, list[np.ndarray]] = {}
        for sample, row in zip(samples, rows, strict=True):
            people.setdefault((sample.pid, sample.modality), []).append(row)
        gaps = [
            np.linalg.norm(np.mean(rows, axis=0) - np.mean(people[pid, Modality.INFRARED], axis=0))
            for (pid, modality), rows in people.items()
            if modality is Modality.VISIBLE
        ]
        assert result.separation.visible_infrared == pytest.approx(np.mean(gaps), rel=2e-3)
        assert result.kept > 0.7
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000
