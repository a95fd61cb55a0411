from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from broken_images import broken_images, whole_image

from app.actions.auxiliary.request import Request
from app.library import Library, open_library
from app.library.checkpoints import CheckpointEntry
from app.library.pairs import own_pair
from app.server.uploads import Allowance
from app.tabs.auxiliary_answer import Answer, Held
from app.tabs.auxiliary_events import AuxiliaryHandlers
from app.tabs.auxiliary_take_home import write
from app.views import auxiliary as pages
from app.views.auxiliary import AuxiliaryVisit
from mun.structures import Modality

KEYS = ("cam1/0014/0001.jpg", "cam6/0014/0002.jpg")


@pytest.fixture
def handlers(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AuxiliaryHandlers:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    library.embeddings("mun-tiny", "synvi")
    return AuxiliaryHandlers(library)


@pytest.fixture
def first(handlers: AuxiliaryHandlers) -> Answer:
    return handlers.open({"tab": "auxiliary", "visible": KEYS[0], "infrared": KEYS[1]}, Held())


def put(folder: Path, name: str, data: bytes) -> dict[str, Any]:
    """Write a file where Gradio would, and return what the browser would send."""
    path = folder / f"{name.encode().hex()}-{len(data)}" / "file"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"path": str(path), "orig_name": name}


def test_a_link_opens_its_view_and_each_view_writes_its_link(handlers: AuxiliaryHandlers, first: Answer) -> None:
    assert f'data-visible="{KEYS[0]}" data-infrared="{KEYS[1]}"' in first.panel
    assert first.chosen == KEYS[0]
    request = Request("mun-tiny", "synvi", "rendered", person=14, misalignment=0.35, mixup=0.2, share=0.25)
    visit = handlers.open(dict(parse_qsl(pages.write_link(request)[1:])), Held()).visit
    assert pages.write_link(visit.request) == pages.write_link(request)
    assert visit.request.share == 0.25
    assert "tab=auxiliary" in pages.write_link(Request(source="own"))


@pytest.mark.parametrize(
    "values",
    [
        {"mixup": "much"},
        {"person": "1e9"},
        {"source": "own"},
        {"visible": KEYS[0], "infrared": "cam3/0015/0001.jpg"},
        {"step": "77"},
        {"checkpoint": "<script>"},
        {"person": "9" * 300},
    ],
)
def test_a_link_that_makes_no_sense_opens_the_first_view_and_says_so(
    handlers: AuxiliaryHandlers, values: dict[str, object]
) -> None:
    answer = handlers.open({"tab": "auxiliary", **values}, Held())
    assert 'data-state="ready"' in answer.panel
    assert "This link cannot be opened as it is: expected" in answer.panel
    assert "<script>" not in answer.panel


def test_sliders_draw_their_own_part_alone(handlers: AuxiliaryHandlers, first: Answer) -> None:
    mixed = handlers.mix(first.visit, Held(), 0.9)
    assert 'data-mixup="0.90"' in mixed.panel
    assert (mixed.bench, mixed.compare, mixed.picker) == (None, None, None)
    turned = handlers.turn(mixed.visit, Held(), 20)
    assert 'data-share="0.200"' in turned.bench
    assert "turned by hand" in turned.bench
    assert turned.panel is None
    assert turned.visit.request.mixup == 0.9
    near = handlers.turn(turned.visit, Held(), 50)
    assert near.visit.request.share == -1  # it was learned to be there
    back = handlers.learned(turned.visit, Held())
    assert "as learned" in back.bench
    assert back.controls["share"]["value"] == 50
    drawn = handlers.other_draw(first.visit, Held())
    assert 'data-seed="1"' in drawn.panel
    moved = handlers.misalign(handlers.change(first.visit, Held(), "mun-tiny", "rendered", "14").visit, Held(), 0.4)
    assert 'data-source="rendered"' in moved.panel
    assert 'data-misalignment="0.40"' in moved.panel
    assert moved.bench is not None


def test_choices_make_another_pair(handlers: AuxiliaryHandlers, first: Answer) -> None:
    picked = handlers.pick(first.visit, Held(), "cam4/0014/0002.jpg")
    assert picked.visit.request.visible == "cam4/0014/0002.jpg"
    assert picked.visit.request.infrared == KEYS[1]
    assert 'data-image="cam4/0014/0002.jpg" aria-pressed="true"' in picked.picker
    offered = handlers.pick(picked.visit, Held(), "cam3/0016/0001.jpg#7")
    assert (offered.visit.request.person, offered.visit.request.infrared) == (16, "cam3/0016/0001.jpg")
    changed = handlers.change(offered.visit, Held(), "mun-tiny", "collection", "15")
    assert changed.visit.request.visible.startswith("cam1/0015/")
    assert handlers.surprise(changed.visit, Held()).visit.request.person in {13, 14, 16, 17, 18}


