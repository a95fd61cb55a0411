"""A visitor's own images: read, ranked, on the page and over HTTP; the browser keeps them, the app does not."""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_images import broken_images, whole_image
from made import encoded
from PIL import Image

from app.library import Library, own_images
from app.library.own_images import look_at, read_own, small_copy, split_gallery
from app.retrieval import own
from app.retrieval.browse import Browse, Options
from app.retrieval.export import write
from app.retrieval.own import RetrieveImage, rank
from app.retrieval.rank import Retrieve, retrieve
from app.retrieval.tab import answer
from app.shared.tab import Answer, Press
from mun.structures import Modality


def ask(library: Library, image: bytes, **values: Any) -> own.Result:
    return rank(library, RetrieveImage.read(values, library), look_at(library, image))


def files(library: Library, camid: int) -> list[tuple[str, bytes]]:
    """Keys and bytes of the images of a camera."""
    samples = [sample for sample in library.collections["synvi"].samples if sample.camid == camid]
    return [(sample.key, sample.path.read_bytes()) for sample in samples]


def picture(height: int, width: int) -> bytes:
    """A black image."""
    return encoded(Image.new("RGB", (width, height)))


def uri(data: bytes, head: str = "image/png") -> str:
    return f"data:{head};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(("protocol", "trial"), [("synvi-all", 0), ("synvi-indoor", 4)])
def test_an_image_of_the_data_set_is_ranked_as_the_query_it_is(library: Library, protocol: str, trial: int) -> None:
    """Camera 6 shares its site with no visible camera, so the protocol leaves nothing out for it either."""
    key, data = files(library, 6)[3]
    values = {"top_k": 100, "protocol": protocol, "trial": trial}
    expected = retrieve(library, Retrieve.read({"query": key, **values}, library))
    result = ask(library, data, modality="infrared", **values)
    assert [one.image for one in result.results] == [one.image for one in expected.results]
    assert [one.distance for one in result.results] == pytest.approx(
        [one.distance for one in expected.results], abs=1e-5
    )
    assert (result.gallery_size, result.protocol, result.trial) == (expected.gallery_size, protocol, trial)
    assert (result.modality, result.gallery_modality) == ("infrared", "visible")


def test_a_visible_image_is_ranked_with_every_infrared_one_which_no_protocol_does(library: Library) -> None:
    collection = library.collections["synvi"]
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    key, data = files(library, 1)[0]
    result = ask(library, data, modality="visible", top_k=100)
    infrared = [sample for sample in collection.queries if sample.modality is Modality.INFRARED]
    cosines = [float(rows[collection.rows[key]] @ rows[collection.rows[sample.key]]) for sample in infrared]
    order = sorted(range(len(infrared)), key=lambda index: (-cosines[index], index))
    assert [one.image for one in result.results] == [infrared[index].key for index in order]
    assert result.gallery_size == len(infrared) == 24
    assert "not a published protocol" in result.note
    assert (result.protocol, result.trial) == (None, None)


def test_base64_comes_bare_wrapped_url_safe_unpadded_or_as_a_data_uri() -> None:
    data = whole_image(height=65)
    words, safe = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    assert len(data) % 3
    assert safe != words
    wrapped = base64.encodebytes(data).decode()
    uris = (f"data:image/png;base64,{words}", f"DATA:;BASE64,{words}", f"data:;base64,\n{wrapped}")
    lines = (words, f"  {words}\n", wrapped, wrapped.replace("\n", "\r\n"))
    for value in (*uris, *lines, safe, safe.rstrip("="), words.rstrip("=")):
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


