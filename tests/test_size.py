"""The house does not grow unseen: lines that hold code, files, and bytes of styles, templates and scripts."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NO_CODE = {*(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)}


def code_lines(text: str) -> int:
    """Count the lines that hold code: no blanks, comments, docstrings."""
    words: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            words |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            held |= set(range(token.start[0], token.end[0] + 1))
    return len(held - words)


SOME = '"""Words."""\n\nx = (\n    1,  # one\n)\n# a comment\ndef f():\n    """Words.\n\n    More."""\n    return x\n'


def test_lines_are_counted_as_they_are() -> None:
    assert code_lines(SOME) == 5


@pytest.mark.parametrize(
    ("folder", "lines", "files"), [("app", 9_860, 85), ("mun", 11_407, 131), ("tests", 16_620, 127)]
)
def test_code_stays_within_its_bounds(folder: str, lines: int, files: int) -> None:
    """What is above is taken out again, or the bound is raised by whoever adds a feature, in the same commit."""
    paths = [path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts]
    assert sum(code_lines(path.read_text(encoding="utf-8")) for path in paths) <= lines
    assert len(paths) <= files


@pytest.mark.parametrize(
    ("pattern", "most"), [("static/*.css", 48_800), ("static/*.js", 46_350), ("templates/*", 120_950)]
)
def test_what_the_page_loads_stays_within_its_bounds(pattern: str, most: int) -> None:
    assert sum(path.stat().st_size for path in (ROOT / "app").glob(pattern)) <= most
