"""What tests of a tab do: press, wait as the page does, look at a piece; and a call to an app in another process."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from app.library import Library
from app.shared.request import Request
from app.shared.tab import Answer, Piece, Press
from benchmarks.load.page import call, new_client


def pressed(
    answer: Callable[..., Answer], library: Library, request: Request, visitor: str = "", **said: Any
) -> Answer:
    """Press, and ask again until there is nothing to wait for."""
    answered, deadline = answer(library, request, Press(visitor=visitor, **said)), time.monotonic() + 120
    while answered.again:
        assert time.monotonic() < deadline, answered
        time.sleep(0.02)
        answered = answer(library, answered.request, Press(visitor=visitor, do="again"))
    return answered


def ask(url: str, name: str, data: list[Any] | None = None) -> Any:
    """Call a public function; raises a `PageError` where it is refused."""

    async def once() -> Any:
        async with new_client() as client:
            return await call(client, url, name, data or [])

    return asyncio.run(once())


def shown(answered: Answer, name: str) -> str:
    """Draw a piece."""
    piece = answered.pieces[name]
    return piece.draw() if isinstance(piece, Piece) else piece