def test_the_warning_names_other_training_data(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    card = library.checkpoints["mun-tiny"].card
    monkeypatch.setitem(card.data, "name", "sysu")
    words = own_images.warning(library, "mun-tiny")
    assert "SYSU-MM01" in words
    assert "no evidence" in words
    monkeypatch.delitem(card.data, "name")
    assert "does not name" in own_images.warning(library, "mun-tiny")


def sheet(library: Library, images: list[bytes]) -> str:
    """Lay small copies below one another, as the browser does."""
    copies = [look_at(library, data).pixels[max(library.input_sizes)] for data in images]
    return uri(encoded(Image.fromarray(np.concatenate(copies))))


def press(library: Library, values: dict[str, Any], **said: Any) -> Answer:
    request, wrong = Browse.repair(values, library)
    assert not wrong
    return answer(library, request, Press(values=values, **said))


def cards(answered: Answer) -> list[tuple[str, str]]:
    """Distances of the cards, and the places in the gallery or names of people."""
    html = answered.pieces["ranking"]
    return re.findall(r'class="mun-person">([^<]*)</span> <span class="mun-distance">([^<]*)<', html)


def test_an_own_image_is_ranked_as_over_http(library: Library) -> None:
    data = files(library, 6)[3][1]
    answered = press(library, {"own_image": uri(data), "own_modality": "infrared", "top_k": 7})
    expected = ask(library, data, modality="infrared", top_k=7)
    assert [distance for _, distance in cards(answered)] == [f"{one.distance:.3f}" for one in expected.results]
    assert "never saw a real person" in str(answered.pieces["ranking"])
    kept = answered.request.own_image
    assert len(kept) < 20_000
    assert kept == small_copy(look_at(library, data, "unnamed"))
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
    html, usual = (
        str(press(library, {"own_image": uri(data), "own_modality": modality}).pieces["ranking"])
        for data in (picture(5, 90), picture(128, 64))
    )
    assert f'class="mun-query-card" data-modality="{modality}"' in html
    for words in ("so it is stretched", "small and was enlarged"):
        assert words in html
        assert words not in usual


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
    if not own:  # a filter counts here too
        other = collection.queries[-1].pid
        filtered = press(library, {"query": key, "pid": other}, detail=detail).request.query
        assert collection.samples[collection.rows[filtered]].pid == other


def test_each_file_of_a_gallery_comes_back_small_or_with_its_reason(library: Library) -> None:
    data = files(library, 4)[0][1]
    answered = press(library, {}, do="own-add", detail={"file": uri(data)})
    html = answered.pieces["own-news"]
    assert set(answered.pieces) == {"own-news"}
    copy = re.search(r'data-own-small="([^"]+)"', str(html))
    (image,) = split_gallery(library, copy[1])
    np.testing.assert_array_equal(image.pixels[max(image.pixels)], look_at(library, data).pixels[max(image.pixels)])
    for bad in (uri(broken_images()["empty"] or b"x"), "text", None, 7, ["x"]):
        refused = press(library, {}, do="own-add", detail={"file": bad}).pieces["own-news"]
        assert "data-own-error=" in str(refused)


@pytest.mark.parametrize(("height", "width"), [(65, 32), (64, 31), (64 * 201, 32)])
def test_a_gallery_of_another_shape_is_refused(library: Library, height: int, width: int) -> None:
    with pytest.raises(ValueError, match="expected a gallery of 1 to 200 images of 64 by 32 pixels"):
        press(library, {}, detail={"gallery": uri(picture(height, width))})


def test_nothing_of_the_images_is_kept(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    press(library, {})
    before = set(library.cache._kept)
    press(library, {"own_image": uri(whole_image()), "own_modality": "infrared"})
    new = set(library.cache._kept) - before
    assert all(key[0] == "thumbnail" for key in new)  # of the data set's images
    assert not list(tmp_path.iterdir())


def test_the_small_copy_is_what_the_networks_look_at_and_keeps_name_and_size(library: Library) -> None:
    named = "image/png;name=..%2Fme%20%26%00%0A%20you.png"
    image = read_own(library, "image", uri(whole_image(height=300, width=90), named))
    assert [pixels.shape for pixels in image.pixels.values()] == [(64, 32, 3)]
    again = read_own(library, "image", small_copy(image))
    assert (again.name, again.height, again.width) == (image.name, 300, 90) == ("me & you.png", 300, 90)
    assert all((again.pixels[size] == pixels).all() for size, pixels in image.pixels.items())
    assert small_copy(again) == small_copy(image)
    assert len(small_copy(image)) < 12_000


@pytest.mark.parametrize(
    "head", ["image/png", "", "image/png;size=0x9", "image/png;size=x;name", ";;;name=%FF", "a;size=1e9x2"]
)
def test_a_head_that_says_nothing_or_nonsense_is_passed_over(library: Library, head: str) -> None:
    image = read_own(library, "image", uri(whole_image(), head))
    assert (image.height, image.width) == (64, 32)


@pytest.mark.parametrize(("brand", "kind"), [(b"heic", "HEIC"), (b"mif1", "HEIC"), (b"avif", "AVIF")])
def test_a_phones_picture_is_refused_by_its_name(library: Library, brand: bytes, kind: str) -> None:
    data = b"\0\0\0\x18ftyp" + brand + bytes(40)
    with pytest.raises(
        ValueError, match=f"expected the image to be one of JPEG, .*, got {kind}; save it as JPEG first"
    ):
        look_at(library, data)
