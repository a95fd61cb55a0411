"""Images of one's own: read, ranked, on the page and over HTTP; the browser keeps them, the app nothing."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import pytest
from hostile_images import broken_images, whole_image
from PIL import Image

from app.library import Library, own_images
from app.library.own_images import brought, cut, look_at, oddities, small
from app.retrieval import own
from app.retrieval.browse import Browse, Options
from app.retrieval.export import write
from app.retrieval.own import RetrieveImage, rank
from app.retrieval.rank import Retrieve, retrieve
from app.retrieval.tab import answer
from app.shared.request import File, Request, Text, option
from app.shared.tab import Answer, Press
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


def test_the_answer_says_what_it_is_worth(library: Library) -> None:
    result = ask(library, whole_image(), modality="infrared")
    assert "never saw a real person" in result.warning
    answer = asdict(result)
    assert answer["warning"] == result.warning
    assert set(answer["results"][0]) == {"rank", "image", "pid", "camid", "distance"}
    assert [one["rank"] for one in answer["results"]] == list(range(1, 11))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modality": ""}, "expected modality to be visible or infrared, got ''"),
        ({"modality": "thermal"}, "got 'thermal'"),
        ({"protocol": "sysu-all"}, "protocol"),
        ({"image": "../etc/passwd"}, "got other text"),
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


def test_nothing_of_the_images_is_kept(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    press(library, {})
    before = set(library.cache._kept)
    press(library, {"own_image": uri(whole_image()), "own_modality": "infrared"})
    new = set(library.cache._kept) - before
    assert all(key[0] == "thumbnail" for key in new)  # of the data set's images
    assert not list(tmp_path.iterdir())


SIZE = (64, 32)


def named_uri(data: bytes, head: str = "image/png;name=me%20%26%20you.png") -> str:
    return f"data:{head};base64,{base64.b64encode(data).decode()}"


def test_the_small_copy_is_what_the_networks_look_at_and_keeps_name_and_size(library: Library) -> None:
    image = brought(library, "image", named_uri(whole_image(height=300, width=90)))
    again = brought(library, "image", small(image))
    assert (again.name, again.height, again.width) == (image.name, 300, 90) == ("me & you.png", 300, 90)
    assert all((again.pixels[size] == pixels).all() for size, pixels in image.pixels.items())
    assert small(again) == small(image)
    assert len(small(image)) < 12_000


@pytest.mark.parametrize(
    "head", ["image/png", "", "image/png;size=0x9", "image/png;size=x;name", ";;;name=%FF", "a;size=1e9x2"]
)
def test_a_head_that_says_nothing_or_nonsense_is_passed_over(library: Library, head: str) -> None:
    image = brought(library, "image", named_uri(whole_image(), head))
    assert (image.height, image.width) == SIZE


def test_a_name_is_shortened_and_has_no_control_characters(library: Library) -> None:
    name = quote("../a\x00\n" + "b" * 200 + "<b>.png", safe="")
    image = brought(library, "image", named_uri(whole_image(), f"image/png;name={name}"))
    assert len(image.name) <= 48
    assert image.name.endswith("<b>.png")
    assert image.name.isprintable()
    assert name not in small(image)


@pytest.mark.parametrize(("brand", "kind"), [(b"heic", "HEIC"), (b"mif1", "HEIC"), (b"avif", "AVIF")])
def test_a_phones_picture_is_refused_by_its_name(library: Library, brand: bytes, kind: str) -> None:
    data = b"\0\0\0\x18ftyp" + brand + bytes(40)
    with pytest.raises(
        ValueError, match=f"expected the image to be one of JPEG, .*, got {kind}; save it as JPEG first"
    ):
        look_at(library, data)


def test_odd_shapes_and_few_pixels_are_said(library: Library) -> None:
    def notes(height: int, width: int) -> str:
        file = io.BytesIO()
        Image.fromarray(np.zeros((height, width, 3), dtype=np.uint8)).save(file, "PNG")
        return " ".join(oddities("image", look_at(library, file.getvalue()), SIZE))

    assert notes(128, 64) == ""
    assert "other proportions" in notes(20, 900)
    assert notes(5, 3).endswith("Your image is small and was enlarged.")


class Brings(Request):
    """A request with a file."""

    words: Annotated[Text, "no part of it"] = option("a")
    image: File = option("")


def test_no_link_and_no_call_repeats_a_file(library: Library) -> None:
    request = Brings(words="b", image="A" * 50)
    assert request.said(library) == {"words": "b"}
    assert request.link(library, "tab") == "?tab=tab&words=b"
    assert "words='b', image='<base64>', api_name" in request.call(library, "do", "http://here")
    assert "image" not in Brings(words="b").call(library, "do", "http://here")
    assert Brings.files({"words": "b", "image": "A", "other": 1}) == {"image": "A"}
