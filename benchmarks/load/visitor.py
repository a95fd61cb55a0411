"""One visitor on the page and over HTTP; every answer must be the right one to this visitor's request."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import httpx

from benchmarks.load.choices import Ask, Choices, differs, facts
from benchmarks.load.page import Page, call, new_client
from benchmarks.load.table import Log, WrongError

__all__ = ["RETRIEVALS", "Visitor", "visitors"]

RETRIEVALS = ("/retrieve", "page: retrieval")  # answers with a limit of time
CHANGES = ("train",)  # tabs whose pieces change by themselves while a run trains


class Visitor:
    """A visitor with a page.

    Args:
        client: Of this visitor alone.
        url: Of the app.
        choices: The requests to choose from.
        log: Where answers are recorded.
        seed: Of all random choices of this visitor.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, choices: Choices, log: Log, seed: int) -> None:
        self.client, self.url, self.choices, self.log = client, url, choices, log
        self.draw = Random(f"visitor {seed}")
        self.page = Page(client, url)
        self.known = False  # whether the browser has the page's files

    async def live(self, seconds: float, think: float, tour: bool = False) -> None:
        """Send requests with pauses between them, for some time.

        Args:
            seconds: How long.
            think: Mean pause in seconds.
            tour: Whether to send one request of each kind first.
        """
        end = time.monotonic() + seconds
        await asyncio.sleep(self.draw.uniform(0, think))
        await self.come()
        if tour:
            for asks in [*self.choices.tabs.values(), *self.choices.public.values()]:
                await self.ask(self.draw.choice(asks))
        while time.monotonic() < end:
            await asyncio.sleep(self.draw.expovariate(1 / think))
            await self.act()

    async def come(self) -> None:
        """Open the page."""
        with self.log.timed("page: open"):
            self.page = Page(self.client, self.url)
            await self.page.open(files=not self.known)
            self.known = True
            await self.page.press("retrieval", do="open")

    async def act(self) -> None:
        """Send one request: mostly in the Retrieval tab, else in any tab or over HTTP; sometimes reload the page."""
        dice = self.draw.random()
        if dice < 0.05:
            await self.come()
            return
        asks = self.choices.tabs if dice < 0.75 else self.choices.public
        first = "retrieval" if asks is self.choices.tabs else "retrieve"
        name = first if self.draw.random() < 0.5 else self.draw.choice(sorted(asks))
        await self.ask(self.draw.choice(asks[name]))

    async def ask(self, ask: Ask) -> None:
        """Send one request and compare the answer with the right one."""
        if ask.data or (ask.name in self.choices.public and ask not in self.choices.tabs.get(ask.name, [])):
            with self.log.timed(f"/{ask.name}"):
                answer = await call(self.client, self.url, ask.name, list(ask.data))
                must_be(answer, answer if ask.expected is None else ask.expected, "the answer")
            return
        with self.log.timed(f"page: {ask.name}"):
            await self.page.press(ask.name, ask.values, wait=ask.name not in CHANGES)  # a run trains for long
            shown = self.page.views[ask.name]["values"]
            newest = {"run": shown["run"]} if ask.name in CHANGES else {}  # perhaps another visitor's run
            must_be(shown, {**ask.expected["values"], **newest}, "what is shown")
            if ask.name in CHANGES:
                return
            for name, expected in ask.expected["pieces"].items():
                if name in self.page.shown and isinstance(self.page.shown[name], str):
                    must_be(facts(self.page.shown[name]), expected, name)


@asynccontextmanager
async def visitors(url: str, choices: Choices, log: Log, seeds: range) -> AsyncIterator[list[Visitor]]:
    """Make visitors, each with its own address and connections."""
    async with AsyncExitStack() as opened:
        clients = [
            await opened.enter_async_context(new_client(f"10.0.{seed // 250 % 250}.{seed % 250}")) for seed in seeds
        ]
        yield [Visitor(client, url, choices, log, seed) for client, seed in zip(clients, seeds, strict=True)]


def must_be(got: object, expected: object, what: str) -> None:
    """Compare an answer with the right one.

    Raises:
        WrongError: They differ.
    """
    if problem := differs(got, expected, what):
        raise WrongError(problem)
