"""A hostile visitor: does at one address, again and again, all that has ever taken the page from others."""

import asyncio
import base64
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from fuzz import NAMES, addresses, bodies, malformed, said_wrongly
from hostile_images import broken_images, greedy_images

from benchmarks.load.crowd import SMALLEST

ADDRESS = {"x-forwarded-for": "192.0.2.66"}
JSON = {**ADDRESS, "content-type": "application/json"}
UNCLEAN = ("Traceback", 'File "', "site-packages", "unexpected error")
CLEAN = (200, 400, 403, 404, 405, 408, 413, 415, 503)
HOLD_SECONDS = 20.0  # longer than any connection may wait


class Attacker:
    """Somebody at one address who means harm.

    Args:
        url: Of the app.
        seed: Of everything that is done.
        hold: Seconds that connections are kept open.

    Attributes:
        done: How often each act was done, and what came back.
        problems: Answers that nobody should get, an attacker either.
    """

    def __init__(self, url: str, seed: int = 0, hold: float = HOLD_SECONDS) -> None:
        self.url, self.draw, self.hold = url, random.Random(seed), hold
        self.client = httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None), trust_env=False)
        self.done: Counter[tuple[str, int]] = Counter()
        self.problems: list[str] = []
        self.acts: dict[str, Callable[[], Awaitable[object]]] = {
            act.__name__: act
            for act in (
                self.routes, self.structure, self.images, self.lengths, self.layouts, self.maps, self.nameless,
                self.runs, self.names, self.presses, self.streams, self.pages, self.idle, self.unread,
            )
        }  # fmt: skip

    async def live(self, seconds: float) -> None:
        """Do everything, three things at a time, for so long."""
        end = time.monotonic() + seconds

        async def attack() -> None:
            while time.monotonic() < end:
                for act in self.draw.sample(list(self.acts), len(self.acts)):
                    if time.monotonic() < end:
                        await self.acts[act]()

        await asyncio.gather(*(attack() for _ in range(3)))

    async def send(self, act: str, path: str, body: Any, method: str = "POST") -> str:
        """Send a request and judge its answer; a connection that is closed is one, too."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            async with asyncio.timeout(3 * self.hold):  # some streams would never end
                answer = await self.client.request(method, self.url + path, content=content, headers=JSON)
        except (httpx.HTTPError, TimeoutError):
            self.done[act, 0] += 1
            return ""
        self.done[act, answer.status_code] += 1
        if answer.status_code not in CLEAN or any(word in answer.text for word in UNCLEAN if path):
            self.problems.append(f"{act} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.text

    async def call(self, act: str, name: str, data: Any) -> str:
        """Call a public function and read what it says."""
        posted = await self.send(act, f"gradio_api/call/{name}", {"data": data})
        if '"event_id"' not in posted:
            return posted
        return await self.send(act, f"gradio_api/call/{name}/{json.loads(posted)['event_id']}", b"", "GET")

    async def many(self, act: str, path: str, values: list[Any]) -> None:
        """Send many calls at once and read none of the answers."""
        await asyncio.gather(*(self.send(act, path, value) for value in values))

    async def routes(self) -> None:
        call = {"fn_index": 3, "data": [[]] * 1000}
        for address in addresses(self.draw, 40):
            await self.send("routes", address, call)

    async def structure(self) -> None:
        for path in ("run/predict", "run/upload", "call/retrieve_image", "queue/join", "upload"):
            body = b'{"fn_index": 3, "session_hash": "a", "data": [' + b"[]," * 7_000_000 + b"[]]}"
            await self.send("structure", f"gradio_api/{path}", body)
        for body in bodies(self.draw):
            await self.send("structure", "gradio_api/call/retrieve", body)

    async def images(self) -> None:
        files = [*greedy_images().values(), self.draw.choice(list(broken_images().values()))]
        await asyncio.gather(
            *(
                self.call("images", "retrieve_image", ["", "", base64.b64encode(file).decode(), "infrared", 10, "", 0])
                for file in files
            )
        )

    async def layouts(self) -> None:
        seeds = [self.draw.randrange(10**6) for _ in range(60)]
        data = ["", "", "tsne", "embedding", 3, "", 2, True, "matched", False, 5, 5, 0.1, "cosine"]
        await self.many("layouts", "gradio_api/call/project", [{"data": [*data, seed]} for seed in seeds])

    async def maps(self) -> None:
        await self.many("maps", "gradio_api/call/explain", [{"data": ["", "", f"{n}"]} for n in range(30)])
        await self.many("maps", "gradio_api/call/auxiliary", [{"data": []} for _ in range(30)])

    async def nameless(self) -> None:
        calls = [{"fn_index": n, "data": [], "session_hash": f"{self.draw.random()}"} for n in range(150)]
        await self.many("nameless", "gradio_api/run/predict", calls)
        await self.many("nameless", "gradio_api/call/status", [{"data": []}] * 150)

    async def runs(self) -> None:
        for _ in range(3):
            said = await self.call("runs", "train_start", [{**SMALLEST, "minutes": 60}])
            if "complete" in said:
                begun = json.loads(said.partition("data: ")[2])[0]
                await self.call("runs", "train_stop", [begun["run"], "another's token"])
                await self.call("runs", "train_stop", [begun["run"], begun["token"]])

    async def names(self) -> None:
        for _ in range(20):
            name = self.draw.choice(sorted(NAMES.keys() - {"train_start"}))
            await self.call("names", name, malformed(self.draw, NAMES[name])[0])

    async def presses(self) -> None:
        values = {"checkpoint": "", "data": "", "query": "", "top_k": 10}
        for number in self.draw.sample(range(60), 20):
            said = said_wrongly(self.draw, values)
            call = {"fn_index": number, "data": [], "session_hash": f"a{number}", "event_data": said}
            await self.send("presses", "gradio_api/run/predict", call)

    async def pages(self) -> None:
        await asyncio.gather(*(self.send("pages", "", b"", "GET") for _ in range(40)))

    async def streams(self) -> None:
        begun = json.loads(await self.send("streams", "gradio_api/call/status", {"data": []}) or "{}")
        event = begun.get("event_id", "0a") if isinstance(begun, dict) else "0a"
        paths = [f"gradio_api/call/status/{event}", "gradio_api/queue/data?session_hash=a", "gradio_api/heartbeat/a"]
        await asyncio.gather(*(self.send("streams", path, b"", "GET") for path in paths * 40))

    async def lengths(self) -> None:
        head = b"Content-Type: application/json\r\nContent-Length: 23000000\r\n\r\n"
        await self.open("lengths", 60, b"POST /gradio_api/call/retrieve_image HTTP/1.1\r\n", head + b'{"data": ["')
        head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        await self.open("lengths", 60, b"POST /gradio_api/call/retrieve HTTP/1.1\r\n", head + b"1\r\nA\r\n" * 20_000)

    async def idle(self) -> None:
        await self.open("idle", 300, b"")
        await self.open("idle", 100, b"GET / HTTP/1.1\r\n", b"X")

    async def unread(self) -> None:
        await self.open("unread", 30, b"GET /theme.css HTTP/1.1\r\n", b"\r\n", times=100)

    async def open(self, act: str, count: int, first: bytes, rest: bytes = b"", times: int = 1) -> None:
        """Open connections, say something on each, and read nothing for a while."""
        place, ended = urlsplit(self.url), []
        said = (first and first + b"Host: a\r\nX-Forwarded-For: 192.0.2.66\r\n" + rest) * times
        for _ in range(count):
            try:
                _, writer = await asyncio.open_connection(place.hostname, place.port, limit=1024)
                writer.write(said)
                ended.append(writer)
            except OSError:
                self.done[act, 0] += 1
        await asyncio.sleep(self.hold)
        for writer in ended:
            writer.transport.abort()
        self.done[act, 1] += len(ended)


async def attack(url: str, seconds: float) -> tuple[Counter[tuple[str, int]], list[str]]:
    """Attack from a process of its own for so long, so that visitors here are not slower for it; done and problems."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, url, str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said, _ = await process.communicate()
    done, problems = json.loads(said)
    return Counter({(act, status): count for act, status, count in done}), problems


if __name__ == "__main__":
    attacker = Attacker(sys.argv[1])
    asyncio.run(attacker.live(float(sys.argv[2])))
    counted = [[act, status, count] for (act, status), count in attacker.done.items()]
    sys.stdout.write(json.dumps([counted, attacker.problems]))
