"""What one visitor does on the page and over HTTP; every answer must be the one to what this visitor has chosen."""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import httpx

from app.actions.embeddings import project
from app.actions.training.request import preset
from app.tabs.embeddings_controls import values_of
from app.tabs.retrieval_controls import NAMES
from app.tabs.training_form import NAMES as FORM
from app.views.embeddings_visit import EmbeddingVisit
from benchmarks.load.choices import Choice, Choices, differs
from benchmarks.load.page import Page, call
from benchmarks.load.table import Log, WrongError

__all__ = ["RETRIEVALS", "TABS", "Visitor"]

RETRIEVALS = ("/retrieve", "page: query")  # whose time is promised
TABS = {  # what is done there, by the tab's id; the last two have no events
    "retrieval": "page: query",
    "embeddings": "page: embeddings",
    "auxiliary": "page: auxiliary",
    "explain": "page: explain",
    "own-image": "page: own image",
    "train": "page: training",
    "data": "page: data",
    "results": "page: open",
    "about": "page: open",
}
RANKED = re.compile(r'<li class="ranked-card[^>]*data-rank="(\d+)"[^>]*data-image="([^"]+)"')
OWN_CARD = re.compile(
    r'data-rank="(\d+)".*?mun-own-name">Person (\d+)<.*?mun-own-facts">cam (\d+) .*?> *d ([\d.]+)<', re.S
)
POINTS = re.compile(r'data-points="([^"]*)"')
LEVELS = ("easy", "standard", "hard")
CAMERAS = ("1", "3")  # one of either modality


def attribute(shown: str, name: str) -> str:
    """Read the first attribute of a name in what a component shows; empty where there is none."""
    found = re.search(rf'data-{name}="([^"]*)"', shown)
    return html.unescape(found[1]) if found else ""


def must_be(got: Any, expected: Any, what: str) -> None:
    """Compare what is shown with what was chosen.

    Raises:
        WrongError: They differ.
    """
    if problem := differs(got, expected, what):
        raise WrongError(problem)


