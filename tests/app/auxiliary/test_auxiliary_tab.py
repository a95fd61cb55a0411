import base64
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hostile_images import whole_image
from made import variant

from app.auxiliary import generator
from app.auxiliary.compare import Look
from app.auxiliary.tab import FILM, PEOPLE, STAGE, STRIP, answer
from app.library import Library, open_library
from app.library.background import Progress
from app.library.checkpoints import list_checkpoints
from app.library.own_images import read_own
from app.shared.tab import Answer, Press, changes
from mun.checkpoint import load_checkpoint, read_card, write_snapshots

KEYS = {"visible": "cam1/0014/0001.jpg", "infrared": "cam6/0014/0002.jpg"}


@dataclass
class Page:
    """A visitor's page: the request that it holds, and what its pieces show."""

    library: Library
    values: dict[str, Any] = field(default_factory=dict)
    pieces: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    notices: str = ""

    def press(self, do: str = "", *, address: str = "", chosen: str = "", **changed: Any) -> Answer:
        """Send a press, and the further ones that an answer asks for at once."""
        self.new = set()
        while True:
            press = Press({**self.values, **changed}, address, do, tuple(changed), chosen, dict(self.keys))
            files = {name: file for name, file in press.values.items() if name in Look.files}
            values = {**files, **Look.of_address(address)} if address else press.values
            request, wrong = Look.repair(values, self.library)
            made = answer(self.library, request, press)
            news, keys = changes(made.pieces, self.keys)
            self.pieces |= news
            self.keys |= keys
            self.new |= news.keys()
            self.values = made.request.model_dump()
            said = [words for name, words in wrong.items() if address or name in changed or name not in Look.follows]
            notices = " ".join([*said, made.notice]).strip()
            self.notices = notices or (self.notices if do == "again" else "")
            if not 0 < made.again < 100:
                return made
            do, address, changed = "again", "", {}

    def shows(self, **data: object) -> bool:
        """Return whether the stage has these data attributes."""
        return all(f'data-{name}="{value}"' in self.pieces[STAGE] for name, value in data.items())


@pytest.fixture
def page(library: Library) -> Page:
    page = Page(library)
    page.press("open", **KEYS)
    return page


