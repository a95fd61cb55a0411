"""The tab "About": cards tell what stands in the file, links are checked, the drawing is whole, nothing is markup."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch

from app.actions.about import about
from app.actions.about import versions as about_versions
from app.actions.about.method import choices
from app.library import Library, open_library
from app.library.checkpoints import list_checkpoints
from app.tabs.about import AboutHandlers
from app.views import about as views
from app.views.about_card import card_html, write_link
from mun.checkpoint import CARD, WEIGHTS, Card, build_network, save_checkpoint
from mun.config import Config

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<img src=x onerror=alert(1)>"
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


@pytest.fixture(scope="module")
def bundled(library: Library) -> Library:
    """The checkpoints of this project over the tiny data set."""
    entries = list_checkpoints(ROOT / "checkpoints")
    return Library({entry.name: entry for entry in entries}, library.collections, library.device)


def with_card(library: Library, **values: Any) -> Library:
    """Return a library whose one checkpoint has another card."""
    entry = library.checkpoints["mun-tiny"]
    assert entry.card is not None
    changed = replace(entry, card=replace(entry.card, **values))
    return Library({entry.name: changed}, library.collections, library.device)


def score(**values: Any) -> dict[str, Any]:
    """A record as `evaluate` writes it, in short."""
    record = {
        "data": "synvi", "protocol": "synvi-all", "sampler": "seeded", "shots": 1, "trials": 10, "flip": False,
        "rerank": False, "num_valid": 24, "mean": {"rank1": 0.1234, "mean_ap": 0.25}, "sd": {"rank1": 0.0123},
        "split": "test", "identities": 6, "commands": ["python -m mun evaluate CHECKPOINT"],
    }  # fmt: skip
    return {**record, **values}


@pytest.mark.parametrize(
    "folder", sorted(card.parent for card in (ROOT / "checkpoints").glob(f"*/{CARD}")), ids=lambda folder: folder.name
)
def test_a_card_shows_the_numbers_of_its_file(bundled: Library, folder: Path) -> None:
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    result = about.run(bundled, about.Request(folder.name))
    html = card_html(bundled, folder.name, 1)
    assert (result.seed, result.steps) == (card["seed"], card["steps"])
    assert len(result.scores) == len(card["scores"])
    assert not result.unreadable
    assert f"{(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB" in html
    assert f"{card['steps']:,} steps" in html
    assert f"{card['data']['splits']['train']['identities']:,} to train on" in html
    assert card["data"]["level_hash"] in html
    rows = re.findall(r'<tr><th scope="row">(?:(?!</tr>).)*</tr>', html, re.DOTALL)
    for record, row in zip(card["scores"], rows, strict=False):
        assert record["protocol"] in row
        for name in about.SHOWN:
            assert f"{100 * record['mean'][name]:.1f} ± {100 * record['sd'][name]:.1f}" in row, name
        assert record["commands"][-1] in html
    assert all(command in html for command in card["command"])


def test_every_choice_of_the_run_is_listed_with_its_default(bundled: Library) -> None:
    settings = about.run(bundled, about.Request("mun-resnet18-w0.5")).settings

    def names(group: Any) -> Iterator[str]:
        for item in fields(group):
            value = getattr(group, item.name)
            yield from names(value) if is_dataclass(value) else [item.name]

    assert [one.name for one in settings] == list(names(Config()))
    changed = {one.name: (one.value, one.default) for one in settings if one.value != one.default}
    assert changed["epochs"] == ("64", "20")
    assert changed["weight_decay"] == ("0.05", "0.0005")
    assert "width" not in changed


def test_the_default_comes_first_and_a_result_is_json(bundled: Library) -> None:
    assert about.Request().checked(bundled).checkpoint == "mun-resnet18-w0.5"
    assert views.menu_of(bundled, ())[0][1] == "mun-resnet18-w0.5"
    assert len(views.menu_of(bundled, ())) == len(bundled.checkpoints)
    answer = json.loads(json.dumps(about.run(bundled, about.Request()).to_json()))
    assert answer["checkpoint"] == "mun-resnet18-w0.5"
    assert answer["config"]["model"]["auxiliary"] == "mun"


@pytest.mark.parametrize("name", ["nothing", HOSTILE, "x" * 500, 3, None])
def test_a_checkpoint_that_is_not_there_is_refused_in_a_sentence(library: Library, name: Any) -> None:
    with pytest.raises(ValueError, match="expected checkpoint to"):
        about.run(library, about.Request(name))
    html = card_html(library, name, 1)
    assert 'data-state="error"' in html
    assert "Expected checkpoint to" in html
    assert "<img" not in html


def test_a_broken_checkpoint_is_named_with_its_reason(library: Library) -> None:
    entry = library.checkpoints["mun-tiny"]
    broken = replace(entry, name="<b>broken", card=None, reason="expected <i>weights</i>, found none")
    both = Library({"mun-tiny": entry, broken.name: broken}, library.collections, library.device)
    html = views.passed_over_html(both)
    assert "&lt;b&gt;broken" in html
    assert "expected &lt;i&gt;weights&lt;/i&gt;, found none" in html
    with pytest.raises(ValueError, match="expected checkpoint to be one of mun-tiny"):
        about.run(both, about.Request(broken.name))
    assert not views.passed_over_html(library).strip()


def test_checkpoints_of_different_budgets_say_so(bundled: Library) -> None:
    assert "different budgets and are no comparison of methods" in views.passed_over_html(bundled)


def test_a_card_without_scores_says_so(library: Library) -> None:
    html = card_html(library, "mun-tiny", 1)
    assert "Its card holds no test scores" in html
    assert "never trained" in html  # its card says 0 steps
    assert "± " not in html


def test_scores_in_another_form_are_counted_and_harm_nothing(library: Library) -> None:
    odd: list[Any] = [score(mean="high"), score(mean={"rank1": "many"}), score(mean={"rank1": True}), 7, score()]
    result = about.run(with_card(library, scores=odd), about.Request())
    assert (len(result.scores), result.unreadable) == (1, 4)
    odd = [score(sd=None, shots="one", trials=None, identities=None, num_valid=1.5, commands="ls", sampler=[])]
    html = card_html(with_card(library, scores=odd), "mun-tiny", 1)
    assert re.search(r"<td[^>]*>12.3</td>", html)
    html = card_html(with_card(library, data={"splits": [1]}, selection={"by": 3, "scores": "good"}), "mun-tiny", 1)
    assert "not said" in html


def test_corrupted_scores_have_a_line_of_their_own(library: Library) -> None:
    corrupted = {"order": "peer", "passes": 5, "severity": None, "mean": {"rank1": 0.05}, "sd": {"rank1": 0.02}}
    record = score(corrupted={**corrupted, "command": "python -m mun evaluate CHECKPOINT --corrupt peer"})
    clean, harmed = about.run(with_card(library, scores=[record]), about.Request()).scores
    assert (clean.mean["rank1"], clean.notes, clean.trials) == (0.1234, (), 10)
    assert (harmed.mean, harmed.trials) == ({"rank1": 0.05}, 5)
    assert harmed.notes == ("visible images corrupted (peer), severity drawn from 1 to 5",)
    assert harmed.commands == ("python -m mun evaluate CHECKPOINT --corrupt peer",)


def test_what_a_card_says_is_never_markup(library: Library) -> None:
    html = card_html(
        with_card(
            library,
            name=HOSTILE,
            data={"name": HOSTILE, "level": HOSTILE, "splits": HOSTILE},
            selection={"by": HOSTILE, "protocol": HOSTILE},
            scores=[score(protocol=HOSTILE, sampler=HOSTILE, commands=[HOSTILE])],
            command=[HOSTILE],
            versions={HOSTILE: HOSTILE},
        ),
        "mun-tiny",
        1,
        notice=HOSTILE,
    )
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img" not in html


def test_a_name_is_never_markup(library: Library) -> None:
    entry = replace(library.checkpoints["mun-tiny"], name=HOSTILE)
    hostile = Library({HOSTILE: entry}, library.collections, library.device)
    assert "<img src=x" not in card_html(hostile, HOSTILE, 1) + views.drawing_html(hostile, 1)
    assert about.run(hostile, about.Request(HOSTILE)).checkpoint == HOSTILE


@pytest.mark.parametrize("plain", [True, False])
def test_the_drawing_is_well_formed_and_says_what_it_shows(library: Library, plain: bool) -> None:
    html = views.drawing_html(library, 3, plain=plain)
    assert f'data-state="{"plain" if plain else "ready"}" data-turn="3"' in html
    drawings = [ElementTree.fromstring(text) for text in SVG.findall(html)]
    assert len(drawings) == 4
    space = "{http://www.w3.org/2000/svg}"
    ids = [one.get("id") for drawing in drawings for one in drawing.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    for drawing in drawings:
        named = (drawing.get("aria-labelledby") or "").split()
        assert [drawing.find(f"{space}{kind}").get("id") for kind in ("title", "desc")] == named
        assert all((drawing.find(f"{space}{kind}").text or "").strip() for kind in ("title", "desc"))
        _, _, width, height = map(float, (drawing.get("viewBox") or "").split())
        for box in drawing.iter(f"{space}rect"):
            assert 0 <= float(box.get("x")) <= float(box.get("x")) + float(box.get("width")) <= width
            assert 0 <= float(box.get("y")) <= float(box.get("y")) + float(box.get("height")) <= height
    pictures = [one.get("href") for drawing in drawings for one in drawing.iter(f"{space}image")]
    assert len(set(pictures)) == (0 if plain else 3)
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in pictures)


def test_without_a_generator_the_drawing_says_so(library: Library, tmp_path: Path, tiny_synvi: Path) -> None:
    card = library.checkpoints["mun-tiny"].card
    assert card is not None
    config = replace(card.config, model=replace(card.config.model, auxiliary="none"))
    network = build_network(config, num_classes=3).eval()
    save_checkpoint(tmp_path / "none-tiny", network, Card(1, "none-tiny", config, 0, 5, {}, {}, [], [], {}))
    html = views.drawing_html(open_library(tiny_synvi, tmp_path), 1)
    assert "no pair can be shown: Expected a checkpoint with MUN&#39;s generator" in html
    assert len(SVG.findall(html)) == 4


def test_the_table_lists_every_option_that_the_sources_leave_open() -> None:
    def left_open(group: Any) -> Iterator[str]:
        for item in fields(group):
            value = getattr(group, item.name)
            if is_dataclass(value):
                yield from left_open(value)
            elif "not stated" in item.metadata["text"]:
                yield item.name

    listed = {one.option: one for one in choices() if one.option}
    assert set(listed) == set(left_open(Config()))
    assert listed["momentum"].here.startswith("0.8")
    assert listed["bins"].here.startswith("1x1,2x1,4x2,8x4: ")
    html = views.choices_html()
    assert html.count("not stated in our sources") == len(listed)
    assert "--identity-alignment" in html


def test_links_are_read_as_they_are_written(library: Library) -> None:
    assert write_link("a b&c") == "?tab=about&checkpoint=a+b%26c"
    assert views.read_link(library, {"tab": "about", "checkpoint": "mun-tiny"}) == "mun-tiny"
    assert views.read_link(library, {"tab": "about"}) == "mun-tiny"
    with pytest.raises(ValueError, match="expected checkpoint to be one of mun-tiny; got 'odd'"):
        views.read_link(library, {"checkpoint": "odd"})


def test_an_address_opens_a_card_or_says_why_not(bundled: Library) -> None:
    handlers, visit = AboutHandlers(bundled), views.first_visit(bundled)
    answer = handlers.open(visit, {"tab": "about", "checkpoint": "none-resnet18-w0.5"})
    assert 'data-checkpoint="none-resnet18-w0.5"' in answer.card
    assert 'data-opened="1"' in answer.card
    assert answer.menu["value"] == "none-resnet18-w0.5"
    answer = handlers.open(visit, {"tab": "about", "checkpoint": HOSTILE})
    assert "This link cannot be opened as it is. Expected checkpoint to be one of" in answer.card
    assert 'data-checkpoint="mun-resnet18-w0.5"' in answer.card
    assert "<img" not in answer.card
    answer = handlers.open(visit, {"tab": "retrieval", "checkpoint": "none-resnet18-w0.5"})
    assert (answer.visit, answer.card, answer.drawing, answer.menu) == (visit, None, None, None)


def test_the_menu_grows_and_what_it_has_offered_stays(library: Library) -> None:
    own = Library(dict(library.checkpoints), library.collections, library.device)
    handlers, visit = AboutHandlers(own), views.first_visit(own)
    answer = handlers.enter(visit)
    assert answer.menu is None
    assert 'data-state="ready"' in answer.drawing
    own.add_checkpoint(replace(own.checkpoints["mun-tiny"], name="run-1"))
    answer = handlers.enter(answer.visit)
    assert answer.drawing is None  # its pictures are there by now
    assert [name for _, name in answer.menu["choices"]] == ["mun-tiny", "run-1"]
    assert 'data-checkpoint="run-1"' in handlers.choose(answer.visit, "run-1").card
    own.remove_checkpoint("run-1")
    assert handlers.enter(answer.visit).menu is None
    assert "Expected checkpoint to be one of mun-tiny; got" in handlers.choose(answer.visit, "run-1").card
    with pytest.raises(gr.Error, match="expected checkpoint to be one of"):
        handlers.choose(answer.visit, "odd")
    with pytest.raises(gr.Error, match="expected checkpoint to be text"):
        handlers.choose(answer.visit, ["mun-tiny"])


def test_the_statement_says_whose_images_these_are(library: Library, make_sysu, tiny_checkpoint: Path) -> None:
    words = views.statement_html(library)
    assert "surveillance" in words
    assert "No image of a real person comes with this project" in words
    assert "whoever started this page brought" not in words
    real = open_library(make_sysu({1: (1, 3), 2: (2, 3, 6), 3: (4, 6)}), tiny_checkpoint)
    assert "whoever started this page brought SYSU-MM01" in views.statement_html(real)


def test_versions_licence_and_citation(library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = about_versions.versions(library)
    assert {one.name: one.version for one in found.libraries}["torch"] == torch.__version__
    assert (found.device, found.threads) == ("CPU", torch.get_num_threads())
    assert all(one.licence and len(one.licence) < 200 for one in found.libraries)
    html = views.end_html(library)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    title = re.search(r"title += \{(.*?)\}", about_versions.BIBTEX).group(1)
    assert title in html
    assert title in " ".join(readme.split())
    eprint = re.search(r"eprint += \{(.*?)\}", about_versions.BIBTEX).group(1)
    assert f"arXiv:{eprint}" in readme
    for name in re.search(r"author += \{(.*?)\}", about_versions.BIBTEX).group(1).split(" and "):
        last, first = name.split(", ")
        assert f"{first} {last}" in " ".join(readme.split())
    assert "MIT License" in html
    monkeypatch.setattr(about_versions, "LICENCE", tmp_path / "none")
    assert about_versions.licence_text() == "MIT License"


def test_the_libraries_are_those_that_the_project_asks_for() -> None:
    wanted = re.findall(r"^([a-z][a-z0-9-]*)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(about_versions.LIBRARIES) == set(wanted)
