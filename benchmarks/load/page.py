"""The page without a browser: one visitor's session, driven through Gradio's queue as the page's own script drives it.

What a browser does is done: it loads the page and its files, holds the session's heartbeat open, sends the values that
the components show, applies what comes back, follows events with those that come after them, and ticks active timers.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import httpx

__all__ = ["Page", "PageError", "call", "new_client"]

API = "gradio_api"
CONFIG = "window.gradio_config = "
FILES = re.compile(r'(?:src|href)="\./(assets/[^"]+)"')
PARTS = re.compile(r'"\./([\w.-]+\.(?:js|css))"')
FOLLOWING = ("then", "success")


class PageError(Exception):
    """The page showed an error, or the server did not answer; the text is what a visitor would see."""


def new_client() -> httpx.AsyncClient:
    """Make a client for any number of visitors; each of them holds a connection open."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    return httpx.AsyncClient(timeout=httpx.Timeout(120, pool=None), limits=limits, trust_env=False)


async def post(client: httpx.AsyncClient, url: str, body: Mapping[str, object]) -> Any:
    """Post JSON and return what comes back.

    Raises:
        PageError: It is refused.
    """
    answer = await client.post(url, json=body)
    if answer.status_code != 200:
        raise PageError(f"{answer.status_code}: {answer.text[:200]}")
    return answer.json()


async def call(client: httpx.AsyncClient, url: str, name: str, data: list[Any]) -> Any:
    """Call a public function and return its answer.

    Raises:
        PageError: It answers an error, in its words, or nothing at all.
    """
    event = (await post(client, f"{url}{API}/call/{name}", {"data": data}))["event_id"]
    text = (await client.get(f"{url}{API}/call/{name}/{event}")).text
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    value = json.loads(lines.get("data", "null"))
    if lines.get("event") != "complete":
        raise PageError(str(value.get("error") if isinstance(value, dict) else value))
    return value[0]


