"""The Explain action: maps equal the library's, truth is what rendering gives, bad input gets a sentence."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from serving import serve

from app.actions.explain import checks as explain_checks
from app.actions.explain import explain
from app.actions.explain.export import call_pieces, maps_npz, row_figure, stem_of
from app.actions.explain.scale import fit_scale
from app.actions.explain.subject import references_of, subject_of
from app.actions.retrieval import retrieve
from app.library import Library, open_library
from app.tabs.explain_events import CONTROLS, ExplainHandlers
from app.tabs.explain_take_home import write
from app.views import explain as pages
from app.views.explain import ExplainVisit
from mun.checkpoint import build_network, load_checkpoint, save_checkpoint
from mun.config import Config
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.embedding import embed_pixels, embed_samples
from mun.explain.cams import GENERATOR_LAYERS, STAGES, Look, Method, activation_maps, upsampled
from mun.explain.targets import Similarity, center
from mun.files import read_json
from mun.structures import Modality
from mun.synvi import Change, Plan, counterfactual

MakeSysu = Callable[[dict[int, tuple[int, ...]]], Path]


@pytest.fixture(scope="module")
def both(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with an untrained MUN, and a checkpoint without an auxiliary modality."""
    folder = tmp_path_factory.mktemp("both")
    network, card = load_checkpoint(tiny_checkpoint / "mun-tiny")
    save_checkpoint(folder / "mun-tiny", network, card)
    config = Config(model=replace(card.config.model, auxiliary="none"))
    save_checkpoint(
        folder / "none-tiny", build_network(config, 0).eval(), replace(card, name="none-tiny", config=config)
    )
    return open_library(tiny_synvi, folder)


def evident(library: Library) -> str:
    """Key of an image that shows what can be changed."""
    for sample in library.collections["synvi"].samples:
        if explain.run(library, explain.Request(image=sample.key, layers="image")).truth is not None:
            return sample.key
    raise AssertionError


def test_maps_are_those_of_the_library(both: Library) -> None:
    result = explain.run(both, explain.Request())
    network, request = both.network("mun-tiny"), result.request
    collection = both.collections["synvi"]
    sample, target = (collection.samples[collection.rows[key]] for key in (request.image, request.target))
    assert target.key == retrieve.run(both, retrieve.Request(query=sample.key)).results[0].image
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
    assert result.pair is not None
    assert request.image in result.pair
    assert any("uses labels" in words for words in result.notes)


def test_the_answer_is_plain_json_with_raw_values(both: Library) -> None:
    answer = explain.run(both, explain.Request()).to_json()
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    first = answer["maps"][0]
    assert np.array(first["values"]).shape == tuple(first["shape"]) == (16, 8)
    collection = both.collections["synvi"]
    assert {answer["image"]["image"], answer["target"]["image"]["image"]} <= set(collection.rows)


def test_a_center_is_the_mean_of_the_other_modality(both: Library) -> None:
    collection = both.collections["synvi"]
    request = explain.Request(image=collection.queries[0].key, against="center", target="14", layers="image")
    result = explain.run(both, request)
    references = [one for one in collection.samples if one.pid == 14 and one.modality is Modality.VISIBLE]
    rows = both.embeddings("mun-tiny", "synvi")
    point = rows[collection.rows[request.image]]
    middle = center(rows[[collection.rows[one.key] for one in references]])
    assert result.similarity == pytest.approx(float(point @ middle), abs=1e-5)
    assert result.target_words == "center of person 14, 8 visible images"
    own = subject_of(both, explain.Request(image=request.image, against="center").checked(both))
    assert own.pair is not None
    assert not {own.pair.visible, own.pair.infrared} & set(own.references)


def test_the_truth_is_what_rendering_and_embedding_give(both: Library, tiny_synvi: Path) -> None:
    key = evident(both)
    result = explain.run(both, explain.Request(image=key, layers="image"))
    truth = result.truth
    assert truth is not None
    plan = Plan.from_manifest(read_json(tiny_synvi / "manifest.json"))
    change = explain_truth_change(plan, key, truth.evidence.thing.value)
    made = counterfactual(plan.recipe_of(key), change)
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


def explain_truth_change(plan: Plan, key: str, thing: str) -> Change:
    from mun.synvi import Pattern

    identity = plan.recipe_of(key).identity
    if thing in ("bag", "hat"):
        return Change(without=(thing,))
    part = thing.split()[0]
    plain = getattr(identity, part).pattern is Pattern.PLAIN
    return Change(**{f"{part}_pattern": Pattern.STRIPES if plain else Pattern.PLAIN})


