"""Own images on the page: the browser keeps them, an answer is a function of what it sends."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from broken_images import broken_images, whole_image
from PIL import Image

from app.library import Library
from app.library.own_images import cut, look_at, small
from app.retrieval.browse import Browse
from app.retrieval.export import Options, write
from app.retrieval.own import RetrieveImage, rank
from app.retrieval.tab import answer
from app.shared.tab import Answer, Press


def uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def files(library: Library, camid: int) -> list[tuple[str, bytes]]:
    samples = [sample for sample in library.collections["synvi"].samples if sample.camid == camid]
    return [(sample.key, sample.path.read_bytes()) for sample in samples]


def sheet(library: Library, images: list[bytes]) -> str:
    """Lay small copies below one another, as the browser does."""
    copies = [look_at(library, data).pixels[max(library.input_sizes)] for data in images]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(copies)).save(file, "PNG")
    return uri(file.getvalue())


def press(library: Library, values: dict[str, Any], **said: Any) -> Answer:
    library.embeddings("mun-tiny", "synvi")
    request, wrong = Browse.repair(values, library)
    assert not wrong
    return answer(library, request, Press(values=values, **said))


def cards(answered: Answer) -> list[tuple[str, str]]:
    """Distances of the cards, and the places in the gallery or names of people."""
    html = answered.pieces["ranking"]
    assert isinstance(html, str)
    return re.findall(r'class="mun-person">([^<]*)</span> <span class="mun-distance">([^<]*)<', html)


def test_an_own_image_is_ranked_as_over_http(library: Library) -> None:
    data = files(library, 6)[3][1]
    answered = press(library, {"own_image": uri(data), "own_modality": "infrared", "top_k": 7})
    expected = rank(library, RetrieveImage.read({"modality": "infrared", "top_k": 7}, library), look_at(library, data))
    assert [distance for _, distance in cards(answered)] == [f"{one.distance:.3f}" for one in expected.results]
    assert "never saw a real person" in str(answered.pieces["ranking"])
    kept = answered.request.own_image
    assert len(kept) < 20_000
    assert kept == small(look_at(library, data, "unnamed"))
    again = press(library, {**answered.request.model_dump()})
    assert cards(again) == cards(answered)
    assert kept not in answered.request.link(library, "retrieval")
    request = again.request
    table = write(library, request, Options.read({}, library), "list", "csv", Press()).data.decode()
    assert table.count("\r\n") >= 8
    assert "visitor's own infrared image" in table
    with pytest.raises(ValueError, match="expected CSV"):
        write(library, request, Options.read({}, library), "list", "png", Press())


@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_the_card_names_its_modality_and_an_odd_shape_is_said(library: Library, modality: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (90, 5)).save(file, "PNG")
    html = str(press(library, {"own_image": uri(file.getvalue()), "own_modality": modality}).pieces["ranking"])
    assert f'class="mun-query-card" data-modality="{modality}"' in html
    assert "so it is stretched" in html
    assert "small and was enlarged" in html


def test_a_modality_is_never_guessed(library: Library) -> None:
    answered = press(library, {"own_image": uri(whole_image())})
    assert "infrared or visible" in answered.notice
    assert "ranking" not in answered.pieces
    assert answered.request.own_image


@pytest.mark.parametrize("kind", [*broken_images(), "text"])
def test_a_broken_image_gets_one_sentence_and_is_forgotten(library: Library, kind: str) -> None:
    value = "nothing" if kind == "text" else uri(broken_images()[kind])
    answered = press(library, {"own_image": value, "own_modality": "visible"})
    assert answered.notice.startswith("expected ")
    assert answered.request.own_image == ""


@pytest.mark.parametrize("own", [False, True])
def test_an_own_gallery_is_ranked_by_cosine(library: Library, own: bool) -> None:
    collection = library.collections["synvi"]
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    key, camid = (files(library, 1)[0][0], 6) if own else (collection.queries[5].key, 4)
    values = {"top_k": 100} if not own else {"own_image": uri(files(library, 1)[0][1]), "own_modality": "visible"}
    shown = [row for row, sample in enumerate(collection.samples) if sample.camid == camid]
    detail = {"gallery": sheet(library, [data for _, data in files(library, camid)])}
    answered = press(library, {**({} if own else {"query": key}), **values, "top_k": 100}, detail=detail)
    distances = 1 - rows[shown] @ rows[collection.rows[key]]
    order = np.argsort(distances, kind="stable")
    assert [who for who, _ in cards(answered)] == [f"file {place + 1}" for place in order]
    assert [float(distance) for _, distance in cards(answered)] == pytest.approx(sorted(distances), abs=6e-4)


def test_each_file_of_a_gallery_comes_back_small_or_with_its_reason(library: Library) -> None:
    data = files(library, 4)[0][1]
    answered = press(library, {}, do="own-add", detail={"file": uri(data)})
    html = answered.pieces["own-news"]
    assert set(answered.pieces) == {"own-news"}
    copy = re.search(r'data-own-small="([^"]+)"', str(html))
    (image,) = cut(library, copy[1])
    np.testing.assert_array_equal(image.pixels[max(image.pixels)], look_at(library, data).pixels[max(image.pixels)])
    for bad in (uri(broken_images()["empty"] or b"x"), "text", None, 7, ["x"]):
        refused = press(library, {}, do="own-add", detail={"file": bad}).pieces["own-news"]
        assert "data-own-error=" in str(refused)


@pytest.mark.parametrize(("height", "width"), [(65, 32), (64, 31), (64 * 201, 32)])
def test_a_gallery_of_another_shape_is_refused(library: Library, height: int, width: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    with pytest.raises(ValueError, match="expected a gallery of 1 to 200 images of 64 by 32 pixels"):
        press(library, {}, detail={"gallery": uri(file.getvalue())})


@pytest.mark.parametrize("gallery", [7, ["x"], {"a": 1}, True])
def test_a_gallery_that_is_no_picture_is_asked_for(library: Library, gallery: object) -> None:
    answered = press(library, {}, detail={"gallery": gallery})
    assert answered.notice == "Bring an image or a gallery of your own."
    assert set(answered.pieces) == {"retrieval-own"}


def test_nothing_of_the_images_is_kept(library: Library) -> None:
    press(library, {})
    before = set(library.cache._kept)
    press(library, {"own_image": uri(whole_image()), "own_modality": "infrared"})
    new = set(library.cache._kept) - before
    assert all(key[0] == "thumbnail" for key in new)  # of the data set's images