@pytest.mark.parametrize(
    "event",
    [
        lambda handlers, visit: handlers.change(visit, Held(), "nobody", "collection", "14"),
        lambda handlers, visit: handlers.change(visit, Held(), "mun-tiny", ["own"], "14"),
        lambda handlers, visit: handlers.change(visit, Held(), "mun-tiny", "collection", {"a": 1}),
        lambda handlers, visit: handlers.change(visit, Held(), "mun-tiny", "collection", "\u00b2"),
        lambda handlers, visit: handlers.pick(visit, Held(), "../../etc/passwd"),
        lambda handlers, visit: handlers.pick(visit, Held(), None),
        lambda handlers, visit: handlers.misalign(visit, Held(), 3),
        lambda handlers, visit: handlers.replay(visit, Held(), 1),
        lambda handlers, visit: write(handlers.library, AuxiliaryVisit(), Held(), "png"),
    ],
)
def test_values_that_the_page_does_not_offer_are_refused(
    handlers: AuxiliaryHandlers, first: Answer, event: Any
) -> None:
    with pytest.raises(gr.Error, match="expected"):
        event(handlers, first.visit)


@pytest.mark.parametrize("value", [float("nan"), "much", None, 3, [1], True])
def test_odd_values_of_sliders_are_a_sentence(handlers: AuxiliaryHandlers, first: Answer, value: object) -> None:
    assert "Expected mixup to be a number" in handlers.mix(first.visit, Held(), value).panel
    assert value == 3 or "Expected share to be a number" in handlers.turn(first.visit, Held(), value).panel


def test_somebody_who_is_not_there_is_a_sentence(handlers: AuxiliaryHandlers, first: Answer) -> None:
    answer = handlers.change(first.visit, Held(), "mun-tiny", "collection", "99")
    assert 'data-state="error"' in answer.panel
    assert "Expected person to be somebody in SynVI, got 99." in answer.panel
    assert (answer.compare, answer.bench, answer.chosen) == ("", "", "")


def test_own_images_are_taken_one_by_one_and_forgotten(
    handlers: AuxiliaryHandlers, first: Answer, tmp_path: Path
) -> None:
    held, file, answer = handlers.take(first.visit, Held(), put(tmp_path, "v.png", whole_image()), Modality.VISIBLE)
    assert file is None
    assert "an infrared one is missing" in answer.panel
    held, _, answer = handlers.take(
        answer.visit, held, put(tmp_path, "i.png", whole_image(height=200)), Modality.INFRARED
    )
    assert 'data-source="own"' in answer.panel
    assert "They differ in size" in answer.panel
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert handlers.allowance.num_bytes == held.visible.num_bytes + held.infrared.num_bytes
    assert 'data-share="0.100"' in handlers.turn(answer.visit, held, 10).bench
    held, answer = handlers.forget(answer.visit)
    assert (held.visible, held.infrared) == (None, None)
    assert 'data-source="collection"' in answer.panel


def test_a_checkpoint_that_came_after_an_own_image_asks_for_it_again(
    tiny_synvi: Path, tiny_checkpoint: Path, wide_checkpoint: CheckpointEntry, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    handlers = AuxiliaryHandlers(open_library(tiny_synvi, tiny_checkpoint))
    before, after = (put(tmp_path, name, whole_image()) for name in ("v.png", "i.png"))
    held, _, answer = handlers.take(AuxiliaryVisit(), Held(), before, Modality.VISIBLE)
    handlers.library.add_checkpoint(wide_checkpoint)
    held, _, answer = handlers.take(answer.visit, held, after, Modality.INFRARED)
    assert 'data-state="ready"' in answer.panel  # mun-tiny knows both
    answer = handlers.change(answer.visit, held, "mun-wide", "own", None)
    assert "Expected an image brought after the checkpoint mun-wide" in answer.panel
    held, _, answer = handlers.take(answer.visit, held, put(tmp_path, "v.png", whole_image()), Modality.VISIBLE)
    assert 'data-state="ready"' in answer.panel
    with pytest.raises(ValueError, match="bring both again"):
        own_pair(held.visible, replace(held.infrared, pixels={}))


@pytest.mark.parametrize("kind", list(broken_images()))
def test_a_broken_image_gives_a_sentence_and_is_deleted(
    handlers: AuxiliaryHandlers, first: Answer, tmp_path: Path, kind: str
) -> None:
    payload = put(tmp_path, "broken", broken_images()[kind])
    held, _, answer = handlers.take(first.visit, Held(), payload, Modality.VISIBLE)
    assert held.visible is None
    assert "Expected the visible image to" in answer.panel
    assert list(tmp_path.iterdir()) == []


def test_when_too_much_is_held_the_next_visitor_is_asked_to_wait(
    handlers: AuxiliaryHandlers, first: Answer, tmp_path: Path
) -> None:
    busy = AuxiliaryHandlers(handlers.library, Allowance(10))
    held, _, answer = busy.take(first.visit, Held(), put(tmp_path, "v.png", whole_image()), Modality.VISIBLE)
    assert held.visible is None
    assert "try again in some minutes" in answer.panel


def test_files_are_written_below_the_temporary_folder(
    handlers: AuxiliaryHandlers, first: Answer, tmp_path: Path
) -> None:
    path = Path(write(handlers.library, first.visit, Held(), "csv"))
    assert path.is_relative_to(tmp_path)
    assert path.name == "auxiliary-cam1-0014-0001-mun-tiny.csv"
    assert "pixel-mean" in path.read_text()
