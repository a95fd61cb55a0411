"""Count the code that runs for a click on a query: `python -m benchmarks.click [--list]`.

Counts this project's files and distinct functions, from the event's handler to the answer, without templates and
libraries, on the bundled data and checkpoints, after the images were embedded and the page drawn once.
"""

import argparse
import html
import json
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

__all__ = ["run_through"]

ROOT = Path(__file__).resolve().parents[1]


class Event:
    """The event that the browser sends with a press."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._data = said


class Client:
    """The client of the session."""

    session_hash, client = "somebody", None


def run_through(library: Any) -> set[CodeType]:
    """Press a query in the Retrieval tab and collect this project's code that runs."""
    from app import build_demo

    demo = build_demo(library)
    press = next(one.fn for one in demo.fns.values() if getattr(one.fn, "asks", ("",))[0] == "retrieval")
    keys = [sample.key for sample in library.collections[library.default_data].queries]
    partner = library.checkpoints.partners[library.default_checkpoint]
    for name in filter(None, (library.default_checkpoint, partner)):
        library.embeddings(name, library.default_data)
    drawn: dict[str, str] = {}
    for key in (keys[0], keys[1], keys[0]):  # so that all caches are filled
        answer = press(Event({"values": {"query": key}, "do": "again", "drawn": drawn}), Client())
        head = next(text for text in answer.values() if isinstance(text, str) and "data-view=" in text)
        drawn = json.loads(html.unescape(head.split('data-view="', 1)[1].split('"', 1)[0]))["drawn"]
    seen: set[CodeType] = set()

    def watch(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        ours = file.startswith((str(ROOT / "app"), str(ROOT / "mun"))) and not file.endswith(".html")
        if event == "call" and ours and not frame.f_code.co_name.startswith("<"):
            seen.add(frame.f_code)

    sys.setprofile(watch)
    try:
        press(Event({"values": {"query": keys[1]}, "changed": ["query"], "drawn": drawn}), Client())
    finally:
        sys.setprofile(None)
    return seen


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.click", description=__doc__)
    parser.add_argument("--list", action="store_true", help="list the functions")
    options = parser.parse_args()
    from app.library import open_library

    seen = run_through(open_library(ROOT / "assets" / "synvi", ROOT / "checkpoints"))
    files = {Path(code.co_filename).relative_to(ROOT).as_posix() for code in seen}
    print(f"{len(files)} files, {len(seen)} functions")
    if options.list:
        for code in sorted(seen, key=lambda code: (code.co_filename, code.co_firstlineno)):
            print(f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_firstlineno} {code.co_qualname}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
