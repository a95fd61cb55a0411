"""docs/commands.md is what the declarations say."""

from __future__ import annotations

from pathlib import Path

from benchmarks.documents import commands_page

ROOT = Path(__file__).parents[1]


def test_the_page_of_commands_is_as_declared() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == commands_page(), (
        "run python -m benchmarks.documents"
    )
