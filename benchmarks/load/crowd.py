"""A crowd of visitors at one app for some time, optionally with a training run at the same time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.load.choices import Choices
from benchmarks.load.page import call, new_client
from benchmarks.load.server import Memory, Server
from benchmarks.load.table import Log
from benchmarks.load.visitor import Visitor, visitors

__all__ = ["SMALLEST", "Crowd", "Measured", "hurry", "training", "visit", "warm"]

LOOK_SECONDS = 5.0
OVER = ("stopped", "interrupted", "failed", "finished")
# The smallest possible run; only its minutes limit it.
SMALLEST: dict[str, Any] = {
    "preset": "taste", "width": 0.0625, "height": 32, "image_width": 32, "train_ids": 8, "val_ids": 2,
    "ids_per_batch": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Crowd:
    """The size and behaviour of a crowd.

    Attributes:
        visitors: Number of visitors at once.
        seconds: How long they stay.
        think: Mean seconds between an answer and the next request of a visitor.
        minutes: Of a training run meanwhile; 0 for none.
        tour: Whether every visitor first makes one request of each kind.
    """

    visitors: int
    seconds: float
    think: float
    minutes: float = 0
    tour: bool = False


@dataclass
class Measured:
    """The measurements of a visit.

    Attributes:
        log: All answers.
        memory: Of the server, from time to time.
        files: Number and bytes of its temporary files, likewise.
        trained: Steps of the training run.
    """

    log: Log = field(default_factory=Log)
    memory: list[Memory] = field(default_factory=list)
    files: list[tuple[int, int]] = field(default_factory=list)
    trained: int = 0

    def look(self, server: Server) -> None:
        """Record the server's memory and files now."""
        self.memory.append(server.memory())
        self.files.append(server.files())

    def summary(self) -> str:
        """Write the table, and a line about memory and temporary files."""
        app, family = (max(getattr(one, name) for one in self.memory) for name in ("app", "family"))
        count, size = max(one[0] for one in self.files), max(one[1] for one in self.files)
        words = (
            f"memory of the app at most {app / 1e6:.0f} MB, at the end {self.memory[-1].app / 1e6:.0f} MB; with child "
        )
        words += f"processes at most {family / 1e6:.0f} MB; temporary files at most {count}, {size / 1e6:.1f} MB"
        return f"{self.log.table()}\n{words}" + (f"; steps trained meanwhile: {self.trained}" if self.trained else "")


async def visit(
    server: Server, choices: Choices, crowd: Crowd, beside: Callable[[float], Awaitable[object]] | None = None
) -> Measured:
    """Let a crowd visit an app.

    Args:
        server: The app.
        choices: The requests to choose from.
        crowd: The crowd.
        beside: Another task that runs meanwhile and is given the seconds.

    Raises:
        PageError: The training run cannot be started, or failed.
    """
    measured = Measured()
    came = visitors(server.url, choices, measured.log, range(crowd.visitors))
    async with new_client() as client, training(client, server.url, crowd.minutes, measured), came as everybody:
        watch = asyncio.create_task(watched(server, measured))
        other = [beside(crowd.seconds)] if beside else []
        try:
            await asyncio.gather(
                *(visitor.live(crowd.seconds, crowd.think, tour=crowd.tour) for visitor in everybody), *other
            )
        finally:
            watch.cancel()
        measured.look(server)
    return measured


async def warm(server: Server, choices: Choices) -> None:
    """Wait until every image that is needed is embedded, as it is some seconds after the start of an app."""
    async with new_client() as client:
        for name in choices.library.checkpoints.usable:
            await call(client, server.url, "evaluate", [name])
        await call(client, server.url, "auxiliary", [])  # by all checkpoints


async def watched(server: Server, measured: Measured) -> None:
    """Record the server's memory and files from time to time."""
    while True:
        await asyncio.to_thread(measured.look, server)
        await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def training(client: httpx.AsyncClient, url: str, minutes: float, measured: Measured) -> AsyncIterator[str]:
    """Start a training run, wait until it trains, and stop it at the end; yield its name, empty for no run.

    Raises:
        RuntimeError: The run ended before it was stopped.
    """
    if not minutes:
        yield ""
        return
    begun = await call(client, url, "train_start", [{**SMALLEST, "minutes": minutes}])

    async def status() -> Any:
        return await call(client, url, "train_status", [begun["run"]])

    while (now := await status())["state"] != "training":
        if now["state"] in OVER:
            raise RuntimeError(f"the run is {now['state']}: {now['error']}")
        await asyncio.sleep(0.5)
    try:
        yield begun["run"]
        now = await status()
        if now["state"] in OVER:
            raise RuntimeError(f"the run was over before the end: {now['state']} {now['error']}")
        measured.trained = now["done"]
    finally:
        await call(client, url, "train_stop", [begun["run"], begun["token"]])
        while (await status())["state"] not in OVER:
            await asyncio.sleep(0.2)


async def hurry(server: Server, choices: Choices, answers: int, count: int, log: Log) -> None:
    """Let some visitors send requests without a pause until enough answers have come.

    Args:
        server: The app.
        choices: The requests to choose from.
        answers: Number of answers in all; a few more may come.
        count: Of visitors at once.
        log: Where answers are recorded.
    """
    begun = len(log.answers)
    async with visitors(server.url, choices, log, range(begun, begun + count)) as crowd:

        async def hurrying(visitor: Visitor) -> None:
            await visitor.come()
            while len(log.answers) < begun + answers:
                await visitor.act()

        await asyncio.gather(*(hurrying(visitor) for visitor in crowd))
