from __future__ import annotations

import base64
import csv
import re
from pathlib import Path
from typing import Any

import pytest
from broken_images import broken_images, whole_image

from app.library import Library, open_library
from app.library.background import Progress
from app.library.checkpoints import CheckpointEntry
from app.server.uploads import Allowance
from app.tabs.own_image import BUNDLED, MY_IMAGE, Held, OwnHandlers


@pytest.fixture
def handlers(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnHandlers:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    library.embeddings("mun-tiny", "synvi")
    return OwnHandlers(library)


def put(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    """Write a file where Gradio would, and return what the browser would send."""
    path = folder / f"{name.encode().hex()}-{len(data)}" / "file"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"path": str(path), "orig_name": name}


def test_an_image_is_taken_ranked_and_forgotten(handlers: OwnHandlers, tmp_path: Path) -> None:
    held, value, shown, ranking = handlers.take_image(Held(), put(tmp_path, "me.png", whole_image()))
    assert (value, ranking) == (None, "")
    assert "me.png" in shown
    assert list(tmp_path.iterdir()) == []
    assert handlers.allowance.num_bytes == held.image.num_bytes
    held, ranking = handlers.rank_image(held, "infrared", "mun-tiny", 4)
    assert ranking.count('class="mun-own-card"') == 4
    assert "never saw a real person" in ranking
    again, _ = handlers.rank_image(held, "visible", "mun-tiny", 4)
    assert again.turn > held.turn
    held, *rest = handlers.forget(again)
    assert (held.image, held.gallery, rest) == (None, None, [""] * 4)


@pytest.mark.parametrize("kind", list(broken_images()))
def test_a_broken_image_gives_a_sentence_and_is_deleted(handlers: OwnHandlers, tmp_path: Path, kind: str) -> None:
    held, _, shown, _ = handlers.take_image(Held(), put(tmp_path, "broken", broken_images()[kind]))
    assert held.image is None
    assert 'data-state="error"' in shown
    assert "Expected the image to" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_gallery_is_taken_and_ranked_for_either_query(handlers: OwnHandlers, tmp_path: Path) -> None:
    files = [put(tmp_path, f"{size}.png", whole_image(height=size)) for size in (40, 50, 60)]
    files.append(put(tmp_path, "<b>bad</b>.png", b"no image"))
    held, _, shown, _ = handlers.take_gallery(Held(), files)
    assert "3 images read, 1 passed over" in shown
    assert "<strong>b&gt;.png</strong> expected the file to be one of" in shown  # what follows the last slash
    assert list(tmp_path.iterdir()) == []
    _, ranking = handlers.rank_gallery(held, "visible", BUNDLED, "", None, "mun-tiny", 20)
    assert ranking.count('class="mun-own-card"') == 3
    assert "person" in ranking
    _, ranking = handlers.rank_gallery(held, "visible", MY_IMAGE, "", "infrared", "mun-tiny", 20)
    assert "Drop in an image above first" in ranking
    held, *_ = handlers.take_image(held, put(tmp_path, "me.png", whole_image()))
    _, ranking = handlers.rank_gallery(held, "visible", MY_IMAGE, "", "visible", "mun-tiny", 20)
    assert "Expected your image above to be infrared" in ranking
    _, ranking = handlers.rank_gallery(held, "visible", MY_IMAGE, "", "infrared", "mun-tiny", 2)
    assert ranking.count('class="mun-own-card"') == 2


def table_of(ranking: str) -> list[list[str]]:
    """Read the CSV file that hangs on a ranking, without the lines that say where it comes from."""
    (data,) = re.findall(r'href="data:text/csv;base64,([^"]+)" download="ranked-own.csv"', ranking)
    lines = list(csv.reader(base64.b64decode(data).decode().splitlines()))
    return [line for line in lines if not line[0].startswith("# ")]


def test_a_ranking_is_taken_home_without_a_picture(handlers: OwnHandlers, tmp_path: Path) -> None:
    held, *_ = handlers.take_image(Held(), put(tmp_path, "me.png", whole_image()))
    held, ranking = handlers.rank_image(held, "infrared", "mun-tiny", 3)
    header, *rows = table_of(ranking)
    assert header == ["rank", "image", "pid", "camid", "distance"]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    for _, image, pid, camid, distance in rows:
        assert image.split("/")[:2] == [f"cam{camid}", f"{int(pid):04d}"]
        assert f"d {float(distance):.3f}" in ranking
    held, *_ = handlers.take_gallery(held, [put(tmp_path, name, whole_image()) for name in ("=1+1.png", "b.png")])
    _, ranking = handlers.rank_gallery(held, "visible", MY_IMAGE, "", "infrared", "mun-tiny", 20)
    header, *rows = table_of(ranking)
    assert header == ["rank", "file", "number", "distance"]
    assert {row[1] for row in rows} == {"'=1+1.png", "b.png"}, "no formula for a spreadsheet"
    assert {row[2] for row in rows} == {"1", "2"}


def test_too_many_files_are_refused_unread_and_deleted(handlers: OwnHandlers, tmp_path: Path) -> None:
    files = [put(tmp_path, f"{number}.png", b"x") for number in range(201)]
    held, _, shown, _ = handlers.take_gallery(Held(), files)
    assert held.gallery is None
    assert "at most 200 images in a gallery, got 201" in shown
    assert list(tmp_path.iterdir()) == []


def test_presses_before_anything_was_brought_say_what_to_do(handlers: OwnHandlers, tmp_path: Path) -> None:
    assert "Drop in an image first." in handlers.rank_image(Held(), "infrared", "mun-tiny", 10)[1]
    assert "Drop in the images" in handlers.rank_gallery(Held(), None, MY_IMAGE, "", None, "mun-tiny", 10)[1]
    held, *_ = handlers.take_image(Held(), put(tmp_path, "me.png", whole_image()))
    assert "Say first whether your image" in handlers.rank_image(held, None, "mun-tiny", 10)[1]
    held, *_ = handlers.take_gallery(held, [put(tmp_path, "me.png", whole_image())])
    assert "Say first whether your gallery" in handlers.rank_gallery(held, None, MY_IMAGE, "", None, "mun-tiny", 10)[1]


@pytest.mark.parametrize("values", [("thermal", "mun-tiny", 4), ("visible", "nobody", 4), ("visible", ["x"], "many")])
def test_values_that_the_page_does_not_offer_give_a_sentence(
    handlers: OwnHandlers, tmp_path: Path, values: tuple[Any, ...]
) -> None:
    held, *_ = handlers.take_image(Held(), put(tmp_path, "me.png", whole_image()))
    assert "Expected" in handlers.rank_image(held, *values)[1]


def test_when_too_much_is_held_the_next_visitor_is_asked_to_wait(handlers: OwnHandlers, tmp_path: Path) -> None:
    busy = OwnHandlers(handlers.library, Allowance(10))
    held, _, shown, _ = busy.take_image(Held(), put(tmp_path, "me.png", whole_image()))
    assert held.image is None
    assert "try again in some minutes" in shown


def test_before_the_embeddings_are_there_the_page_says_how_far_they_are(
    handlers: OwnHandlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, *_ = handlers.take_image(Held(), put(tmp_path, "me.png", whole_image()))
    monkeypatch.setattr(handlers.library, "prepare", lambda *_, **__: Progress(3, 12))
    _, ranking = handlers.rank_image(held, "infrared", "mun-tiny", 10)
    assert "3 of 12" in ranking
    assert 'data-state="waiting"' in ranking
    monkeypatch.setattr(handlers.library, "prepare", lambda *_, **__: Progress(0, 12, problem="an image is gone"))
    assert "An image is gone." in handlers.rank_image(held, "infrared", "mun-tiny", 10)[1]


def test_a_checkpoint_that_came_after_the_images_asks_for_them_again(
    tiny_synvi: Path, tiny_checkpoint: Path, wide_checkpoint: CheckpointEntry, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    handlers = OwnHandlers(open_library(tiny_synvi, tiny_checkpoint))
    held, *_ = handlers.take_image(Held(), put(tmp_path, "me.png", whole_image()))
    held, *_ = handlers.take_gallery(held, [put(tmp_path, "me.png", whole_image())])
    handlers.library.add_checkpoint(wide_checkpoint)
    handlers.library.embeddings("mun-wide", "synvi")
    for _, html in (
        handlers.rank_image(held, "infrared", "mun-wide", 3),
        handlers.rank_gallery(held, "visible", BUNDLED, "", None, "mun-wide", 3),
    ):
        assert "Expected an image brought after the checkpoint mun-wide" in html
    held, *_ = handlers.take_image(held, put(tmp_path, "me.png", whole_image()))
    assert handlers.rank_image(held, "infrared", "mun-wide", 3)[1].count('class="mun-own-card"') == 3
