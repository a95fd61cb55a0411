"""docs/commands.md and docs/http.md say what is declared; `python -m benchmarks.documents` writes them anew."""

from __future__ import annotations

from pathlib import Path

from app import build_demo
from app.library import open_library
from benchmarks.documents import commands_page, http_page

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_commands_is_as_declared() -> None:
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == commands_page()


def test_the_page_of_http_functions_is_as_declared(tiny_synvi: Path, tiny_checkpoint: Path) -> None:
    written = (DOCS / "http.md").read_text(encoding="utf-8")
    assert written == http_page(build_demo(open_library(tiny_synvi, tiny_checkpoint)))
