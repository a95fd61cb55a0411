"""The machine fails while the app runs: the checkout cannot be written, no disk space for runs, caches, files."""

import os
from pathlib import Path

import pytest
from faults import read_only, small_disk
from made import flags
from pages import ask

from benchmarks.load.crowd import SMALLEST
from benchmarks.load.page import PageError
from benchmarks.load.server import running, start

ROOT = Path(__file__).parents[2]
ASKED = ("status", "retrieve", "evaluate", "project", "auxiliary", "explain")


@pytest.mark.slow
def test_the_app_runs_from_a_checkout_that_cannot_be_written(tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    with read_only(ROOT, tmp_path / "checkout") as checkout:
        with pytest.raises(OSError, match="Read-only"):
            (checkout / "x").touch()
        (tmp_path / "home").mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUN_", "GRADIO_"))}
        places = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home"), "MUN_TRAIN": "on"}
        words = flags(data=tiny_synvi, checkpoints=tiny_checkpoint)
        with running(checkout, words, {**kept, **places}, tmp_path / "log") as (url, _):
            for name in ASKED:
                assert ask(url, name)
            assert ask(url, "train_start", [SMALLEST])["run"]
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_no_room_is_said_and_all_else_goes_on(tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    """Runs, caches and temporary files are on one full disk."""
    with small_disk(tmp_path / "disk") as disk:
        (disk / "tmp").mkdir()
        places = {"TMPDIR": str(disk / "tmp"), "MUN_TRAIN": "on"}
        with start(disk, flags(data=tiny_synvi, checkpoints=tiny_checkpoint), places) as app:
            with pytest.raises(OSError, match="No space"):
                (disk / "filler").write_bytes(bytes(40_000_000))
            answers = {name: ask(app.url, name) for name in ASKED}
            assert all(answers.values())
            with pytest.raises(PageError, match="^the disk is nearly full: the run was not started"):
                ask(app.url, "train_start", [SMALLEST])
            (disk / "filler").unlink()
            assert {name: ask(app.url, name) for name in ASKED[1:3]} == {name: answers[name] for name in ASKED[1:3]}
        assert "Traceback" not in (disk / "log").read_text()
        assert [path.name for path in (disk / "runs").iterdir()] == ["app.lock"]
