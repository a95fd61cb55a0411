"""The app on a free port of this machine, and calls to it as its documentation says."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import build_demo
from app.library import Library
from app.start import launch_options
from app.train.host import read_limits
from app.train.queue import Queue

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
        app: Gradio's, behind the guard.
    """

    url: str
    client: httpx.Client
    temporary: Path
    app: Any

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

    def press(self, number: int, said: Any, session: str = "a visit") -> Outcome:
        """Trigger an event of the page by its number, as the page's own script does."""
        call = {"fn_index": number, "data": [], "session_hash": session, "event_data": said}
        address = f"{self.url}gradio_api/run/predict"
        posted = self.client.post(address, content=json.dumps(call).encode(), headers=JSON)
        if posted.status_code != 200:
            return Outcome("refused", posted.text, posted.text, posted.status_code)
        return Outcome("complete", posted.json()["data"], posted.text)

    def open(self, tab: str, session: str = "a visit") -> dict[str, Any]:
        """Open a tab and return what its head tells the page's script."""
        head = self.press(self.events()[f"{tab}-head", "select"], {"do": "open", "turn": 1}, session).value[0]
        found = re.search(r'data-view="([^"]*)"', head if isinstance(head, str) else head["value"])
        assert found, head
        view: dict[str, Any] = json.loads(unescape(found[1]))
        return view

    def events(self) -> dict[tuple[str, str], int]:
        """List the numbers of the page's events that this app answers, by piece and what happens to it."""
        config = self.client.get(f"{self.url}config").json()
        pieces = {one["id"]: str(one["props"].get("elem_id")) for one in config["components"]}
        return {
            (pieces[target], kind): entry["id"]
            for entry in config["dependencies"]
            if entry["api_visibility"] == "private" and entry["backend_fn"]
            for target, kind in entry["targets"]
        }

    def sessions(self) -> list[Any]:
        """List what Gradio keeps of sessions."""
        return list(self.app.state_holder.session_data.values())


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
        app, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(library))
        try:
            with httpx.Client(timeout=60) as client:
                yield Served(address, client, folder, app)
        finally:
            demo.close(verbose=False)


# Colours fade from one scheme to the other.
SETTLED = """scheme => document.body.classList.contains("dark") === (scheme === "dark")
  && !document.getAnimations().some(one => one instanceof CSSTransition)"""


def turn_scheme(page: Any, scheme: str) -> None:
    """Turn a page `light` or `dark` and wait until its colours have arrived."""
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(SETTLED, arg=scheme)


def serious(page: Any) -> list[str]:
    """Run axe over our pieces of a page in light and in dark, and tell its serious and critical violations."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = {"include": [["[data-piece]"]]}  # the rest is Gradio's
    told = []
    for scheme in ("light", "dark"):
        turn_scheme(page, scheme)
        for found in axe.Axe().run(page, context=context).response["violations"]:
            if found["impact"] in ("serious", "critical"):
                told.append(f"{scheme}: {found['id']}: {[node['html'][:200] for node in found['nodes'][:4]]}")
    return told