class Page:
    """One visitor's page.

    Args:
        client: Shared by all visitors.
        url: Of the app, with `/` at the end.
        query: Of the address, as `tab=embeddings&method=pca`; no `?`.

    Attributes:
        values: What each component shows, by number.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, query: str = "") -> None:
        self.client, self.url, self.query = client, url, query
        self.session = secrets.token_hex(6)
        self.props: dict[int, dict[str, Any]] = {}
        self.values: dict[int, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.active: set[int] = set()
        self._heart: asyncio.Task[None] | None = None

    async def open(self, files: bool = True) -> None:
        """Load the page, its files where the browser has none of them yet, and what its opening triggers."""
        answer = await self.client.get(f"{self.url}?{self.query}" if self.query else self.url)
        text = answer.text
        if answer.status_code != 200 or CONFIG not in text:
            raise PageError(f"{answer.status_code}: this is not the page")
        config, _ = json.JSONDecoder().raw_decode(text[text.index(CONFIG) + len(CONFIG) :])
        for entry in config["components"]:
            self.props[entry["id"]] = entry["props"]
            self.values[entry["id"]] = entry["props"].get("value")
            if entry["type"] == "timer" and entry["props"].get("active"):
                self.active.add(entry["id"])
        self.events = [entry for entry in config["dependencies"] if entry["backend_fn"]]
        self._heart = asyncio.create_task(self._beat())
        if files:
            await self._load_files(text, config["theme_hash"])
        await self.fire(None, "load")

    async def close(self) -> None:
        """Leave: the server notices by the heartbeat."""
        if self._heart is not None:
            self._heart.cancel()
            with suppress(asyncio.CancelledError):
                await self._heart

    async def fire(self, component: int | str | None, event: str, sent: object = None) -> None:
        """Trigger an event and wait until everything that follows from it has been answered.

        Args:
            component: Number or `elem_id`; `None` for the page itself.
            event: As `click`.
            sent: What the page's script tells with it.
        """
        number = self.find(component) if isinstance(component, str) else component
        found = [
            entry
            for entry in self.events
            if any(event == name and number in (None, target) for target, name in entry["targets"])
        ]
        if not found:
            raise PageError(f"the page has no {event} of {component}")
        await self._run([(entry, sent) for entry in found])

    async def choose(self, component: int, value: object, event: str = "input") -> None:
        """Put a value into a control."""
        self.values[component] = value
        await self.fire(component, event)

    async def open_tab(self, name: str) -> None:
        """Click the head of a tab."""
        number = next(number for number, props in self.props.items() if props.get("id") == name)
        label = self.props[number]["label"]
        if any([number, "select"] in entry["targets"] for entry in self.events):
            await self.fire(number, "select", {"value": label, "index": 0})

    async def until(self, done: Callable[[], bool], seconds: float = 120) -> None:
        """Tick the page's active timers until something is shown.

        Raises:
            PageError: It was not within the time, or no timer is active and it is not there.
        """
        deadline = time.monotonic() + seconds
        while not done():
            if not self.active or time.monotonic() > deadline:
                raise PageError("the page does not show what was waited for")
            await asyncio.sleep(min(float(self.props[timer]["value"]) for timer in self.active))
            for timer in sorted(self.active):
                await self.fire(timer, "tick")

    async def upload(self, name: str, data: bytes) -> dict[str, Any]:
        """Upload a file and return what a file component then holds."""
        answer = await self.client.post(f"{self.url}{API}/upload", files={"files": (name, data)})
        if answer.status_code != 200:
            raise PageError(f"{answer.status_code}: {answer.text[:200]}")
        path = answer.json()[0]
        return {"path": path, "orig_name": name, "size": len(data), "meta": {"_type": "gradio.FileData"}}

    def find(self, elem_id: str) -> int:
        """Return the number of a component."""
        return next(number for number, props in self.props.items() if props.get("elem_id") == elem_id)

    def labelled(self, label: str) -> int:
        """Return the number of the first component with a label."""
        return next(number for number, props in self.props.items() if props.get("label") == label)

    def shows(self, elem_id: str) -> str:
        """Return the HTML that a component shows."""
        return str(self.values[self.find(elem_id)] or "")

    def inputs_of(self, component: int | str, event: str) -> list[int]:
        """Return the numbers of what an event sends."""
        number = self.find(component) if isinstance(component, str) else component
        return next(list(entry["inputs"]) for entry in self.events if [number, event] in entry["targets"])

    async def _beat(self) -> None:
        """Hold the heartbeat open."""
        with suppress(httpx.HTTPError):
            async with self.client.stream("GET", f"{self.url}{API}/heartbeat/{self.session}") as stream:
                async for _ in stream.aiter_bytes():
                    pass

    async def _load_files(self, text: str, theme: str) -> None:
        """Load the files that the page names, and those that its first script names."""
        first = FILES.findall(text)
        bodies = await asyncio.gather(*(self._file(name) for name in [*first, f"theme.css?v={theme}"]))
        parts = {f"assets/{name}" for body in bodies for name in PARTS.findall(body)}
        await asyncio.gather(*(self._file(name) for name in sorted(parts - set(first))))

    async def _file(self, name: str) -> str:
        answer = await self.client.get(self.url + name)
        if answer.status_code != 200:
            raise PageError(f"{answer.status_code} for {name}")
        return answer.text

    async def _run(self, calls: Iterable[tuple[dict[str, Any], object]]) -> None:
        """Run events, then those that follow."""
        queued: dict[str, dict[str, Any]] = {}
        answered: list[tuple[dict[str, Any], list[Any]]] = []
        for entry, sent in calls:
            data = self._sent(entry)
            body = {"data": data, "event_data": sent, "fn_index": entry["id"], "session_hash": self.session}
            if entry["queue"]:
                joined = await post(self.client, f"{self.url}{API}/queue/join?{self.query}", body)
                queued[joined["event_id"]] = entry
            else:
                answered.append((entry, (await post(self.client, f"{self.url}{API}/run/predict", body))["data"]))
        if queued:
            answered += [(queued[event], data) for event, data in (await self._answers(set(queued))).items()]
        following: list[tuple[dict[str, Any], object]] = []
        for entry, data in answered:
            changed = self._apply(entry["outputs"], data)
            following += [
                (other, None)
                for other in self.events
                if (other["trigger_after"] == entry["id"] and other["targets"][0][1] in FOLLOWING)
                or any([number, "change"] in other["targets"] for number in changed)
            ]
        if following:
            await self._run(following)

    def _sent(self, entry: Mapping[str, Any]) -> list[Any]:
        """Return what an event sends: what its inputs show, or the empty texts that erase what Gradio remembers."""
        if (entry["js"] or "").startswith("() => ['"):
            return [""] * len(entry["inputs"])
        return [self.values[number] for number in entry["inputs"]]

    async def _answers(self, wanted: set[str]) -> dict[str, list[Any]]:
        """Read the session's stream until all events are answered."""
        found: dict[str, list[Any]] = {}
        address = f"{self.url}{API}/queue/data?session_hash={self.session}"
        async with self.client.stream("GET", address) as stream:
            async for line in stream.aiter_lines():
                message = json.loads(line[6:]) if line.startswith("data: ") else {}
                kind, output = message.get("msg"), message.get("output") or {}
                if kind == "unexpected_error" or (kind == "process_completed" and not message["success"]):
                    raise PageError(str(output.get("error") or message.get("message") or "an error without words"))
                if kind == "process_completed" and message["event_id"] in wanted:
                    found[message["event_id"]] = output["data"]
                if kind == "close_stream":
                    break
        if wanted - set(found):
            raise PageError("the events ended without an answer")
        return found

    def _apply(self, outputs: Iterable[int], data: Iterable[Any]) -> list[int]:
        """Show what came back, and return the numbers of what shows another value than before."""
        changed = []
        for number, value in zip(outputs, data, strict=True):
            if isinstance(value, dict) and value.get("__type__") == "update":
                if "active" in value:
                    (self.active.add if value["active"] else self.active.discard)(number)
                if "value" not in value:
                    continue
                value = value["value"]
            if self.values.get(number) != value:
                changed.append(number)
            self.values[number] = value
        return changed
