"""The folder that an upload to a Space takes is complete and small; its app starts quickly and changes nothing."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from made import contents
from packaging.requirements import Requirement
from serving import Served

from benchmarks.load.server import running

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
MAX_BYTES, MAX_FILE_BYTES, MAX_TEMPORARY_BYTES = 2_000_000_000, 10_000_000, 64_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the files that an upload takes: tracked files, and untracked files that are not ignored."""
    target = tmp_path_factory.mktemp("space") / "space"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    for name in listed.stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def front_matter(folder: Path) -> dict[str, Any]:
    """Read the block at the top of the README."""
    return dict(yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1]))


def test_front_matter_is_what_a_space_reads(folder: Path) -> None:
    values = front_matter(folder)
    assert set(values) == {
        "title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file",
        "short_description", "license", "tags", "startup_duration_timeout",
    }  # fmt: skip
    assert values["sdk"] == "gradio"
    assert (folder / values["app_file"]).is_file()
    assert {values["colorFrom"], values["colorTo"]} <= {
        "red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"
    }  # fmt: skip
    assert 0 < len(values["short_description"]) <= 60
    assert values["license"] == "mit"
    assert (folder / "LICENSE").read_text().startswith("MIT License")
    assert values["python_version"] == "3.12", "without quotes YAML reads a number"
    assert re.fullmatch(r"\d+[smh]", values["startup_duration_timeout"])
    assert values["tags"]


def test_versions_agree_with_the_requirements(folder: Path) -> None:
    values = front_matter(folder)
    lines = (folder / "requirements.txt").read_text().splitlines()
    needed = {need.name: need.specifier for line in lines if line[:1].isalpha() for need in [Requirement(line)]}
    assert str(values["sdk_version"]) in needed["gradio"]
    project = (folder / "pyproject.toml").read_text()
    low = re.search(r'requires-python = ">=(\d+)\.(\d+)"', project)
    assert tuple(map(int, values["python_version"].split("."))) >= (int(low[1]), int(low[2]))


def test_every_file_can_be_uploaded(folder: Path) -> None:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in paths if path.stat().st_size >= MAX_FILE_BYTES] == []
    assert sum(path.stat().st_size for path in paths) < 83_500_000
    assert [path for path in folder.rglob("*") if path.is_symlink()] == []
    attributes = folder / ".gitattributes"
    assert not attributes.exists() or "filter=lfs" not in attributes.read_text(), "pointers would be uploaded"


def test_nothing_fixes_address_or_port() -> None:
    for path in [ROOT / "app.py", *(ROOT / "app").rglob("*.py")]:
        text = path.read_text()
        assert not re.search(r"server_name|server_port|GRADIO_SERVER|(?<!\d)0\.0\.0\.0|share=True", text), path


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured through /proc")
def test_it_starts_quickly_holds_little_and_writes_nothing_into_its_folder(folder: Path, tmp_path: Path) -> None:
    """Start it as a Space does; test_machine covers a machine where no file can be written."""
    (tmp_path / "home").write_text("")  # a file, so that nothing can be written below it
    (tmp_path / "temporary").mkdir()
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")}
    space = {"SYSTEM": "spaces", "SPACE_ID": "a/b", "HOME": str(tmp_path / "home")}
    places = {"TMPDIR": str(tmp_path / "temporary"), "PYTHONUNBUFFERED": "1"}
    before, began = contents(folder), time.monotonic()
    crowded = os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1)
    with (
        running(folder, [], {**kept, **space, **places}, tmp_path / "log") as (url, pid),
        httpx.Client(timeout=120) as client,
    ):
        outcome = Served(url, client, tmp_path, None).call("retrieve", [])
        wall, app = time.monotonic() - began, psutil.Process(pid)
        busy, memory = sum(app.cpu_times()[:4]), sum(one.memory_info().rss for one in app.children(recursive=True))
        held = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
        memory += 1024 * int(held[1])  # peak of the app itself, plus the current memory of its children
    print(json.dumps({"wall": wall, "processor": busy, "memory": memory}), (tmp_path / "log").read_text())
    assert outcome.event == "complete"
    (answer,) = outcome.value
    assert {answer["query"]["image"][:3], answer["results"][0]["image"][:3]} == {"cam"}
    # On a busy machine the wall clock says nothing about the app; its processor time does.
    assert (busy if crowded else wall) < START_SECONDS
    assert 100_000_000 < memory < MAX_BYTES
    assert sum(path.stat().st_size for path in (tmp_path / "temporary").rglob("*")) < MAX_TEMPORARY_BYTES
    assert contents(folder) == before