def test_what_a_checkpoint_lacks_is_said(both: Library) -> None:
    result = explain.run(both, explain.Request(checkpoint="none-tiny"))
    assert [one.layer for one in result.maps] == list(STAGES)
    assert result.pair is None
    assert any("none-tiny has no auxiliary modality" in words for words in result.notes)
    for layers in ("auxiliary", "iml_visible"):
        with pytest.raises(
            ValueError, match="expected layers that there are; the checkpoint none-tiny has no auxiliary"
        ):
            explain.run(both, explain.Request(checkpoint="none-tiny", layers=layers))


def test_real_data_have_no_truth_and_a_lonely_person_no_partner(make_sysu: MakeSysu, tiny_checkpoint: Path) -> None:
    library = open_library(make_sysu({1: (1, 3), 2: (3,), 3: (4, 6)}), tiny_checkpoint)
    result = explain.run(library, explain.Request(image="cam3/0002/0001.png"))
    assert result.truth is None
    assert any("Only SynVI can render" in words for words in result.notes)
    assert any("No image of the other modality pairs" in words for words in result.notes)
    with pytest.raises(ValueError, match="person 2 has none"):
        explain.run(library, explain.Request(image="cam3/0002/0001.png", against="center"))


def test_two_images_of_one_modality_are_allowed_and_said_to_be(both: Library) -> None:
    one, other = both.collections["synvi"].queries[:2]
    result = explain.run(both, explain.Request(image=one.key, target=other.key, layers="layer4"))
    assert any("both infrared" in words for words in result.notes)
    assert {found.layer for found in result.maps} == {"layer4"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"checkpoint": "nobody"}, "checkpoint to be one of"),
        ({"image": "cam1/0099/0001.jpg"}, "expected image to be the key of an image of SynVI"),
        ({"image": "../../etc/passwd"}, "image to be the key"),
        ({"image": 7}, "image to be text, got 7"),
        ({"target": "cam1/0099/0001.jpg"}, "expected target to be the key of an image of SynVI"),
        ({"against": "everybody"}, "against to be one of image, center"),
        ({"against": "center", "target": "9999"}, "target to be the number of a person, got '9999'"),
        ({"image": "cam1/0013/0001.jpg", "target": "cam1/0013/0001.jpg"}, "another target than the image itself"),
        (
            {"layers": "neck"},
            "expected layers that have a spatial map, one of everything, image, auxiliary, iml_visible",
        ),
        ({"layers": 4}, "layers to be text, got 4"),
        ({"method": "saliency"}, "method to be one of by layer, grad-cam"),
        ({"method": "score-cam"}, "expected one layer for score-cam"),
        ({"change": "face"}, "change to be one of automatic, nothing, bag"),
        ({"seed": 1.5}, "seed to be a whole number from 0 to 9999, got 1.5"),
        ({"seed": True}, "seed"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(both: Library, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        explain.run(both, explain.Request(**values))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_person_without_other_images_has_no_center(both: Library) -> None:
    collection = both.collections["synvi"]
    alone = replace(collection, samples=collection.samples[:1])
    with pytest.raises(ValueError, match="has none"):
        references_of(alone, alone.samples[0].pid, alone.samples[0])


def test_forty_at_once_get_forty_right_answers(both: Library) -> None:
    samples = both.collections["synvi"].samples[:40]
    layers, methods = ("layer2", "layer4", "iml_visible", "fused"), ("by layer", "grad-cam", "layer-cam")
    requests = [
        explain.Request(
            image=sample.key, layers=layers[row % 4], method=methods[row % 3], change="nothing", seed=row % 5
        )
        for row, sample in enumerate(samples)
    ]

    def answer(request: explain.Request) -> dict[str, np.ndarray]:
        subject = subject_of(both, request.checked(both))
        return {one.name: one.values for one in explain.explain(both, subject).maps}  # past the cache

    alone = [answer(request) for request in requests]
    with ThreadPoolExecutor(40) as pool:
        together = list(pool.map(answer, requests))
    for one, other in zip(alone, together, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_forty_callers_over_http_get_forty_right_answers(both: Library, tmp_path: Path) -> None:
    keys = [sample.key for sample in both.collections["synvi"].samples[:40]]
    expected = [explain.run(both, explain.Request(image=key, layers="everything", seed=3)).to_json() for key in keys]
    both.cache.max_bytes, kept = 0, both.cache.max_bytes  # every call computes its own answer
    try:
        with serve(both, tmp_path) as served, ThreadPoolExecutor(40) as pool:
            served.client.timeout = 600
            data = [["", "", key, "image", "", "everything", "by layer", "automatic", 3] for key in keys]
            outcomes = list(pool.map(lambda values: served.call("explain", values), data))
    finally:
        both.cache.max_bytes = kept
    assert [outcome.event for outcome in outcomes] == ["complete"] * 40
    assert [outcome.value[0] for outcome in outcomes] == expected


def test_checks_run_step_by_step(both: Library) -> None:
    request = explain.Request(image=evident(both))
    *_, (checked, steps) = explain_checks.randomise(both, request, "pair/auxiliary/fused")
    assert checked.done == checked.total == len(steps) == 7
    assert [step.part for step in steps] == ["neck", "layer4", "layer3", "layer2", "layer1", "stems", "auxiliary"]
    own = list(explain_checks.randomise(both, request, "nothing of this name"))
    assert own[0][0].layer == "layer4"
    assert len(own) == 7  # the start, and no generator above an image of its own
    for name in ("pair/auxiliary/fused", "pair/visible/iml_visible"):
        *_, (checked, made) = explain_checks.delete_and_insert(both, request, name)
        assert [one.name for one in made] == list(explain_checks.CURVES)
        ends = [(one.curves.deletion[0], one.curves.insertion[-1]) for one in made]
        np.testing.assert_allclose(ends, explain.run(both, request).auxiliary_similarities[0], atol=1e-4)
        whole = [(one.curves.deletion[-1], one.curves.insertion[0]) for one in made]
        np.testing.assert_allclose(whole, whole[0][0], atol=1e-4)
    slow = replace(request, method="score-cam", layers="layer4", change="nothing")
    with pytest.raises(ValueError, match="expected a fast method for this check"):
        list(explain_checks.randomise(both, slow, ""))
    assert len(list(explain_checks.delete_and_insert(both, slow, ""))) == 3


def test_one_scale_for_all_maps(both: Library) -> None:
    result = explain.run(both, explain.Request())
    raw = fit_scale("raw", result.maps, (64, 32))
    larger = np.stack([upsampled(one.values[None], (64, 32))[0] for one in result.maps])
    assert raw.top == pytest.approx(float(np.percentile(larger, 99.5)))
    np.testing.assert_allclose(raw.heat(result.maps[0]) ** 2, np.clip(larger[0] / raw.top, 0, 1), rtol=1e-4)
    shares = fit_scale("relative", result.maps, (64, 32))
    heat = shares.heat(result.maps[0])
    inside = heat < 1
    relative = larger[0] / larger[0].mean()
    np.testing.assert_allclose(heat[inside] ** 2 * shares.top, relative[inside], rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="colour scale to be one of relative, raw"):
        fit_scale("odd", result.maps, (64, 32))


def test_files_say_what_made_them(both: Library) -> None:
    result = explain.run(both, explain.Request())
    with np.load(io.BytesIO(maps_npz(both, result)), allow_pickle=False) as file:
        facts = json.loads(str(file["about"]))
        for one in result.maps:
            np.testing.assert_array_equal(file[one.name], one.values)
            assert file[f"{one.name}@image"].shape == (64, 32)
    assert facts["image"] == result.request.image
    assert "mun-tiny" in facts["checkpoint"]
    call = "".join(call_pieces(result.request))
    assert facts["command"] == call
    compile(call, "call", "exec")
    assert f"image={result.request.image!r}" in call
    png = row_figure(both, result, "png")
    with Image.open(io.BytesIO(png)) as image:
        assert image.width == pytest.approx(6.875 * 300, abs=2)
    assert png == row_figure(both, result, "png")
    assert row_figure(both, result, "pdf").startswith(b"%PDF")
    with pytest.raises(ValueError, match="kind of file to be one of png, pdf"):
        row_figure(both, result, "gif")
    assert stem_of(result).startswith("explained-cam")


def test_a_link_leads_to_its_view(both: Library) -> None:
    handlers = ExplainHandlers(both)
    both.metrics("mun-tiny", "synvi", retrieve.Request().checked(both).terms)
    first = handlers.open({})
    assert 'data-state="ready"' in (first.row or "")
    assert first.chosen == first.visit.request.image
    moved = handlers.act(first.visit, "image/infrared/layer2", None)
    link = dict(pair.split("=") for pair in pages.write_link(moved.visit).removeprefix("?").split("&"))
    again = handlers.open({name: value.replace("%2F", "/").replace("+", " ") for name, value in link.items()})
    assert again.visit.request == moved.visit.request
    assert again.visit.focus == "image/infrared/layer2"
    bad = handlers.open({"tab": "explain", "layers": "neck"})
    assert "This link cannot be opened as it is" in (bad.row or "")
    assert 'data-state="ready"' in (bad.row or "")


def test_one_image_can_be_reached_by_the_keyboard(both: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "OFFERED", 5)
    both.embeddings(both.default_checkpoint, both.default_data)
    handlers = ExplainHandlers(both)
    own = [one.key for one in both.collections["synvi"].samples if one.pid == 15]
    for key in (own[0], own[4], own[-1]):
        answer = handlers.pick(ExplainVisit(turn=1), key)
        reached = [part for part in (answer.images or "").split("<button")[1:] if 'tabindex="0"' in part]
        assert len(reached) == 1
        assert f'data-image="{key}"' in reached[0]
        assert 'aria-pressed="true"' in reached[0]
        assert (answer.images or "").count("<button") <= 5
    elsewhere = replace(answer.visit, camid=both.collections["synvi"].samples[0].camid)  # where the image is not
    assert pages.images_html(both, elsewhere, explain.run(both, answer.visit.request)).count('tabindex="0"') == 1


def test_controls_change_the_view(both: Library) -> None:
    handlers = ExplainHandlers(both)
    first = handlers.open({})
    values = dict(first.controls)

    def changed(**new: Any) -> Any:
        return handlers.change(first.visit, *({**values, **new}[name] for name in CONTROLS))

    other = changed(person="15")
    assert other.visit.request.image.split("/")[1] == "0015"
    assert other.controls["person"] == "15"
    assert changed(camera="6", person="15").visit.request.image.startswith("cam6/0015")
    assert changed(against="center").visit.request.target == values["person"]
    assert changed(against="center", center="16").visit.request.target == "16"
    slow = changed(method="score-cam")
    assert slow.visit.request.layers == "layer4"
    assert "one layer at a time" in (slow.row or "")
    lacking = changed(checkpoint="none-tiny", layers="cml")
    assert 'data-state="error"' in (lacking.row or "")
    aimed = handlers.aim(first.visit, both.collections["synvi"].queries[1].key)
    assert aimed.visit.request.target == both.collections["synvi"].queries[1].key
    assert handlers.pick(first.visit, "cam1/0013/0001.jpg#7").chosen == "cam1/0013/0001.jpg"
    for bad in ({"person": "99999"}, {"method": "odd"}, {"seed": "x"}, {"camera": 3}):
        with pytest.raises(gr.Error):
            changed(**bad)
    for key in ("nothing", None, 5):
        with pytest.raises(gr.Error):
            handlers.pick(first.visit, key)


def test_checks_and_files_of_a_visit(both: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    handlers = ExplainHandlers(both)
    both.embeddings(both.default_checkpoint, both.default_data)
    visit = handlers.open({}).visit

    def randomise(session: str = "") -> Iterator[str]:
        handlers.runs.ask(session, "randomise")
        return handlers.randomise(visit, session)

    def delete(session: str = "", visit: ExplainVisit = visit) -> Iterator[str]:
        handlers.runs.ask(session, "delete")
        return handlers.delete(visit, session)

    drawn = list(randomise())
    assert 'data-state="loading"' in drawn[0]
    assert 'data-state="ready"' in drawn[-1]
    assert 'data-check="curves"' in list(delete())[-1]
    assert "nothing was drawn yet" in next(delete(visit=ExplainVisit()))
    running, other = randomise("me"), randomise("somebody else")
    assert 'data-state="loading"' in next(running)
    assert 'data-state="loading"' in next(other)
    assert handlers.stop("me") is None  # after the step in hand
    (last,) = running
    assert 'data-state="stopped"' in last
    assert 'data-state="ready"' in list(other)[-1]
    waiting = randomise("me")  # its turn has not come yet
    assert 'data-state="stopped"' in (handlers.stop("me") or "")
    assert ['data-state="stopped"' in words for words in waiting] == [True]
    first, second, third = randomise("me"), delete("me"), delete("me")  # all wait: the last press counts
    assert list(first) == [""]
    assert 'data-state="ready"' in list(second)[-1]
    assert list(third) == [""]  # what is shown stays
    for kind in ("npz", "png", "pdf"):
        assert Path(write(both, visit, kind)).stat().st_size > 1000
    with pytest.raises(gr.Error, match="none are drawn yet"):
        write(both, ExplainVisit(), "npz")


def test_a_network_of_another_size_than_the_images(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    _, card = load_checkpoint(tiny_checkpoint / "mun-tiny")
    config = Config(model=replace(card.config.model, height=48, image_width=24))
    save_checkpoint(tmp_path / "small", build_network(config, 0).eval(), replace(card, name="small", config=config))
    library = open_library(tiny_synvi, tmp_path)
    truth = explain.run(library, explain.Request(image=evident(library))).truth
    assert truth is not None
    assert truth.evidence.mask.shape == (48, 24)
    assert -2 <= truth.delta <= 2
