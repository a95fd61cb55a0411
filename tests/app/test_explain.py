"""Explanations: maps equal the library's, the truth equals a rendering, a bad value is refused in one sentence."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import variant
from PIL import Image

from app.explain.checks import CURVES, check
from app.explain.explain import Result, explain, explained, run
from app.explain.figure import write
from app.explain.subject import Explain, Subject, subject_of
from app.explain.tab import MENUS, Options
from app.library import Library, open_library
from app.library.maps import fit_scale, similarity_map
from app.retrieval.rank import Retrieve, retrieve
from mun.checkpoint import read_card
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.embedding import embed_pixels, embed_samples
from mun.explain.cams import GENERATOR_LAYERS, STAGES, Look, Method, activation_maps, upsampled
from mun.explain.targets import Similarity, center
from mun.explain.truth import find_evidence
from mun.files import read_json
from mun.structures import Modality
from mun.synvi import Plan


def asked(library: Library, **values: Any) -> Subject:
    return subject_of(library, Explain.read(values, library))


def answered(library: Library, **values: Any) -> Result:
    return run(library, asked(library, **values))


def evident(library: Library) -> str:
    """Return the key of an image that shows something to change."""
    for sample in library.collections["synvi"].samples:
        if answered(library, image=sample.key, layers="image").truth is not None:
            return sample.key
    raise AssertionError


def test_maps_are_those_of_the_library(both: Library) -> None:
    result = answered(both)
    network, collection = both.network("mun-tiny"), both.collections["synvi"]
    keys = (result.request.image, result.request.target)
    sample, target = (collection.samples[collection.rows[key]] for key in keys)
    assert target.key == retrieve(both, Retrieve.read({"query": sample.key}, both)).results[0].image
    images = to_images(torch.from_numpy(decode_samples([sample], 64, 32)))
    similarity = Similarity(torch.from_numpy(embed_samples(network, [target])[0]))
    maps = activation_maps(network, Look(images, Modality.INFRARED), [similarity], [("layer3", Method.GRAD_CAM)])
    found = result.find("image/infrared/layer3")
    np.testing.assert_allclose(found.values, maps["layer3", Method.GRAD_CAM][0], rtol=1e-4, atol=1e-9)
    assert result.similarity == pytest.approx(float(similarity(network.embed(images, Modality.INFRARED)[0])), abs=1e-5)
    assert [one.layer for one in result.maps] == [*STAGES, *GENERATOR_LAYERS, *STAGES]
    over = {one.layer: one.over for one in result.maps if one.layer in GENERATOR_LAYERS}
    assert over == {"iml_visible": "visible", "iml_infrared": "infrared", "cml": "auxiliary", "fused": "auxiliary"}
    assert {one.method for one in result.maps if one.layer in GENERATOR_LAYERS} == {Method.LAYER_CAM}
    assert sample.key in result.pair
    assert any("uses labels" in words for words in result.notes)
    answer = result.to_json()
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert np.array(answer["maps"][0]["values"]).shape == tuple(answer["maps"][0]["shape"]) == (16, 8)
    assert (answer["image"]["image"], answer["target"]["image"]["image"]) == keys


def test_a_center_is_the_mean_of_the_other_modality(both: Library) -> None:
    collection = both.collections["synvi"]
    image = collection.queries[0].key
    result = answered(both, image=image, against="center", target="14", layers="image")
    references = [one for one in collection.samples if one.pid == 14 and one.modality is Modality.VISIBLE]
    rows = both.embeddings("mun-tiny", "synvi")
    point = rows[collection.rows[image]]
    middle = center(rows[[collection.rows[one.key] for one in references]])
    assert result.similarity == pytest.approx(float(point @ middle), abs=1e-5)
    assert result.target_words == "center of person 14, 8 visible images"
    own = asked(both, image=image, against="center")
    assert not {own.pair.visible, own.pair.infrared} & set(own.references)


def test_the_truth_is_what_rendering_and_embedding_give(both: Library, tiny_synvi: Path) -> None:
    key = evident(both)
    result = answered(both, image=key, layers="image")
    truth = result.truth
    plan = Plan.from_manifest(read_json(tiny_synvi / "manifest.json"))
    made = find_evidence(plan.recipe_of(key), (64, 32))
    rows = embed_pixels(both.network("mun-tiny"), np.stack([made.before, made.after]), result.modality)
    collection = both.collections["synvi"]
    target = both.embeddings("mun-tiny", "synvi")[collection.rows[result.request.target]]
    np.testing.assert_allclose([truth.before, truth.after], rows @ target, atol=1e-5)
    assert truth.delta == truth.after - truth.before
    np.testing.assert_array_equal(truth.evidence.mask, made.mask)
    assert [one.layer for one in truth.shares] == list(STAGES)
    for share, one in zip(truth.shares, result.maps, strict=True):
        values = upsampled(one.values[None], (64, 32))[0]
        expected = None if not values.any() else float(values[made.mask].sum() / values.sum())
        assert share.trained == (None if expected is None else pytest.approx(expected, rel=1e-4))
        assert share.random != share.trained


def test_what_a_checkpoint_lacks_is_said(both: Library) -> None:
    result = answered(both, checkpoint="none-tiny")
    assert [one.layer for one in result.maps] == list(STAGES)
    assert result.pair is None
    assert any("none-tiny has no auxiliary modality" in words for words in result.notes)
    for layers in ("auxiliary", "iml_visible"):
        with pytest.raises(ValueError, match="expected layers that can be shown; the checkpoint none-tiny has no auxi"):
            answered(both, checkpoint="none-tiny", layers=layers)


def test_real_data_have_no_truth_and_a_lonely_person_no_partner(make_sysu, tiny_checkpoint) -> None:
    library = open_library(make_sysu({1: (1, 3), 2: (3,), 3: (4, 6)}), tiny_checkpoint)
    result = answered(library, image="cam3/0002/0001.png")
    assert result.truth is None
    assert any("Only SynVI can render" in words for words in result.notes)
    assert any("No image of the other modality pairs" in words for words in result.notes)
    with pytest.raises(ValueError, match="person 2 has none"):
        answered(library, image="cam3/0002/0001.png", against="center")


def test_two_images_of_one_modality_are_allowed_and_said_to_be(both: Library) -> None:
    one, other = both.collections["synvi"].queries[:2]
    result = answered(both, image=one.key, target=other.key, layers="layer4")
    assert any("both infrared" in words for words in result.notes)
    assert {found.layer for found in result.maps} == {"layer4"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image": "cam1/0099/0001.jpg"}, "expected image to be the key of an image of SynVI"),
        ({"target": "cam1/0099/0001.jpg"}, "expected target to be the key of an image of SynVI"),
        ({"against": "center", "target": "9999"}, "target to be the number of a person, got '9999'"),
        ({"image": "cam1/0013/0001.jpg", "target": "cam1/0013/0001.jpg"}, "another target than the image itself"),
        ({"method": "score-cam"}, "expected one layer for score-cam"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(both: Library, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        answered(both, **values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_forty_at_once_get_forty_right_answers(both: Library) -> None:
    samples = both.collections["synvi"].samples[:40]
    layers, methods = ("layer2", "layer4", "iml_visible", "fused"), ("by layer", "grad-cam", "layer-cam")
    requests = [
        asked(both, image=sample.key, layers=layers[row % 4], method=methods[row % 3], change="nothing", seed=row % 5)
        for row, sample in enumerate(samples)
    ]

    def answer(subject: Subject) -> dict[str, np.ndarray]:
        return {one.name: one.values for one in explain(both, subject).maps}  # without the cache

    alone = [answer(asked) for asked in requests]
    with ThreadPoolExecutor(40) as pool:
        together = list(pool.map(answer, requests))
    for one, other in zip(alone, together, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


def checked(library: Library, name: str, **values: Any) -> list[Any]:
    subject = asked(library, **values)
    return list(check(library, subject, explained(library, subject).find(name)))


def test_checks_run_step_by_step(both: Library) -> None:
    image = evident(both)
    fused = checked(both, "pair/auxiliary/fused", image=image)
    assert [one.done for one in fused] == list(range(11))
    assert fused[-1].total == 10
    parts = ["neck", "layer4", "layer3", "layer2", "layer1", "stems", "auxiliary"]
    assert [step.part for step in fused[-1].steps] == parts
    own = checked(both, "nothing of this name", image=image)
    assert [step.part for step in own[-1].steps] == parts[:-1]  # maps of the image itself do not involve the generator
    result = answered(both, image=image)
    sides = [(fused, result.auxiliary_similarities[0])]
    sides += [(checked(both, "pair/visible/iml_visible", image=image), result.auxiliary_similarities[0])]
    sides += [(own, result.similarity), (checked(both, "target/target/layer4", image=image), result.similarity)]
    for steps, similarity in sides:
        assert list(steps[-1].curves) == list(CURVES)
        made = steps[-1].curves.values()
        ends = [(one.deletion[0], one.insertion[-1]) for one in made]
        np.testing.assert_allclose(ends, similarity, atol=1e-4)
        whole = [(one.deletion[-1], one.insertion[0]) for one in made]
        np.testing.assert_allclose(whole, whole[0][0], atol=1e-4)
    slow = checked(both, "", image=image, method="score-cam", layers="layer4", change="nothing")[-1]
    assert (len(slow.curves), slow.steps) == (2, ())


def test_two_images_are_explained_from_both_sides(both: Library) -> None:
    subject = asked(both)
    result = explained(both, subject)
    *others, last = result.maps
    assert tuple(others) == run(both, subject).maps
    assert (last.name, last.method) == ("target/target/layer4", Method.GRAD_CAM)
    assert result.pictures["target"].shape == (64, 32, 3)
    image, target = result.request.image, result.request.target
    own = similarity_map(both, "mun-tiny", "synvi", image, target)
    np.testing.assert_allclose(own.values, result.find("image/infrared/layer4").values, rtol=1e-3, atol=1e-8)
    np.testing.assert_array_equal(similarity_map(both, "mun-tiny", "synvi", target, image).values, last.values)
    assert explained(both, asked(both, against="center")).maps[-1].source != "target"
    assert {one.layer for one in explained(both, asked(both, layers="layer2")).maps} == {"layer2"}


def test_one_scale_for_all_maps(both: Library) -> None:
    maps, size = answered(both).maps, (64, 32)
    raw = fit_scale("raw", maps, size)
    larger = np.stack([upsampled(one.values[None], size)[0] for one in maps])
    assert raw.top == pytest.approx(float(np.percentile(larger, 99.5)))
    np.testing.assert_allclose(raw.heat(maps[0], size) ** 2, np.clip(larger[0] / raw.top, 0, 1), rtol=1e-4)
    shares = fit_scale("relative", maps, size)
    heat = shares.heat(maps[0], size)
    inside = heat < 1
    relative = larger[0] / larger[0].mean()
    np.testing.assert_allclose(heat[inside] ** 2 * shares.top, relative[inside], rtol=1e-4, atol=1e-6)


def test_files_say_what_made_them(both: Library) -> None:
    result = explained(both, asked(both))
    url = "http://host:1234"

    def exported(what: str, kind: str, **options: Any) -> bytes:
        looks = Options.read(options, both).model_dump()
        file = write(both, result, what, kind, "relative", url, **looks)
        assert file.name.startswith("explained-cam")
        return file.data

    with np.load(io.BytesIO(exported("raw", "npz")), allow_pickle=False) as file:
        facts = json.loads(str(file["about"]))
        for one in result.maps:
            np.testing.assert_array_equal(file[one.name], one.values)
            assert file[f"{one.name}@image"].shape == (64, 32)
    assert facts["image"] == result.request.image
    assert "mun-tiny" in facts["checkpoint"]
    compile(facts["command"], "call", "exec")
    assert f"image={result.request.image!r}" in facts["command"]
    assert url in facts["command"]
    for width, inches in (("two-column", 6.875), ("one-column", 3.25)):
        png = exported("maps", "png", width=width)
        with Image.open(io.BytesIO(png)) as image:
            assert image.width == pytest.approx(inches * 300, abs=2)
        assert png == exported("maps", "png", width=width)
    assert len(exported("maps", "png", maps="all")) > len(png)
    assert exported("maps", "pdf").startswith(b"%PDF")
    assert b"<svg" in exported("maps", "svg")
    table = exported("table", "csv").decode()
    assert table.splitlines()[-1].startswith("target/target/layer4,grad-cam,")
    assert len([line for line in table.splitlines() if "grad-cam" in line or "layer-cam" in line]) >= len(result.maps)
    assert url in table
    assert r"\toprule" in exported("table", "latex").decode()
    assert {menu.name for menu in MENUS} == {"maps", "raw", "table"}


def test_a_network_of_another_size_than_the_images(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    variant(tmp_path, "small", read_card(tiny_checkpoint / "mun-tiny"), height=48, image_width=24)
    library = open_library(tiny_synvi, tmp_path)
    truth = answered(library, image=evident(library)).truth
    assert truth.evidence.mask.shape == (48, 24)
    assert -2 <= truth.delta <= 2
