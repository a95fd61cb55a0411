"""Progress: a bar on a terminal, lines elsewhere, nothing when it is not shown."""

import io

import pytest

from mun import progress
from mun.progress import Progress, tracked


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def work(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, shown: bool, seconds: float = 30.0) -> str:
    """Do four units of work, one every 20 seconds, and return what stderr holds."""
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(progress, "LINE_SECONDS", seconds)
    monkeypatch.setattr("sys.stderr", stderr)
    with Progress(5_000, "embedding", "image", shown, done=1_000) as done:
        for number in range(4):
            done.update(1, **({"loss": "2.5"} if number == 0 else {}))
    return stderr.getvalue()


def test_a_file_gets_a_line_now_and_then(monkeypatch) -> None:
    """Not one for each unit, and never a carriage return."""
    written = work(monkeypatch, io.StringIO(), shown=True)
    assert written == ("embedding: 1,002 of 5,000 images, loss 2.5\nembedding: 1,004 of 5,000 images, loss 2.5\n")
    assert work(monkeypatch, io.StringIO(), shown=True, seconds=1e9) == ""


def test_a_terminal_gets_a_bar(monkeypatch) -> None:
    written = work(monkeypatch, Terminal(), shown=True)
    assert "embedding:" in written
    assert "\r" in written


@pytest.mark.parametrize("stderr", [io.StringIO(), Terminal()])
def test_nothing_is_written_when_it_is_not_shown(stderr, monkeypatch) -> None:
    assert work(monkeypatch, stderr, shown=False) == ""


def test_tracked_items_are_all_yielded(capsys) -> None:
    assert list(tracked(["a", "b"], "reading", "letter")) == ["a", "b"]
    assert capsys.readouterr().err == ""
