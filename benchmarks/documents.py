"""Write docs/commands.md and docs/http.md from their declarations, and the README.md of each bundled checkpoint.

python -m benchmarks.documents
"""

import argparse
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app import build_demo
from app.library import open_library
from app.start import parser as app_parser
from mun.checkpoint import CARD
from mun.commands import SUMMARIES
from mun.hub import write_readme
from mun.parser import OneLineParser

__all__ = ["commands_page", "http_page", "main"]

ROOT = Path(__file__).parents[1]
WRITTEN = "This page is written by `python -m benchmarks.documents`; a test compares it with the declarations."


def flags_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a command as lines of a table."""
    yield "| option | meaning |"
    yield "|---|---|"
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        choices = "\\|".join(map(str, action.choices)) if action.choices else ""
        metavar = " ".join(action.metavar) if isinstance(action.metavar, tuple) else action.metavar
        takes = str(metavar or choices or action.dest.upper()) if action.nargs != 0 else ""
        name = ", ".join(action.option_strings)
        words = " ".join((action.help or "").replace("%%", "%").split()).replace("|", "\\|")
        if choices and action.metavar:
            words += f" ({choices})"
        yield f"| `{f'{name} {takes}'.strip()}` | {words.replace(str(ROOT), '.')} |"


def commands_page() -> str:
    """Return the text of docs/commands.md."""
    lines = ["# Commands", "", WRITTEN, ""]
    lines += [
        "Bad input gets one line on stderr, `mun: error: …`, and exit code 2; nothing half-written is left behind.",
        "",
    ]
    lines += ["## python app.py", "", "Open the app.", "", *flags_of(app_parser())]
    for name, summary in SUMMARIES.items():
        parser = OneLineParser(prog=f"python -m mun {name}")
        importlib.import_module(f"mun.commands.{name}").add_arguments(parser)
        lines += ["", f"## python -m mun {name}", "", f"{summary[:1].upper()}{summary[1:]}.", "", *flags_of(parser)]
    return "\n".join([*lines, ""])


def http_page(demo: gr.Blocks) -> str:
    """Return the text of docs/http.md, from the app's own description of its named functions."""
    lines = ["# HTTP functions", "", WRITTEN, ""]
    lines += [
        "Every parameter has a default; a refusal is one sentence, “expected …, got …”. Images of the data are named"
    ]
    lines += ["by key, such as `cam3/0007/0001.jpg`.", ""]
    lines += ["```python", "from gradio_client import Client", ""]
    lines += [
        'Client("http://127.0.0.1:7860").predict(query="cam3/0001/0001.jpg", top_k=5, api_name="/retrieve")',
        "```",
    ]
    named: dict[str, Any] = demo.get_api_info()["named_endpoints"]
    for name, one in sorted(named.items()):
        lines += ["", f"## {name}", "", " ".join(str(one.get("description") or "").split())]
        if one["parameters"]:
            lines += ["", "| parameter | type | default | meaning |", "|---|---|---|---|"]
        for part in one["parameters"]:
            kind, default = part["python_type"]["type"], json.dumps(part.get("parameter_default"), ensure_ascii=False)
            words = part["type"].get("description") or part["python_type"].get("description") or part["label"]
            lines.append(f"| `{part['parameter_name']}` | {kind} | `{default}` | {' '.join(str(words).split())} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Write both pages, and the README.md of each bundled checkpoint."""
    for card in (ROOT / "checkpoints").glob(f"*/{CARD}"):
        write_readme(card.parent)
    (ROOT / "docs" / "commands.md").write_text(commands_page(), encoding="utf-8")
    demo = build_demo(open_library(ROOT / "assets" / "synvi", ROOT / "checkpoints"))
    (ROOT / "docs" / "http.md").write_text(http_page(demo), encoding="utf-8")


if __name__ == "__main__":
    main()
