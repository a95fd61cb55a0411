"""What the tests of all commands share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mun.__main__ import main

Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refused:
    """Run a command that has to refuse: code 2, one line on stderr, which is returned, nothing on stdout or disk."""

    def run(*words: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        try:
            code = main([str(word) for word in words])
        except SystemExit as stopped:  # argparse leaves this way
            code = int(stopped.code or 0)
        shown = capsys.readouterr()
        assert (code, shown.out) == (2, "")
        assert shown.err.startswith("mun: error: ")
        assert shown.err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before, "nothing half-written is left behind"
        return shown.err

    return run
