"""Model cards show the values of their file, escaped; versions and citation are correct."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pages import shown

from app.about import status
from app.about.cards import COLUMNS, DASH, model_card
from app.about.tab import Look, answer
from app.library import Library, open_library
from app.library.checkpoints import list_checkpoints
from app.shared.tab import Press
from mun.checkpoint import CARD, WEIGHTS
from mun.config import Config, leaves

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def bundled(library: Library) -> Library:
    """The checkpoints of this project over the tiny data set."""
    entries = list_checkpoints(ROOT / "checkpoints")
    return Library({entry.name: entry for entry in entries}, library.collections, library.device)


def drawn(library: Library, section: str, **values: Any) -> str:
    """Draw a section that is one piece."""
    return shown(answer(library, Look.read({"section": section, **values}, library), Press()), "about-body")


def with_card(library: Library, **values: Any) -> Library:
    """Return a library whose one checkpoint has another card."""
    entry = library.checkpoints["mun-tiny"]
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
    made, html = model_card(bundled, folder.name), drawn(bundled, "models", checkpoint=folder.name)
    assert len(made.scores) == len(card["scores"])
    for words in (
        f"{(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB",
        f"{card['steps']:,} steps",
        f"{card['data']['splits']['train']['identities']:,} to train on",
        card["data"]["level_hash"],
        f"{card['seed']}, one run",
        *card["command"],
    ):
        assert words in html, words
    rows = re.findall(r'<tr><th scope="row">(?:(?!</tr>).)*</tr>', html, re.DOTALL)
    for record, row in zip(card["scores"], rows, strict=False):
        assert record["protocol"] in row
        for _, name in COLUMNS:
            assert f"{100 * record['mean'][name]:.1f} ± {100 * record['sd'][name]:.1f}" in row, name
        assert record["commands"][-1] in html


def test_every_choice_of_the_run_is_listed_with_its_default(bundled: Library) -> None:
    settings = model_card(bundled, "mun-resnet18-w0.5").settings
    assert [one.name for one in settings] == [item.name for item, _ in leaves(Config())]
    changed = {one.name: (one.value, one.default) for one in settings if one.changed}
    assert changed["epochs"] == ("64", "20")
    assert changed["weight_decay"] == ("0.05", "0.0005")
    assert "width" not in changed


def test_all_checkpoints_are_offered_the_default_is_shown_and_budgets_are_told(bundled: Library) -> None:
    html = drawn(bundled, "models")
    assert 'data-checkpoint="mun-resnet18-w0.5"' in html
    assert html.count("data-set=") == len(bundled.checkpoints)
    assert "different budgets, so they do not compare methods" in html


def test_a_broken_checkpoint_is_named_with_its_reason(library: Library) -> None:
    entry = library.checkpoints["mun-tiny"]
    broken = replace(entry, name="<b>broken", card=None, reason="expected <i>weights</i>, found none")
    both = Library({"mun-tiny": entry, broken.name: broken}, library.collections, library.device)
    html = drawn(both, "models")
    assert "&lt;b&gt;broken" in html
    assert "expected &lt;i&gt;weights&lt;/i&gt;, found none" in html
    with pytest.raises(ValueError, match="expected a checkpoint that can be used"):
        model_card(both, broken.name)
    assert "Passed over" not in drawn(library, "models")


def test_a_checkpoint_that_is_deleted_meanwhile_is_said(library: Library) -> None:
    own = Library(dict(library.checkpoints), library.collections, library.device)
    own.add_checkpoint(replace(own.checkpoints["mun-tiny"], name="run-1"))
    request = Look.read({"section": "models", "checkpoint": "run-1"}, own)
    assert "run-1" in answer(own, request, Press()).pieces["about-body"]
    own.remove_checkpoint("run-1")
    with pytest.raises(ValueError, match="got one that no longer exists"):
        answer(own, request, Press())


def test_a_card_without_scores_says_so(library: Library) -> None:
    html = drawn(library, "models")
    assert "Its card has no test scores" in html
    assert "never trained" in html  # its card says 0 steps
    assert "± " not in html


def test_what_a_card_does_not_say_is_a_dash(library: Library) -> None:
    """Invalid cards are not tested here: they are refused when they are loaded."""
    bare = {"mean": {"rank1": 0.1234}, "sd": {}, "shots": "one"}
    card = with_card(library, scores=[bare, {}], data={}, selection={})
    few, nothing = model_card(card, "mun-tiny").scores
    assert (few.name, few.cells) == ("protocol not said, one-shot", (DASH, DASH, f"{DASH} ", "12.3", DASH, DASH, DASH))
    assert (nothing.name, set(nothing.cells)) == ("protocol not said", {DASH, f"{DASH} "})
    assert drawn(card, "models").count("not said") >= 3


def test_corrupted_scores_have_a_line_of_their_own(library: Library) -> None:
    corrupted = {"order": "peer", "passes": 5, "severity": None, "mean": {"rank1": 0.05}, "sd": {"rank1": 0.02}}
    record = score(corrupted={**corrupted, "command": "python -m mun evaluate CHECKPOINT --corrupt peer"})
    clean, harmed = model_card(with_card(library, scores=[record]), "mun-tiny").scores
    assert (clean.name, clean.cells[:4]) == ("synvi-all, 1-shot", ("6", "24", "10 seeded", "12.3 ± 1.2"))
    assert harmed.name.endswith("visible images corrupted (peer), severity drawn from 1 to 5")
    assert harmed.cells[2:4] == ("5 seeded", "5.0 ± 2.0")
    assert harmed.commands == ("python -m mun evaluate CHECKPOINT --corrupt peer",)


def test_what_a_card_says_is_never_markup(library: Library) -> None:
    hostile = with_card(
        library,
        name=HOSTILE,
        data={"name": HOSTILE, "level": HOSTILE},
        selection={"by": HOSTILE, "protocol": HOSTILE},
        scores=[score(protocol=HOSTILE, sampler=HOSTILE, commands=[HOSTILE])],
        command=[HOSTILE],
        versions={HOSTILE: HOSTILE},
    )
    renamed = replace(library.checkpoints["mun-tiny"], name=HOSTILE)
    named = Library({HOSTILE: renamed}, library.collections, library.device)
    for html in (drawn(hostile, "models"), drawn(named, "models"), drawn(named, "method")):
        assert "&lt;img src=x onerror=alert(1)&gt;" in html
        assert "<img src=x" not in html


@pytest.mark.parametrize(("section", "piece"), [("use", "about-body"), ("data", "about-change")])
def test_the_statement_says_whose_images_these_are(library, make_sysu, tiny_checkpoint, section, piece) -> None:
    real = open_library(make_sysu({1: (1, 3), 2: (2, 3, 6), 3: (4, 6)}), tiny_checkpoint)
    press, values = Press(do="again"), {"section": section, "camera": "1"}
    own, brought = (shown(answer(one, Look.read(values, one), press), piece) for one in (library, real))
    assert "the host of this page loaded" not in own
    assert "the host of this page loaded SYSU-MM01" in brought
    if section == "use":
        assert "surveillance" in own
        assert "No image of a real person comes with this project" in own


def test_versions_licence_and_citation(library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = status.libraries_in_use()
    assert {name: version for name, version, _ in found}["torch"] == torch.__version__
    assert all(licence and len(licence) < 200 for *_, licence in found)
    assert dict(status.running_on(library))["Threads"] == str(torch.get_num_threads())
    html = drawn(library, "use")
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    title, eprint, authors = (
        re.search(rf"{name} += \{{(.*?)\}}", status.BIBTEX).group(1) for name in ("title", "eprint", "author")
    )
    assert title in html
    assert title in readme
    assert f"arXiv:{eprint}" in readme
    for name in authors.split(" and "):
        last, first = name.split(", ")
        assert f"{first} {last}" in readme
    assert "MIT License" in html
    monkeypatch.setattr(status, "LICENCE", tmp_path / "none")
    assert status.licence_text() == "MIT License"


def test_the_libraries_are_those_that_the_project_asks_for() -> None:
    wanted = re.findall(r"^([a-z][a-z0-9-]*)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(status.LIBRARIES) == set(wanted)