class Visitor:
    """Somebody with a page of their own.

    Args:
        client: Shared by all.
        url: Of the app.
        choices: To choose from.
        log: Where answers are written down.
        seed: Of everything that this visitor does.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, choices: Choices, log: Log, seed: int) -> None:
        self.client, self.url, self.choices, self.log = client, url, choices, log
        self.draw = Random(f"visitor {seed}")
        self.page = Page(client, url)
        self.known = False  # whether the browser has the page's files
        self.run = ""  # of a training run that is watched
        self.habits: dict[Callable[[], Awaitable[None]], int] = {
            self.ask: 8,
            self.query: 12,
            self.come: 1,
            self.embeddings: 2,
            self.auxiliary: 3,
            self.explain: 3,
            self.own_image: 2,
            self.doors: 2,
            self.training: 2,
            self.rendered: 1,
        }

    async def live(self, seconds: float, think: float, *, tour: bool = False) -> None:
        """Do one thing after the other, with pauses drawn evenly from a third to five thirds of the mean.

        Args:
            seconds: How long.
            think: Mean pause in seconds.
            tour: Do everything once first, without a pause.
        """
        end = time.monotonic() + seconds
        await asyncio.sleep(self.draw.uniform(0, think))
        await self.come()
        if tour:
            await self.tour()
        while True:
            pause = self.draw.uniform(think / 3, 5 * think / 3)
            if time.monotonic() + pause > end:
                break
            await asyncio.sleep(pause)
            await self.act()
        await self.page.close()

    async def tour(self) -> None:
        """Do everything once, in an order of one's own, and ask every public function."""
        for do in self.draw.sample(list(self.habits), len(self.habits)):
            await do()
        await self.status()
        for name in ("retrieve", "evaluate", "project", "auxiliary", "explain", "own"):
            await self.call(self.draw.choice(getattr(self.choices, name)))

    async def act(self) -> None:
        """Do one thing, drawn by how often people do it."""
        (chosen,) = self.draw.choices(list(self.habits), list(self.habits.values()))
        await chosen()

    async def come(self) -> None:
        """Open the page, or open it again."""
        await self.page.close()
        self.page = Page(self.client, self.url)
        with self.log.timed("page: open"):
            await self.page.open(files=not self.known)
            await self.page.until(lambda: attribute(self.page.shows("ranking"), "state") == "ready")
        self.known = True

    async def ask(self) -> None:
        """Call a public function."""
        kind = self.draw.choice(["retrieve"] * 5 + ["evaluate", "project", "auxiliary", "explain", "own", "status"])
        if kind == "status":
            await self.status()
        else:
            await self.call(self.draw.choice(getattr(self.choices, kind)))

    async def call(self, choice: Choice) -> None:
        """Call a public function with a choice."""
        with self.log.timed(f"/{choice.name}"):
            must_be(await call(self.client, self.url, choice.name, list(choice.data)), choice.expected, "answer")

    async def status(self) -> None:
        """Ask what is loaded; checkpoints may have come since the start."""
        with self.log.timed("/status"):
            answer = await call(self.client, self.url, "status", [])
            names = [entry["name"] for entry in answer["checkpoints"]]
            must_be([name for name in self.choices.checkpoints if name not in names], [], "missing checkpoints")
        with self.log.timed("/train_status"):
            await call(self.client, self.url, "train_status", [self.run])

    async def query(self) -> None:
        """Click a query, after having chosen another checkpoint where that is wanted."""
        choice = self.draw.choice(self.choices.retrieve)
        controls = self.page.inputs_of("random-query", "click")[1:]
        checkpoint = controls[NAMES.index("checkpoint")]
        if self.page.values[checkpoint] != choice.data[0]:
            with self.log.timed("page: checkpoint"):
                await self.page.choose(checkpoint, choice.data[0])
                await self.page.until(lambda: attribute(self.page.shows("ranking"), "state") == "ready")
        with self.log.timed("page: query"):
            await self.page.fire("query-browser", "select", {"query": choice.data[2]})
            shown = self.page.shows("ranking")
            must_be(attribute(shown, "query"), choice.data[2], "the query")
            expected = [[str(one["rank"]), one["image"]] for one in choice.expected["results"]]
            must_be([list(one) for one in RANKED.findall(shown)], expected, "the ranking")

    async def embeddings(self) -> None:
        """Open the Embeddings tab, lay some people out, click a point."""
        choice = self.draw.choice(self.choices.project)
        with self.log.timed("page: embeddings"):
            controls = self.page.inputs_of(self.page.labelled("Perplexity (t-SNE)"), "release")[1:]
            request = project.Request(*choice.data)
            for number, value in zip(controls, values_of(EmbeddingVisit(request)), strict=True):
                self.page.values[number] = value
            await self.page.fire(controls[0], "input")
            await self.page.until(lambda: attribute(self.page.shows("embedding-status"), "state") == "ready")
            data = json.loads(html.unescape(POINTS.findall(self.page.shows("embedding-data"))[0]))
            points = choice.expected["points"]
            expected = [[one["modality"], one["image"], one["x"], one["y"]] for one in points]
            must_be([[one[0], one[3], *one[6:]] for one in data["sides"][0]], expected, "the points")
        row = self.draw.randrange(len(points))
        with self.log.timed("page: point"):
            await self.page.fire("embedding-data", "select", {"side": 0, "point": row})
            must_be(attribute(self.page.shows("embedding-chosen"), "image"), points[row]["image"], "the point")

    async def auxiliary(self) -> None:
        """Choose a person in the Auxiliary tab, and turn Mixup's slider."""
        choice, page = self.draw.choice(self.choices.auxiliary), self.page
        with self.log.timed("page: auxiliary"):
            source, person = page.find("auxiliary-source"), page.find("auxiliary-person")
            page.values[source] = "collection"
            await page.choose(person, str(choice.data[5]))
            shown, pair = page.shows("auxiliary-panel"), choice.expected["pair"]
            must_be(attribute(shown, "visible"), pair["visible"], "the visible image")
            must_be(attribute(shown, "infrared"), pair["infrared"], "the infrared image")
            between = f"d(V, I) = {choice.expected['modalities'][0]['distance_between']:.3f}"
            must_be(between in shown, True, between)
        share = self.draw.randrange(101) / 100
        with self.log.timed("page: mixup"):
            await page.choose(page.find("auxiliary-mixup"), share)
            must_be(attribute(page.shows("auxiliary-panel"), "mixup"), f"{share:.2f}", "the share")

    async def explain(self) -> None:
        """Look at an image in the Explain tab."""
        choice = self.draw.choice(self.choices.explain)
        with self.log.timed("page: explain"):
            await self.page.fire("explain-images", "select", {"image": choice.data[2]})
            self._explains(choice)

    async def own_image(self) -> None:
        """Bring an image, say what it is, rank, and forget it."""
        choice, page = self.draw.choice(self.choices.own), self.page
        with self.log.timed("page: own image"):
            page.values[page.find("own-file")] = await page.upload("mine.png", choice.file)
            await page.fire("own-file", "upload")
            page.values[page.inputs_of("own-rank", "click")[1]] = choice.data[3]
            await page.fire("own-rank", "click")
            shown = [[int(a), int(b), int(c), d] for a, b, c, d in OWN_CARD.findall(page.shows("own-ranking"))]
            expected = [
                [one["rank"], one["pid"], one["camid"], f"{one['distance']:.3f}"] for one in choice.expected["results"]
            ]
            must_be(shown, expected, "the ranking")
            await page.fire("own-forget", "click")

    async def doors(self) -> None:
        """Choose a query and open it in the Explain tab."""
        choice = self.draw.choice(self.choices.explain)
        with self.log.timed("page: open in Explain"):
            await self.page.fire("query-browser", "select", {"query": choice.data[2]})
            await self.page.fire("retrieval-to-explain", "click")
            self._explains(choice)

    async def training(self) -> None:
        """Look how a run is, or have the form filled in."""
        with self.log.timed("page: training"):
            if not self.run:
                number = self.page.labelled("Preset")
                chosen = self.draw.choice([name for _, name in self.page.props[number]["choices"]])
                await self.page.choose(number, chosen)
                people = self.page.inputs_of("train-start", "click")[2 + FORM.index("train_ids")]
                must_be(self.page.values[people], preset(chosen).train_ids, "the people to train on")
                return
            await self.page.fire("train-runs", "select", {"run": self.run})
            must_be(attribute(self.page.shows("train-run"), "run"), self.run, "the run")

    async def rendered(self) -> None:
        """Open the tab about the data, and ask for a level and a camera."""
        level, camera = self.draw.choice(LEVELS), self.draw.choice(CAMERAS)
        with self.log.timed("page: data"):
            await self.page.open_tab("data")
            numbers = self.page.inputs_of("other-people", "click")
            self.page.values[numbers[2]] = camera
            await self.page.choose(numbers[1], level)
            shown = self.page.shows("synvi-sheet")
            must_be([attribute(shown, "level"), attribute(shown, "camera")], [level, camera], "the sheet")

    def _explains(self, choice: Choice) -> None:
        """Check what the Explain tab shows."""
        shown, expected = self.page.shows("explain-row"), choice.expected
        must_be(attribute(shown, "image"), choice.data[2], "the image")
        must_be(attribute(shown, "target"), expected["target"]["image"]["image"], "the target")
