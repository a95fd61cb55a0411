from __future__ import annotations

import base64
import io
from typing import Annotated
from urllib.parse import quote

import numpy as np
import pytest
from broken_images import broken_images, whole_image
from PIL import Image

from app.library import Library
from app.library.own_images import brought, look_at, oddities, small
from app.shared.request import File, Request, Text, option

SIZE = (64, 32)


def uri(data: bytes, head: str = "image/png;name=me%20%26%20you.png") -> str:
    return f"data:{head};base64,{base64.b64encode(data).decode()}"


def test_the_small_copy_is_what_the_networks_look_at_and_keeps_name_and_size(library: Library) -> None:
    image = brought(library, "image", uri(whole_image(height=300, width=90)))
    again = brought(library, "image", small(image))
    assert (again.name, again.height, again.width) == (image.name, 300, 90) == ("me & you.png", 300, 90)
    assert all((again.pixels[size] == pixels).all() for size, pixels in image.pixels.items())
    assert small(again) == small(image)
    assert len(small(image)) < 12_000


@pytest.mark.parametrize(
    "head", ["image/png", "", "image/png;size=0x9", "image/png;size=x;name", ";;;name=%FF", "a;size=1e9x2"]
)
def test_a_head_that_says_nothing_or_nonsense_is_passed_over(library: Library, head: str) -> None:
    image = brought(library, "image", uri(whole_image(), head))
    assert (image.height, image.width) == SIZE


def test_a_name_is_shortened_and_has_no_control_characters(library: Library) -> None:
    name = quote("../a\x00\n" + "b" * 200 + "<b>.png", safe="")
    image = brought(library, "image", uri(whole_image(), f"image/png;name={name}"))
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


@pytest.mark.parametrize("kind", list(broken_images()))
def test_a_broken_image_is_one_sentence(library: Library, kind: str) -> None:
    with pytest.raises(ValueError, match="^expected (the visible image|image) to"):
        brought(library, "image", uri(broken_images()[kind]), "the visible image")


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
