from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from broken_images import whole_image
from PIL import Image

from app.actions.auxiliary import auxiliary
from app.actions.auxiliary.auxiliary import Request, Result
from app.actions.auxiliary.bench import bench
from app.actions.auxiliary.export import call_pieces, caption, panel_csv, panel_figure, stem_of
from app.actions.auxiliary.pictures import ORDER
from app.actions.auxiliary.request import pair_of
from app.library import Library, open_library
from app.library.background import Progress
from app.library.eye import Eye
from app.library.own_images import look_at
from app.library.pairs import opening_pair
from mun.auxiliary.generator import input_dependence
from mun.checkpoint import build_network, load_checkpoint, save_checkpoint
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.images import decode
from mun.panel import iml_share
from mun.snapshots import SNAPSHOTS, write_snapshots
from mun.structures import Modality

SITES = {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 6}
PAIR = {"visible": "cam1/0014/0001.jpg", "infrared": "cam6/0014/0002.jpg"}


@pytest.fixture(scope="module")
def rivals(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with MUN, which keeps two states of its generator, and every learned rival; all untrained."""
    folder = tmp_path_factory.mktemp("rivals") / "checkpoints"
    shutil.copytree(tiny_checkpoint, folder)
    network, card = load_checkpoint(folder / "mun-tiny")
    states = {}
    for step, factor in ((5, 0.5), (10, 2.0)):
        state = network.auxiliary.state_dict()
        states[step] = {**state, "scale_iml": factor * state["scale_iml"]}
    write_snapshots(folder / "mun-tiny", states)
    for name in ("x", "middle", "syncretic", "none"):
        config = replace(card.config, model=replace(card.config.model, auxiliary=name))
        other = build_network(config, num_classes=0, seed=1).eval()
        save_checkpoint(folder / f"{name}-tiny", other, replace(card, name=f"{name}-tiny", config=config))
    return open_library(tiny_synvi, folder)


@pytest.fixture(scope="module")
def result(rivals: Library) -> Result:
    return auxiliary.run(rivals, Request(**PAIR, mixup=0.3, seed=4))


def tensors(library: Library) -> tuple[torch.Tensor, torch.Tensor]:
    collection = library.collections["synvi"]
    samples = [collection.samples[collection.rows[key]] for key in PAIR.values()]
    images = to_images(torch.from_numpy(decode_samples(samples, 64, 32)))
    return images[:1], images[1:]


def test_every_modality_stands_between_the_two_images_of_the_pair(result: Result) -> None:
    assert tuple(picture.name for picture in result.panel.pictures) == ORDER
    assert result.panel.missing == ()
    by = {picture.name: picture.checkpoint for picture in result.panel.pictures}
    assert [by[name] for name in ("mun", "x", "middle-1", "middle-2", "syncretic", "grayscale")] == [
        "mun-tiny", "x-tiny", "middle-tiny", "middle-tiny", "syncretic-tiny", "mun-tiny"
    ]  # fmt: skip
    assert "MUN's auxiliary stem" in result.panel["grayscale"].words
    assert result.panel["x"].dependence == 1.0


def test_numbers_are_those_of_the_network_and_of_numpy(rivals: Library, result: Result) -> None:
    network, collection = rivals.network("mun-tiny"), rivals.collections["synvi"]
    visible, infrared = tensors(rivals)
    with torch.inference_mode():
        points = [
            network.embed(0.3 * visible + 0.7 * infrared, Modality.AUXILIARY),
            network.embed(visible, Modality.VISIBLE),
            network.embed(infrared, Modality.INFRARED),
        ]
    a, v, i = (point[0].numpy().astype(float) for point in points)
    place = result.panel["mixup"].place
    expected = [np.linalg.norm(a - v), np.linalg.norm(a - i), np.linalg.norm(v - i)]
    assert [place.to_visible, place.to_infrared, place.between] == pytest.approx(expected, abs=1e-5)
    rows = rivals.embeddings("mun-tiny", "synvi").astype(float)
    for modality, found in zip((Modality.VISIBLE, Modality.INFRARED), result.panel["mixup"].found, strict=True):
        kept = [
            row
            for row, sample in enumerate(collection.samples)
            if sample.modality is modality and SITES[sample.camid] not in (SITES[1], SITES[6])
        ]
        order = sorted(kept, key=lambda row: (-(rows[row] @ a), row))
        first = next(rank for rank, row in enumerate(order, start=1) if collection.samples[row].pid == 14)
        assert found is not None
        assert (found.rank, found.size) == (first, len(kept))


def test_formulas_are_what_they_say(rivals: Library, result: Result) -> None:
    visible, infrared = tensors(rivals)
    shown = {picture.name: picture.pixels.astype(float) for picture in result.panel.pictures}

    def pixels(image: torch.Tensor) -> np.ndarray:
        return 255 * image[0].permute(1, 2, 0).numpy()

    assert np.abs(shown["pixel-mean"] - pixels(0.5 * visible + 0.5 * infrared)).max() <= 1
    assert np.abs(shown["mixup"] - pixels(0.3 * visible + 0.7 * infrared)).max() <= 1
    luma = (visible * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    assert np.abs(shown["grayscale"] - pixels(luma)).max() <= 1
    exchanged = shown["channel-exchange"]
    assert (exchanged[..., 0] == exchanged[..., 2]).all()
    assert any(np.abs(exchanged[..., 0] - pixels(visible)[..., c]).max() <= 1 for c in range(3))
    cut = np.abs(shown["cutmix"] - pixels(visible)).max(axis=2) <= 1
    assert (cut | (np.abs(shown["cutmix"] - pixels(infrared)).max(axis=2) <= 1)).all()
    again = auxiliary.run(rivals, Request(**PAIR, mixup=0.3, seed=5))
    assert (again.panel["cutmix"].pixels != result.panel["cutmix"].pixels).any()
    assert (again.panel["mun"].pixels == result.panel["mun"].pixels).all()


def test_the_generator_is_taken_apart_and_never_changed(rivals: Library, result: Result) -> None:
    generator = rivals.network("mun-tiny").auxiliary
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    visible, infrared = tensors(rivals)
    learned = iml_share(generator)
    taken = result.bench
    assert taken.learned == taken.share == learned
    assert taken.dependence == pytest.approx(input_dependence(generator, visible, infrared))
    assert (taken["turned"].pixels == result.panel["mun"].pixels).all()
    assert taken["turned"].place.to_visible == pytest.approx(result.panel["mun"].place.to_visible, abs=1e-6)
    eye = Eye(rivals, "mun-tiny", "synvi", result.panel.pair)
    ends = [bench(rivals, eye, share)["turned"].pixels.astype(int) for share in (0.0, 1.0)]
    assert np.abs(ends[0] - ends[1]).max() > 3
    for end in ends:
        assert np.abs(end - taken["turned"].pixels.astype(int)).max() > 3
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())


def test_a_kept_step_is_the_generator_of_that_step(rivals: Library) -> None:
    taken = auxiliary.run(rivals, Request(**PAIR, step=5)).bench
    assert taken.steps == (5, 10)
    assert taken.step == 5
    assert taken.learned == pytest.approx(1 / 3)
    assert taken["turned"].title == "MUN, step 5"
    assert auxiliary.run(rivals, Request(**PAIR)).bench.learned == pytest.approx(0.5)
    with pytest.raises(ValueError, match=r"one that mun-tiny keeps \(5, 10\) or -1, got 6"):
        auxiliary.run(rivals, Request(**PAIR, step=6))


def test_what_is_missing_is_said(library: Library) -> None:
    result = auxiliary.run(library, Request())
    assert [missing.name for missing in result.panel.missing] == ["x", "middle", "syncretic"]
    assert all("No checkpoint of it is loaded" in missing.words for missing in result.panel.missing)
    assert result.bench.steps == ()
    assert any("cannot be replayed" in words for words in result.bench.words)


def test_a_broken_file_of_steps_is_a_sentence(rivals: Library) -> None:
    path = rivals.checkpoints["mun-tiny"].folder / SNAPSHOTS
    whole = path.read_bytes()
    try:
        path.write_bytes(b"no safetensors")
        words = auxiliary.run(rivals, Request(**PAIR)).bench.words
        assert any("cannot be replayed" in one for one in words)
        assert not any(str(path.parent.parent) in one for one in words)
    finally:
        path.write_bytes(whole)


def test_the_first_pair_is_one_person_who_is_seen_well(library: Library) -> None:
    visible, infrared = opening_pair(library, "synvi")
    assert visible.pid == infrared.pid
    assert (visible.modality, infrared.modality) == (Modality.VISIBLE, Modality.INFRARED)
    chosen = pair_of(library, Request(visible=visible.key).checked(library))
    assert chosen.infrared.name == infrared.key
    other = pair_of(library, Request(person=15).checked(library))
    assert other.visible.name == "cam1/0015/0001.jpg"


def test_rendered_pairs_are_aligned_at_0_and_the_datas_own_people(library: Library) -> None:
    def silhouettes(misalignment: float) -> float:
        request = Request(source="rendered", person=14, misalignment=misalignment).checked(library)
        images = pair_of(library, request).pixels[64, 32].astype(float).mean(axis=3)
        edges = [np.abs(np.diff(image, axis=1)) for image in images]
        return float(np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1])

    assert silhouettes(0.0) > silhouettes(1.0) + 0.1
    pair = pair_of(library, Request(source="rendered", person=14).checked(library))
    assert pair.pid == 14
    assert {sample.camid for sample in pair.sources} == {2, 3}
    result = auxiliary.run(library, Request(source="rendered", person=14))
    assert result.panel["mun"].found[0] is not None
    with pytest.raises(ValueError, match="expected person from 13 to 18, got 99"):
        auxiliary.run(library, Request(source="rendered", person=99))


def test_own_images_may_differ_in_size_and_leave_nothing(library: Library) -> None:
    own = (look_at(library, whole_image(height=90)), look_at(library, whole_image(height=300)))
    kept = library.cache.num_bytes
    result = auxiliary.run(library, Request(source="own"), own)
    assert library.cache.num_bytes <= kept + 200  # the display mapping is the data set's
    assert any("They differ in size" in note for note in result.panel.pair.notes)
    assert result.panel["mun"].found == (None, None)
    expected = decode(whole_image(height=90), "it")
    assert own[0].height == expected.shape[0]
    with pytest.raises(ValueError, match="an infrared one is missing"):
        auxiliary.run(library, Request(source="own"), (own[0], None))
    file = io.BytesIO()
    Image.new("RGB", (3, 4)).save(file, "PNG")
    with pytest.raises(ValueError, match="at least 8 pixels each way, got 3 x 4"):
        auxiliary.run(library, Request(source="own"), (look_at(library, file.getvalue()), own[1]))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"checkpoint": "nobody"}, "expected checkpoint with MUN's generator to be one of mun-tiny; got 'nobody'"),
        ({"data": "sysu"}, "expected data to be one of synvi"),
        ({"source": "film"}, "expected source to be one of collection, rendered, own"),
        ({"visible": "cam3/0014/0001.jpg"}, "expected visible to be the key of a visible image"),
        ({"infrared": "../../etc/passwd"}, "expected infrared to be the key of an infrared image"),
        ({"visible": PAIR["visible"], "infrared": "cam3/0015/0001.jpg"}, "got person 14 and person 15"),
        ({"person": 99}, "expected person to be somebody in SynVI, got 99"),
        ({"person": float("nan")}, "expected person to be a whole number"),
        ({"mixup": 1.5}, "expected mixup to be a number from 0 to 1, got 1.5"),
        ({"mixup": float("nan")}, "expected mixup to be a number from 0 to 1"),
        ({"misalignment": True}, "expected misalignment to be a number from 0 to 1"),
        ({"seed": -1}, "expected seed to be a whole number from 0 to 9999"),
        ({"share": -0.5}, "expected share to be a number from 0 to 1"),
        ({"share": None}, "expected share to be a number from 0 to 1"),
        ({"step": -2}, "expected step to be a whole number from -1"),
        ({"step": 3}, "expected step to be one that mun-tiny keeps"),
    ],
)
def test_what_came_from_outside_is_checked(library: Library, values: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        auxiliary.run(library, Request(**values))


def test_a_person_of_one_modality_is_a_plain_sentence(
    make_sysu: Callable[[dict[int, tuple[int, ...]]], Path], tiny_checkpoint: Path
) -> None:
    library = open_library(make_sysu({1: (1, 2), 2: (1, 3, 6), 3: (4, 6)}), tiny_checkpoint)
    with pytest.raises(ValueError, match="person 1 has visible images but no infrared one; choose somebody else"):
        auxiliary.run(library, Request(person=1))
    assert opening_pair(library, "sysu")[0].pid == 2
    other = auxiliary.run(library, Request(source="rendered", person=3))
    assert "nobody in the data loaded here" in other.panel.pair.words
    assert other.panel["mun"].found == (None, None)


def test_without_muns_generator_there_is_a_sentence(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    _, card = load_checkpoint(tiny_checkpoint / "mun-tiny")
    config = replace(card.config, model=replace(card.config.model, auxiliary="none"))
    network = build_network(config, num_classes=0).eval()
    save_checkpoint(tmp_path / "none-tiny", network, replace(card, name="none-tiny", config=config))
    with pytest.raises(ValueError, match="expected a checkpoint with MUN's generator, none is loaded"):
        auxiliary.run(open_library(tiny_synvi, tmp_path), Request())


def test_ranks_are_not_waited_for_where_nobody_wants_to_wait(
    tiny_synvi: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = open_library(tiny_synvi, tiny_checkpoint)
    request = Request(**PAIR).checked(library)
    for state, words, soon in (
        (Progress(3, 12), "mun-tiny has looked at 3 of 12 images", True),
        (Progress(0, 12, problem="an image is gone"), "cannot be had: an image is gone", False),
        (Progress(0, 12, stopped=True), "was stopped", False),
    ):
        monkeypatch.setattr(library, "prepare", lambda *_, state=state, **__: state)
        made = auxiliary.panel(library, request, pair_of(library, request), wait=False)
        assert words in made.waiting
        assert made.preparing is soon
        assert made["mun"].found == (None, None)


def test_the_answer_is_json_with_whole_pngs(result: Result) -> None:
    answer = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert (answer["mixup"], answer["seed"], answer["pair"]["person"]) == (0.3, 4, 14)
    assert [one["name"] for one in answer["modalities"]] == list(ORDER)
    for one in [*answer["modalities"], *answer["mun"]["images"]]:
        data = base64.b64decode(one["image"].removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(data)).size == (32, 64)
    assert answer["mun"]["steps"] == [5, 10]


def test_exports_say_where_they_come_from(rivals: Library, result: Result) -> None:
    lines = panel_csv(rivals, result).splitlines()
    table = [line.split(",") for line in lines if not line.startswith('"#') and not line.startswith("#")]
    assert [row[1] for row in table[1:]] == [*ORDER, "turned", "iml", "cml"]
    row = dict(zip(table[0], table[1 + ORDER.index("mun")], strict=True))
    assert float(row["d_to_visible"]) == pytest.approx(result.panel["mun"].place.to_visible, abs=1e-6)
    words = caption(rivals, result)
    for part in ("mun-tiny (", "syncretic-tiny (", "λ = 0.30", "seed 4", "identity label", "synthetic"):
        assert part in words
    call = "".join(call_pieces(result))
    compile(call, "call", "exec")
    assert "visible='cam1/0014/0001.jpg'" in call
    assert "mixup=0.3, seed=4, " in call
    assert panel_figure(rivals, result, "pdf").startswith(b"%PDF-1.")
    assert stem_of(result) == "auxiliary-cam1-0014-0001-mun-tiny"
    with pytest.raises(ValueError, match="png, pdf or svg"):
        panel_figure(rivals, result, "gif")
