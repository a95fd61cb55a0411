"""The page without a browser: one visitor's session, driven as the page's own script drives it.

It acts like a browser: it loads the page and its files, sends all fields of a tab with every press, keeps the answer,
and sends the request again if the answer asks for this.
"""

import asyncio
import html
import json
import re
import secrets
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import httpx

__all__ = ["Page", "PageError", "call", "new_client", "post"]

API = "gradio_api"
CONFIG = "window.gradio_config = "
FILES = re.compile(r'(?:src|href)="\./(assets/[^"]+)"')
PARTS = re.compile(r'"\./([\w.-]+\.(?:js|css))"')
VIEW = re.compile(r'data-view="([^"]*)"')
BUSY = re.compile(r"busy: .*try again in (\d+) s")
PATIENCE = 120  # seconds that a visitor waits
REFUSALS: ContextVar[float] = ContextVar("refusals", default=PATIENCE)  # seconds for which a refused call is repeated
CONNECTIONS = 6  # of a browser to one address


class PageError(Exception):
    """The page showed an error, or the server did not answer; the text is what a visitor would see."""


def new_client(address: str = "") -> httpx.AsyncClient:
    """Make the client of one visitor.

    Args:
        address: Of the visitor, sent as a proxy on this machine would send it: all visitors run on one machine.
    """
    # Shorter than the server keeps a connection: only a browser would repeat a request that meets a closed connection.
    limits = httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=2.0)
    headers = {"x-forwarded-for": address} if address else {}
    return httpx.AsyncClient(timeout=httpx.Timeout(120, pool=None), limits=limits, headers=headers, trust_env=False)


async def post(client: httpx.AsyncClient, url: str, body: Mapping[str, object]) -> Any:
    """Post JSON and return the JSON answer.

    Raises:
        PageError: The request is refused.
    """
    answer = await client.post(url, json=body)
    if answer.status_code != 200:
        raise PageError(f"{answer.status_code}: {answer.text[:200]}")
    return answer.json()


async def call(client: httpx.AsyncClient, url: str, name: str, data: list[Any]) -> Any:
    """Call a public function and return its answer; if the app says when to try again, try again then.

    Raises:
        PageError: The answer is an error, whose text is kept, or empty; or the app is busy for longer than `REFUSALS`.
    """
    first = 0.0
    while True:
        event = (await post(client, f"{url}{API}/call/{name}", {"data": data}))["event_id"]
        text = (await client.get(f"{url}{API}/call/{name}/{event}")).text
        lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        value = json.loads(lines.get("data", "null"))
        if lines.get("event") == "complete":
            return value[0]
        words = str(value.get("error") if isinstance(value, dict) else value)
        busy = BUSY.search(words)
        first = first or time.monotonic()
        if busy is None or time.monotonic() + int(busy[1]) > first + REFUSALS.get():
            raise PageError(words)
        await asyncio.sleep(int(busy[1]))


class Page:
    """One visitor's page.

    Args:
        client: Of this visitor.
        url: Of the app, with `/` at the end.

    Attributes:
        tabs: Names of the tabs.
        views: The last answer of each tab: values, link, drawn pieces.
        shown: HTML by the name of the piece.
    """

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self.client, self.url, self.session = client, url, secrets.token_hex(6)
        self.views: dict[str, dict[str, Any]] = {}
        self.shown: dict[str, Any] = {}
        self.turn = 0
        self._names: dict[int, str] = {}
        self._heads: dict[str, dict[str, Any]] = {}

    @property
    def tabs(self) -> list[str]:
        """Names of the tabs."""
        return list(self._heads)

    async def open(self, files: bool = True) -> None:
        """Load the page, and its files if the browser does not have them yet."""
        answer = await self.client.get(self.url)
        text = answer.text
        if answer.status_code != 200 or CONFIG not in text:
            raise PageError(f"{answer.status_code}: this is not the page")
        config, _ = json.JSONDecoder().raw_decode(text[text.index(CONFIG) + len(CONFIG) :])
        self._names = {entry["id"]: str(entry["props"].get("elem_id") or "") for entry in config["components"]}
        for entry in config["dependencies"]:
            for number, event in entry["targets"]:
                name = self._names.get(number, "")
                if event == "select" and name.endswith("-head") and entry["backend_fn"]:
                    self._heads[name.removesuffix("-head")] = entry
        if files:
            await self._load_files(text, config["theme_hash"])

    async def press(
        self, tab: str, values: Mapping[str, Any] | None = None, do: str = "", wait: bool = True, **detail: Any
    ) -> None:
        """Press something in a tab, and with `wait` repeat the request until the answer does not ask for this.

        Raises:
            PageError: The press is refused, or answers ask for repetition for longer than two minutes.
        """
        view, deadline = self.views.get(tab, {"values": {}, "drawn": {}}), time.monotonic() + PATIENCE
        asked = {**view["values"], **(values or {})}
        while True:
            view = await self._send(tab, asked, list(values or {}), do, detail)
            if not view["again"] or not wait:
                return
            if time.monotonic() > deadline:
                raise PageError(f"the page is not complete after {PATIENCE} s")
            await asyncio.sleep(view["again"] / 1000)
            asked, values, do, detail = view["values"], None, "again", {}

    async def _send(
        self, tab: str, values: Mapping[str, Any], changed: list[str], do: str, detail: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send one press and take its answer."""
        self.turn += 1
        entry, drawn = self._heads[tab], self.views.get(tab, {}).get("drawn", {})
        said = {"values": values, "changed": changed, "do": do, "detail": detail, "drawn": drawn, "turn": self.turn}
        body = {"data": [], "event_data": said, "fn_index": entry["id"], "session_hash": self.session}
        answer = await post(self.client, f"{self.url}{API}/run/predict", body)
        for number, value in zip(entry["outputs"], answer["data"], strict=True):
            if not (isinstance(value, dict) and value.get("__type__") == "update"):
                self.shown[self._names[number]] = value
        view: dict[str, Any] = json.loads(html.unescape(VIEW.search(self.shown[f"{tab}-head"])[1]))  # type: ignore[index]
        self.views[tab] = {**view, "drawn": {**drawn, **view["drawn"]}}
        return view

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
