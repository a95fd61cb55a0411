from __future__ import annotations

import base64
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_images import broken_images, image_bomb, whole_image

from app.library import Library, own_images
from app.retrieval import own
from app.retrieval.rank import Retrieve, retrieve
from mun.structures import Modality


def ask(library: Library, image: Any = None, **values: Any) -> own.Result:
    words = base64.b64encode(image).decode() if isinstance(image, bytes) else image
    request = own.RetrieveImage.read({"image": words, **values}, library)
    request.made_of  # noqa: B018 — checks it
    return own.rank(library, request, own_images.look_at(library, own_images.from_base64("image", request.image)))


def file_of(library: Library, camid: int, row: int = 0) -> tuple[str, bytes]:
    """Key and bytes of an image of a camera."""
    sample = [sample for sample in library.collections["synvi"].samples if sample.camid == camid][row]
    return sample.key, sample.path.read_bytes()


@pytest.mark.parametrize(("protocol", "trial"), [("synvi-all", 0), ("synvi-indoor", 4)])
def test_an_image_of_the_data_set_is_ranked_as_the_query_it_is(library: Library, protocol: str, trial: int) -> None:
    """Camera 6 shares its site with no visible camera, so the protocol leaves nothing out for it either."""
    key, data = file_of(library, 6, 3)
    expected = retrieve(
        library, Retrieve.read({"query": key, "top_k": 100, "protocol": protocol, "trial": trial}, library)
    )
    result = ask(library, data, modality="infrared", top_k=100, protocol=protocol, trial=trial)
    assert [one.image for one in result.results] == [one.image for one in expected.results]
    assert [one.distance for one in result.results] == pytest.approx(
        [one.distance for one in expected.results], abs=1e-5
    )
    assert (result.gallery_size, result.protocol, result.trial) == (expected.gallery_size, protocol, trial)
    assert (result.modality, result.gallery_modality) == ("infrared", "visible")


def test_a_visible_image_is_ranked_with_every_infrared_one_which_no_protocol_does(library: Library) -> None:
    collection = library.collections["synvi"]
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    key, data = file_of(library, 1)
    result = ask(library, data, modality="visible", top_k=100)
    infrared = [sample for sample in collection.queries if sample.modality is Modality.INFRARED]
    cosines = [float(rows[collection.rows[key]] @ rows[collection.rows[sample.key]]) for sample in infrared]
    order = sorted(range(len(infrared)), key=lambda index: (-cosines[index], index))
    assert [one.image for one in result.results] == [infrared[index].key for index in order]
    assert result.gallery_size == len(infrared) == 24
    assert "no published protocol" in result.note
    assert (result.protocol, result.trial) == (None, None)


def test_the_modality_matters(library: Library) -> None:
    _, data = file_of(library, 6)
    image = own_images.look_at(library, data)
    infrared = own_images.embed_own(library, "mun-tiny", [image], Modality.INFRARED)
    visible = own_images.embed_own(library, "mun-tiny", [image], Modality.VISIBLE)
    assert np.abs(infrared - visible).max() > 1e-3


def test_the_answer_says_what_it_is_worth(library: Library) -> None:
    result = ask(library, whole_image(), modality="infrared")
    assert "never saw a real person" in result.warning
    answer = asdict(result)
    assert answer["warning"] == result.warning
    assert set(answer["results"][0]) == {"rank", "image", "pid", "camid", "distance"}
    assert [one["rank"] for one in answer["results"]] == list(range(1, 11))


def test_nothing_of_the_image_is_kept(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    library.embeddings("mun-tiny", "synvi")
    library.network("mun-tiny")
    before, weight = set(library.cache._kept), library.cache.num_bytes
    ask(library, whole_image(), modality="infrared")
    assert set(library.cache._kept) == before
    assert library.cache.num_bytes == weight
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [*broken_images(), "bomb", "too many bytes"])
def test_a_broken_image_gets_one_plain_sentence(library: Library, kind: str) -> None:
    data = {"bomb": image_bomb, "too many bytes": lambda: bytes(16_000_001)}.get(kind, lambda: broken_images()[kind])()
    with pytest.raises(ValueError, match="expected the image to") as caught:
        own.rank(library, own.RetrieveImage.read({"modality": "infrared"}, library), own_images.look_at(library, data))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modality": ""}, "expected modality to be visible or infrared, got ''"),
        ({"modality": "thermal"}, "got 'thermal'"),
        ({"modality": "auxiliary"}, "got 'auxiliary'"),
        ({"modality": None}, "expected modality to be text, got None"),
        ({"modality": ["visible"]}, "got a list"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": float("nan")}, "top_k"),
        ({"trial": 10}, "trial"),
        ({"protocol": "sysu-all"}, "protocol"),
        ({"checkpoint": "../mun-tiny"}, "checkpoint"),
        ({"data": "elsewhere"}, "data"),
        ({"image": "../etc/passwd"}, "got other text"),
        ({"image": 7}, "expected image to be text, got 7"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(library: Library, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        ask(library, **{"image": whole_image(), "modality": "visible", **values})
    assert message in str(caught.value)


def test_base64_comes_bare_wrapped_url_safe_unpadded_or_as_a_data_uri() -> None:
    data = whole_image(height=65)
    words, safe = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    assert len(data) % 3
    assert safe != words
    wrapped = base64.encodebytes(data).decode()
    for value in (
        *(words, f"data:image/png;base64,{words}", f"  {words}\n", f"DATA:;BASE64,{words}"),
        *(
            wrapped,
            wrapped.replace("\n", "\r\n"),
            f"data:;base64,\n{wrapped}",
            safe,
            safe.rstrip("="),
            words.rstrip("="),
        ),
    ):
        assert own_images.from_base64("image", value) == data


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "got NoneType"),
        (b"bytes", "got bytes"),
        ("", "got none"),
        ("data:image/png;base64,", "got none"),
        ("data:image/png,abc", "another encoding"),
        ("../../etc/passwd", "got other text"),
        ("not base64 at all", "got other text"),
        ("\u00e9\u00e9\u00e9\u00e9", "got other text"),
        ("A" * 21_400_000, "at most 16 MB"),
    ],
)
def test_other_text_is_no_image(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        own_images.from_base64("image", value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.jpg", "photo.jpg"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\u202egpj.exe\n\x00b", "agpj.exeb"),
        ("", "unnamed"),
        (None, "unnamed"),
        ("x" * 300 + ".jpeg", "x" * 37 + "\u2026" + "xxxxx.jpeg"),
    ],
)
def test_names_are_shortened_and_stripped(name: Any, expected: str) -> None:
    assert own_images.short_name(name) == expected
    assert len(expected) <= 48


def test_what_is_held_is_small_whatever_came(library: Library) -> None:
    image = own_images.look_at(library, whole_image("JPEG", 1500, 3000), "big.jpg")
    assert (image.height, image.width) == (3000, 1500)
    assert [pixels.shape for pixels in image.pixels.values()] == [(64, 32, 3)]
    assert sum(pixels.nbytes for pixels in image.pixels.values()) < 80_000


def test_the_warning_names_other_training_data(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    card = library.checkpoints["mun-tiny"].card
    monkeypatch.setitem(card.data, "name", "sysu")
    words = own_images.warning(library, "mun-tiny")
    assert "SYSU-MM01" in words
    assert "no evidence" in words
    monkeypatch.delitem(card.data, "name")
    assert "does not name" in own_images.warning(library, "mun-tiny")
