"""The app on a free port of this machine, and calls to it as its documentation says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import build_demo
from app.library import Library
from app.start import launch_options
from app.train.host import read_limits
from app.train.queue import Queue

__all__ = ["Outcome", "Served", "no_training", "serve", "sizes_below"]

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Outcome:
    """What came back: `complete`, `error` or `refused` (an HTTP status other than 200), and with it."""

    event: str
    value: Any
    text: str
    status: int = 200

    @property
    def words(self) -> Any:
        """What an error says."""
        return self.value.get("error") if isinstance(self.value, dict) else self.value


@dataclass(frozen=True)
class Served:
    """A running app.

    Attributes:
        url: Its address, with `/` at the end.
        client: Keeps its connections.
        temporary: Its folder of temporary files.
        routes: What Gradio itself offers.
    """

    url: str
    client: httpx.Client
    temporary: Path
    routes: tuple[Any, ...] = ()

    def call(self, name: str, data: Any, headers: Mapping[str, str] | None = None) -> Outcome:
        """Call a public function: post, then read the events."""
        return self.post(name, json.dumps({"data": data}).encode(), headers)  # by hand, because httpx refuses NaN

    def post(self, name: str, body: bytes, headers: Mapping[str, str] | None = None) -> Outcome:
        """Post any bytes to a public function."""
        address = f"{self.url}gradio_api/call/{name}"
        posted = self.client.post(address, content=body, headers={**JSON, **(headers or {})})
        if posted.status_code != 200:
            return Outcome("refused", posted.text, posted.text, posted.status_code)
        text = self.client.get(f"{self.url}gradio_api/call/{name}/{posted.json()['event_id']}").text
        lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        return Outcome(lines["event"], json.loads(lines["data"]), text)

    def trigger(self, number: int, data: Any, session: str, event_data: Any = None) -> Outcome:
        """Trigger any event of the page by its number, as the page's own script does, also a private one."""
        call = {"fn_index": number, "data": data, "session_hash": session, "event_data": event_data}
        body = json.dumps(call).encode()
        posted = self.client.post(f"{self.url}gradio_api/queue/join", content=body, headers=JSON)
        if posted.status_code != 200:
            return Outcome("refused", posted.text, posted.text, posted.status_code)
        with self.client.stream("GET", f"{self.url}gradio_api/queue/data?session_hash={session}") as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") in ("process_completed", "unexpected_error", "close_stream"):
                    success = bool(message.get("success"))
                    value = message.get("output", message.get("message"))
                    return Outcome("complete" if success else "error", value, line)
        raise AssertionError("the events ended without an answer")

    def upload(self, name: str, data: bytes) -> str:
        """Upload a file and return what Gradio calls it."""
        answer = self.client.post(f"{self.url}gradio_api/upload", files={"files": (name, data)})
        answer.raise_for_status()
        return str(answer.json()[0])

    def events(self) -> dict[int, int]:
        """List the numbers of all private events, with how many values each takes."""
        listed = self.client.get(f"{self.url}config").json()["dependencies"]
        return {entry["id"]: len(entry["inputs"]) for entry in listed if entry["api_visibility"] == "private"}


def no_training() -> Queue:
    """Make a queue that takes no run: what is fuzzed never trains."""
    return Queue(limits=read_limits({"MUN_TRAIN": "off"}))


@contextmanager
def serve(library: Library, folder: Path, queue: Queue | None = None) -> Iterator[Served]:
    """Serve the page of a library, by default without training; temporary files go below `folder`."""
    library.embeddings(library.default_checkpoint, library.default_data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        demo = build_demo(library, queue or no_training())
        app, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
        try:
            with httpx.Client(timeout=60) as client:
                yield Served(address, client, folder, tuple(app.routes))
        finally:
            demo.close(verbose=False)


def sizes_below(folder: Path) -> dict[Path, int]:
    """List the files below a folder in bytes, while a server may be deleting some: what vanishes is passed over.

    `rglob` stumbles over a folder that vanishes while it looks.
    """
    sizes = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            with suppress(FileNotFoundError):
                sizes[path] = path.stat().st_size
    return sizes
