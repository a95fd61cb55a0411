"""A kill at any moment, or a full disk, leaves nothing half-written; what is asked again ends as ever."""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import Killer, small_disk
from made import flags

from mun import files
from mun.__main__ import main
from mun.checkpoint import load_checkpoint
from mun.files import HOST, whole_file, whole_folder

FEW = 3
KILLS = [FEW, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
TRAIN = [*flags(width=0.0625, height=32, image_width=32, epochs=2, ids_per_batch=4, instances_per_id=2, device="cpu")]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    made = Killer()
    yield made
    made.close()


def content(folder: Path) -> dict[str, str]:
    """Hash what a folder or a file holds; what a run logs of its seconds is left out."""
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    skipped = ("metrics.jsonl", "card.json", "log.txt")
    return {
        str(path.relative_to(folder.parent)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file() and path.name not in skipped
    }


def asked(kind: str, data: Path, model: Path, out: Path) -> list[str]:
    """The words of a command that writes `out`."""
    return {
        "synth": ["synth", str(out), *flags(train_ids=2, val_ids=1, test_ids=1, images=1, size="32x32", workers=1)],
        "embed": ["embed", str(model), str(data / "cam6"), "--modality", "infrared", "--out", str(out), "--quiet"],
        "train": ["train", "--out", str(out), "--data", str(data), *TRAIN, "--quiet"],
        "copy": ["copy", str(model), str(out)],
    }[kind]


def again(words: list[str], out: Path) -> list[str]:
    """The words that go on with a command that did not come to its end."""
    resumed = words[0] == "train" and (out / "config.json").is_file()
    return ["train", "--out", str(out), "--resume", "--device", "cpu", "--quiet"] if resumed else words


@pytest.mark.slow
@pytest.mark.parametrize("count", KILLS)
@pytest.mark.parametrize("kind", ["synth", "embed", "train", "copy"])
def test_a_kill_at_any_moment_leaves_nothing_half_written(
    killer: Killer, tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, kind: str, count: int
) -> None:
    name, model = "out.npz" if kind == "embed" else "out", tiny_checkpoint / "mun-tiny"
    first = tmp_path / "whole" / name
    code, events = killer.run(asked(kind, tiny_synvi, model, first), tmp_path)
    assert code == 0
    assert events > 2
    whole, killed = content(first), 0
    for number, (moment, later) in enumerate(killer.moments(events, count)):
        out = tmp_path / str(number) / name
        words = asked(kind, tiny_synvi, model, out)
        code, _ = killer.run(words, tmp_path, moment, later)
        killed += code == -9
        if kind in ("synth", "embed") and out.exists():
            assert content(out) == whole
        if kind == "copy" and (out / "card.json").is_file():
            assert load_checkpoint(out)
        if not (kind in ("synth", "embed") and out.exists()):
            assert killer.run(again(words, out), tmp_path)[0] == 0
        assert content(out) == whole, (moment, later)
        assert not list(out.parent.rglob("*.tmp")), "what was half-written has gone"
        shutil.rmtree(out.parent)
    assert killed


@pytest.mark.parametrize("kind", ["synth", "embed", "train"])
@pytest.mark.parametrize("place", ["output", "cache"])
def test_a_full_disk_is_said_in_one_line(
    tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, kind, place
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(OSError, match="No space"):
            (disk / "filler").write_bytes(bytes(40_000_000))
        name = "out.npz" if kind == "embed" else "out"
        out = (disk if place == "output" else tmp_path) / name
        if place == "cache":
            monkeypatch.setenv("MUN_CACHE", str(disk / "cache"))
        code = main(asked(kind, tiny_synvi, tiny_checkpoint / "mun-tiny", out))
        said = capsys.readouterr().err
        if code:
            assert code == 2
            assert said.startswith("mun: error: ")
            assert said.count("\n") == 1
            assert kind == "train" or not out.exists()
            assert not [path for path in disk.rglob("*.tmp") if path.stat().st_size]
            (disk / "filler").unlink()
            assert main(again(asked(kind, tiny_synvi, tiny_checkpoint / "mun-tiny", out), out)) == 0
        else:
            assert place == "cache", "the command needs no cache"
        assert content(out)


def test_what_finds_no_room_leaves_the_old_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no small disk can be mounted, too."""
    (tmp_path / "a").write_text("old")

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "sync", full)
    with pytest.raises(OSError, match="No space"), whole_file(tmp_path / "a") as part:
        part.write_text("new")
    with pytest.raises(OSError, match="No space"), whole_folder(tmp_path / "b") as folder:
        (folder / "c").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_what_a_killed_process_left_goes_and_another_ones_part_stays(tmp_path: Path) -> None:
    ended, others = f".a.{HOST}.999999999.tmp", [f".a.{HOST}.1.tmp", f".ab.{HOST}.999999999.tmp", ".a.x.tmp"]
    others += [".a.other.999999999.tmp"]  # of another machine, which shares the folder
    for name in (ended, ".a.other.999999998.tmp", *others):
        (tmp_path / name).write_text("half")
    os.utime(tmp_path / ".a.other.999999998.tmp", (1000, 1000))
    with whole_file(tmp_path / "a") as part:
        part.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a", *others}
