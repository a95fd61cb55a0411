"""An address cannot take the places of others; bytes count when they arrive, as long as they are in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.server import room
from app.server.calls import Refusal
from app.server.room import Bodies, Gate, GoneError


def coming(*parts: int, pause: float = 0, cut: bool = False) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Send parts of the given sizes in bytes; then end, or close the connection."""
    left = list(parts)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        if cut and not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": bytes(left.pop(0)), "more_body": cut or bool(left)}

    return receive


def test_an_address_takes_the_places_of_no_other() -> None:
    async def live() -> list[str]:
        gate, done, leave = Gate(each=2, most=3, waiting=1), [], asyncio.Event()

        async def ask(who: str) -> None:
            async with gate.turn(who):
                done.append(who)
                await leave.wait()

        tasks = [asyncio.create_task(ask(who)) for who in ("a", "a", "a", "b", "c")]
        await asyncio.sleep(0.05)
        assert done == ["a", "a", "b"]
        with pytest.raises(Refusal, match=r"^busy: 2 requests from your address are under way; try again in 5 s$"):
            await ask("a")
        tasks[4].cancel()
        leave.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not gate._inside
        assert not gate._before
        return done

    assert asyncio.run(live()) == ["a", "a", "b", "a"]


async def attempt(bodies: Bodies, receive: Any, who: str = "a") -> int:
    async with bodies.read(receive, who) as body:
        return len(body)


@pytest.mark.parametrize(
    ("receive", "status"),
    [
        (coming(40_000, 0), 200),
        (coming(*[5_000] * 12, pause=0.01), 200),
        (coming(*[40_000] * 6), 413),
        (coming(*[10] * 99, pause=0.03), 408),  # few bytes at long intervals are too slow
        (coming(40_000, 0, pause=0.3), 408),
        (coming(100, cut=True), 0),  # the visitor has closed the connection
    ],
)
def test_a_body_comes_steadily_and_is_bounded(monkeypatch: pytest.MonkeyPatch, receive: Any, status: int) -> None:
    monkeypatch.setattr(room, "STALL_SECONDS", 0.2)
    bodies = Bodies(largest=200_000, most=1_000_000)
    if status == 200:
        assert asyncio.run(attempt(bodies, receive)) >= 40_000
    else:
        with pytest.raises(Refusal if status else GoneError) as caught:
            asyncio.run(attempt(bodies, receive))
        assert getattr(caught.value, "status", 0) == status
    assert not bodies._held


def test_only_what_has_come_is_counted_and_one_address_has_half() -> None:
    async def live() -> None:
        bodies = Bodies(largest=100_000, most=200_000)
        async with bodies.read(coming(60_000), "a"):
            with pytest.raises(Refusal, match=r"^busy: images from your address .*; try again in 5 s$") as caught:
                await attempt(bodies, coming(60_000), "a")
            assert caught.value.status == 503
            assert await attempt(bodies, coming(60_000), "b") == 60_000
        assert await attempt(bodies, coming(60_000), "a") == 60_000

    asyncio.run(live())
