from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from broken_images import broken_images, image_bomb, whole_image

from app.actions.retrieval import own_gallery
from app.actions.retrieval.own_gallery import Request
from app.library import Library
from app.views import own_images as own_views


def files_of(library: Library, camid: int) -> tuple[tuple[str, bytes], ...]:
    samples = [sample for sample in library.collections["synvi"].samples if sample.camid == camid]
    return tuple((f"{sample.pid}-{sample.path.name}", sample.path.read_bytes()) for sample in samples)


def test_an_own_gallery_is_ranked_by_cosine_for_an_image_of_the_data_set(library: Library) -> None:
    collection = library.collections["synvi"]
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    key = collection.queries[5].key
    result = own_gallery.run(library, Request(files=files_of(library, 4), modality="visible", query_key=key, top_k=200))
    shown = [row for row, sample in enumerate(collection.samples) if sample.camid == 4]
    distances = 1 - rows[shown] @ rows[collection.rows[key]]
    assert [one.index for one in result.results] == sorted(range(len(shown)), key=lambda index: distances[index])
    assert [one.distance for one in result.results] == pytest.approx(sorted(distances), abs=1e-5)
    assert (result.query, result.query_modality, result.gallery_size) == (key, "infrared", 12)
    assert "never saw a real person" in result.warning


def test_own_query_and_own_gallery_the_other_way_round(library: Library) -> None:
    query = files_of(library, 1)[0][1]
    request = Request(files=files_of(library, 6), modality="infrared", query=query, top_k=3)
    result = own_gallery.run(library, request)
    assert result.query is None
    assert len(result.results) == 3
    assert result.query_modality == "visible"


def test_broken_files_are_listed_and_the_rest_is_ranked(library: Library) -> None:
    broken = [(f"{number}.png", data) for number, data in enumerate(broken_images().values())]
    good = files_of(library, 1)[:2]
    files = (*broken[:5], good[0], *broken[5:], good[1], ("bomb.png", image_bomb()))
    result = own_gallery.run(library, Request(files=files, modality="visible"))
    assert [one.name for one in sorted(result.results, key=lambda one: one.index)] == [name for name, _ in good]
    assert [file.name for file in result.broken] == [*(name for name, _ in broken), "bomb.png"]
    for file in result.broken:
        assert file.reason.startswith("expected the file to")
        assert "\n" not in file.reason
    assert result.to_json()["broken"][0].keys() == {"name", "reason"}


def test_names_reach_the_page_escaped_and_shortened(library: Library) -> None:
    name = "<img src=x onerror=alert(1)>" + "n" * 300 + ".png"
    gallery = own_gallery.look_at_all(library, [(name, b"no image"), (name, whole_image())])
    html = own_views.broken_html(gallery, 1)
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
    assert "n" * 60 not in html


def test_a_gallery_has_bounds(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    small = whole_image("JPEG")
    with pytest.raises(ValueError, match="at most 200 images"):
        own_gallery.look_at_all(library, [("a.jpg", small)] * 201)
    assert len(own_gallery.look_at_all(library, [("a.jpg", small)] * 200).images) == 200
    monkeypatch.setattr(own_gallery, "MAX_TOTAL_BYTES", 2 * len(small))
    gallery = own_gallery.look_at_all(library, [("a.jpg", small)] * 3)
    assert (len(gallery.images), [file.reason for file in gallery.broken]) == (
        2,
        ["passed over: a gallery has at most 0 MB"],
    )
    monkeypatch.setattr(own_gallery, "MAX_TOTAL_BYTES", 10**9)
    monkeypatch.setattr(own_gallery, "MAX_TOTAL_PIXELS", 32 * 64)
    gallery = own_gallery.look_at_all(library, [("a.jpg", small)] * 4)
    assert len(gallery.images) == 2
    assert "million pixels" in gallery.broken[0].reason


def test_only_one_file_is_read_at_a_time(library: Library) -> None:
    """The files may come from a generator that deletes each before it gives the next."""
    events = []

    def files() -> Any:
        for number in range(3):
            events.append(number)
            yield f"{number}.png", whole_image()

    assert len(own_gallery.look_at_all(library, files()).images) == 3
    assert events == [0, 1, 2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"files": ()}, "at least one readable image in your gallery, got none"),
        ({"files": (("a", b"x"), ("b", b""))}, "got 2 that cannot be read"),
        ({"modality": ""}, "expected modality to be visible or infrared"),
        ({"modality": 3}, "got 3"),
        ({"query": b"no image"}, "expected the query to be one of"),
        ({"query_key": "cam1/0001/0001.jpg"}, "one of the infrared images of SynVI"),
        ({"query_key": "../../etc/passwd"}, "expected query_key"),
        ({"query_key": None}, "expected query_key to be text"),
        ({"top_k": 201}, "from 1 to 200"),
        ({"checkpoint": "nobody"}, "checkpoint"),
        ({"data": "nowhere"}, "data"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(library: Library, values: dict[str, Any], message: str) -> None:
    right = {"files": (("a.png", whole_image()),), "modality": "visible"}
    with pytest.raises(ValueError, match="expected") as caught:
        own_gallery.run(library, Request(**{**right, **values}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