@pytest.fixture(scope="module")
def kept(tiny_synvi: Path, two_checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library whose `mun-tiny` keeps two states of its generator, beside one that keeps none and one without."""
    folder = shutil.copytree(two_checkpoints, tmp_path_factory.mktemp("kept") / "checkpoints")
    network, card = load_checkpoint(folder / "mun-tiny")
    variant(folder, "none-tiny", card, auxiliary="none")
    state = network.auxiliary.state_dict()
    write_snapshots(folder / "mun-tiny", {5: state, 10: {**state, "scale_iml": 0 * state["scale_iml"]}})
    library = open_library(tiny_synvi, folder)
    library.embeddings("mun-tiny", "synvi")
    return library


def uri(data: bytes, name: str = "me.png") -> str:
    return f"data:image/png;name={name};base64,{base64.b64encode(data).decode()}"


def test_the_tab_opens_with_a_pair_and_each_view_has_its_link(page: Page) -> None:
    assert page.shows(state="ready", source="collection", ranks="done", turned="no", compare="", **KEYS)
    made = page.press(source="rendered", misalignment=0.35, mixup=0.2, share=0.25, compare="mixup")
    link = made.request.link(page.library, "auxiliary")
    for part in ("tab=auxiliary", "source=rendered", "person=14", "misalignment=0.35", "mixup=0.2", "share=0.25"):
        assert part in link
    assert "visible=" not in link
    other = Page(page.library)
    assert other.press(address=link).request.link(page.library, "auxiliary") == link
    assert other.notices.strip() == ""
    assert other.shows(source="rendered", misalignment="0.35", share="0.250", compare="mixup")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("person=99", "expected person to be one of 0, 13"),
        ("visible=cam1/0014/0001.jpg&infrared=cam3/0015/0001.jpg", "got person 14 and person 15"),
        ("visible=cam3/0014/0001.jpg", "expected visible to be the key of a visible image"),
        ("infrared=../../etc/passwd", "expected infrared to be the key of an infrared image"),
        ("step=77", "expected step to be one that mun-tiny keeps"),
        ("share=-0.5", "expected share to be a number from 0 to 1"),
    ],
)
def test_a_link_that_makes_no_sense_opens_what_is_right_and_says_so(library: Library, address: str, words: str) -> None:
    page = Page(library)
    page.press(address=f"?tab=auxiliary&{address}")
    assert page.shows(state="ready")
    assert page.notices.count(words) == 1


def test_sliders_draw_their_own_part_alone(page: Page) -> None:
    page.press(mixup=0.9)
    assert STRIP in page.new
    assert not page.new & {FILM, PEOPLE}
    assert 'data-mixup="0.90"' in page.pieces[STRIP]
    page.press(share=0.2)
    assert page.shows(share="0.200", turned="yes")
    assert "20.0 % IML, set by hand" in page.pieces[STAGE]
    assert not page.new & {STRIP, FILM, PEOPLE}
    assert page.press(share=0.501).request.share == -1  # near the learned share
    assert page.shows(turned="no")
    page.press(seed=1)
    assert 'data-seed="1"' in page.pieces[STRIP]
    assert "{&#34;seed&#34;: 2}" in page.pieces[STRIP]


def test_what_would_be_the_same_is_not_sent_again(page: Page) -> None:
    page.press()
    assert page.new == set()


def test_any_rival_can_lie_under_muns_image(page: Page) -> None:
    offered = re.findall(r"\{&#34;compare&#34;: &#34;([a-z-]+)&#34;\}", page.pieces[STRIP])
    assert offered == ["pixel-mean", "mixup", "cutmix", "channel-exchange", "grayscale"]
    for name in (*offered, "", "x"):  # no checkpoint of `x` is loaded
        page.press(compare=name)
        assert page.shows(compare=name) or name == "x"
        assert ("--mun-cover" in page.pieces[STAGE]) == (name in offered)
        assert STRIP not in page.new


def test_choices_make_another_pair(page: Page) -> None:
    page.press(visible="cam4/0014/0002.jpg")
    assert page.shows(visible="cam4/0014/0002.jpg", infrared=KEYS["infrared"])
    page.press("open", chosen="cam3/0016/0001.jpg")
    assert (page.values["person"], page.values["infrared"]) == (16, "cam3/0016/0001.jpg")
    made = page.press(person=15)
    assert page.values["visible"].startswith("cam1/0015/")
    assert made.chosen == page.values["infrared"]
    assert page.press("open", chosen=page.values["visible"]).chosen == page.values["visible"]
    for source in ("collection", "rendered"):
        before = page.values["person"]
        page.press("random", source=source)
        assert page.shows(source=source)
        assert page.values["person"] != before


def test_a_checkpoint_without_a_generator_stays_chosen_and_another_one_is_shown(kept: Library) -> None:
    page = Page(kept)
    page.press(checkpoint="none-tiny")
    assert page.values["checkpoint"] == "none-tiny"
    assert "does not have MUN's generator; mun-tiny is shown." in page.notices
    assert page.shows(state="ready")


def test_the_film_shows_every_kept_step_and_a_flat_branch_says_so(kept, monkeypatch) -> None:
    page = Page(kept)
    page.press("open")
    assert 'data-frames="3"' in page.pieces[FILM]
    assert [f"{{&#34;step&#34;: {step}}}" in page.pieces[FILM] for step in (5, 10, -1)] == [True] * 3
    page.press(step=5)
    assert page.shows(step="5")
    assert FILM not in page.new
    page.press(step=10)
    assert page.shows(step="10", share="")
    page.press(checkpoint="other-tiny")
    assert page.values["step"] == -1
    assert "other-tiny keeps no generator of earlier steps" in page.pieces[FILM]
    assert "data-flat" not in page.pieces[STAGE]
    monkeypatch.setattr(generator, "FLAT", 9.0)
    page.press("random")
    assert "It fuses at most 8 by 4 averages of each image: tone, no detail." in page.pieces[STAGE]


def test_own_images_are_brought_one_by_one_kept_by_the_page_and_forgotten(page: Page) -> None:
    page.press(source="own")
    assert (page.notices.strip(), page.pieces[STRIP]) == ("", "")
    kept = page.library.cache.num_bytes
    page.press(visible_image=uri(whole_image(height=200)))
    page.press(infrared_image=uri(whole_image()))
    assert page.shows(source="own", visible="me.png", ranks="done")
    before = page.values["visible_image"]
    page.press(share=0.1)
    assert page.values["visible_image"] == before
    assert page.library.cache.num_bytes == kept
    page.press(address="?tab=auxiliary&source=own")  # as with the browser's Back button
    assert page.shows(state="ready", source="own")


def test_the_small_copy_serves_a_checkpoint_that_came_later(fresh: Library, tiny_checkpoint, tmp_path) -> None:
    page = Page(fresh)
    page.press(source="own", visible_image=uri(whole_image()), infrared_image=uri(whole_image()))
    wide = variant(tmp_path, "mun-wide", read_card(tiny_checkpoint / "mun-tiny"), height=48, image_width=48)
    page.library.add_checkpoint(list_checkpoints(wide)[0])
    page.press(checkpoint="mun-wide")
    assert page.shows(source="own", state="ready")
    assert (48, 48) in read_own(page.library, "image", page.values["visible_image"]).pixels


@pytest.mark.parametrize(
    ("state", "words", "soon"),
    [
        (Progress(3, 12), "Ranks by mun-tiny appear once it has embedded all 12 images.", True),
        (Progress(0, 12, problem="an image is gone"), "cannot be computed: an image is gone", False),
        (Progress(0, 12, stopped=True), "was stopped", False),
    ],
)
def test_ranks_are_not_waited_for(fresh: Library, monkeypatch, state, words, soon) -> None:
    page = Page(fresh)
    monkeypatch.setattr(fresh, "prepare", lambda *_, **__: state)
    made = page.press("open")
    assert words in page.pieces[STAGE]
    assert (made.again > 0) is soon
    assert page.shows(ranks="waiting")
