from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import start

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("case", ["no checkpoint", "no data", "mislabelled", "unknown flag"])
def test_bad_input_gives_one_line_and_exit_code_2(
    case: str, tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = {
        "no checkpoint": ["--data", str(tiny_synvi), "--checkpoints", str(empty)],
        "no data": ["--data", str(empty), "--checkpoints", str(tiny_checkpoint)],
        "mislabelled": ["--data", str(empty), "--dataset", "synvi", "--checkpoints", str(tiny_checkpoint)],
        "unknown flag": ["--colour", "red"],
    }[case]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_TEMP_DIR", "HF_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"):
            patch.setenv(name, str(tmp_path))
        try:
            code = start.main(words)
        except SystemExit as ended:
            code = ended.code
    assert code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("app: error: ")


def test_the_script_itself_ends_with_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "--checkpoints", str(tmp_path), "--data", str(tmp_path / "none")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("app: error: ")
    assert ended.stderr.count("\n") == 1
    assert not ended.stdout


def test_caches_go_where_something_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MUN_CACHE", str(tmp_path / "file" / "cache"))  # below a file: nobody can write there
    monkeypatch.setenv("HF_HOME", "/chosen")
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # first set, so that what the function sets is undone after the test
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    for name in ("MPLCONFIGDIR", "NUMBA_CACHE_DIR", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "kept")
    start.prepare_environment()
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HOME"] == "/chosen"
    assert Path(os.environ["GRADIO_TEMP_DIR"]).parent.is_dir()
