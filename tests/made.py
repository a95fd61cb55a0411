"""What tests are made of: samples, features files, data sets of every layout, words of a command line."""

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from scipy.io import savemat

from mun.checkpoint import Card, build_network, save_checkpoint
from mun.structures import Modality, Sample


def sample(pid: int, camid: int, number: int = 1) -> Sample:
    modality = Modality.INFRARED if camid in (3, 6) else Modality.VISIBLE
    return Sample(Path(f"/data/cam{camid}/{pid:04d}/{number:04d}.jpg"), pid, camid, modality)


def samples(pids: Iterable[int], cameras: Iterable[int] = range(1, 7), count: int = 2) -> list[Sample]:
    """All images of some people by some cameras, in ascending order."""
    numbers = range(1, count + 1)
    return [sample(pid, camid, number) for pid in pids for camid in cameras for number in numbers]


PEOPLE, CAMERAS, SIZE = 8, (1, 2, 4, 5, 3, 6), 16
SHOWN = samples(range(1, PEOPLE + 1), CAMERAS)


def method(strength: float, seed: int = 0, samples: Sequence[Sample] = SHOWN) -> dict[str, Any]:
    """The arrays of a file; by default eight people by the six cameras of SYSU-MM01, two images each."""
    pids, camids = (np.array([getattr(one, name) for one in samples]) for name in ("pid", "camid"))
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((pids.max() + 1, SIZE))
    features = strength * directions[pids] + generator.standard_normal((len(pids), SIZE))
    modalities, keys = (np.array([str(getattr(one, name)) for one in samples]) for name in ("modality", "key"))
    return {"features": features, "pids": pids, "camids": camids, "modalities": modalities, "keys": keys}


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write(path: Path, arrays: dict[str, Any], *, packed: bool = False) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


def content(arrays: dict[str, Any], *, packed: bool = False) -> io.BytesIO:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    file.seek(0)
    return file


IMAGE_SIZE = (32, 16)


class Stamp:
    """Puts images into a tree: random ones, or links to a few that differ by person and modality."""

    def __init__(self, linked: bool = False, seed: int = 0) -> None:
        self.linked, self.draws = linked, np.random.default_rng(seed)
        self.made: dict[tuple[int, bool, str], Path] = {}

    def put(self, path: Path, pid: int, *, infrared: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = (pid % 50, infrared, path.suffix)
        if self.linked and kind in self.made:
            os.link(self.made[kind], path)
            return
        person = np.random.default_rng([pid % 50, 7]).integers(0, 200, (8, 4, 3))
        pixels = np.kron(person, np.ones((4, 4, 1))) + self.draws.integers(0, 56, (*IMAGE_SIZE, 3))
        if infrared:
            pixels = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        self.made[kind] = path


def share(total: int, places: int) -> Iterator[int]:
    """Split a number into as many almost equal parts."""
    for place in range(places):
        yield total * (place + 1) // places - total * place // places


def write_list(path: Path, words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words, encoding="utf-8")


def sysu_tree(
    root: Path,
    train: int = 4,
    val: int = 2,
    test: int = 4,
    images: dict[str, int] | None = None,
    stamp: Stamp | None = None,
) -> Path:
    """SYSU-MM01: people 1 … N, two images by each camera, or as many of each split and modality as `images` says."""
    stamp = stamp or Stamp()
    first = 1
    for split, count in (("train", train), ("val", val), ("test", test)):
        pids = range(first, first + count)
        first += count
        write_list(root / "exp" / f"{split}_id.txt", ",".join(map(str, pids)) + "\n")
        for infrared, cameras in ((False, (1, 2, 4, 5)), (True, (3, 6))):
            total = (images or {}).get(f"{split} {'infrared' if infrared else 'visible'}", 2 * count * len(cameras))
            places = [(pid, camid) for pid in pids for camid in cameras]
            for (pid, camid), number in zip(places, share(total, len(places)), strict=True):
                for one in range(1, number + 1):
                    stamp.put(root / f"cam{camid}" / f"{pid:04d}" / f"{one:04d}.jpg", pid, infrared=infrared)
    return root


def write_permutations(root: Path, entries: dict[tuple[int, int], ArrayLike], people: int = 40) -> None:
    """SYSU-MM01's file of official galleries: by camera and person one row of image numbers per trial."""
    cells = np.empty((6, 1), object)
    for camid in range(1, 7):
        cells[camid - 1, 0] = np.empty((1, people), object)
        for pid in range(1, people + 1):
            cells[camid - 1, 0][0, pid - 1] = np.asarray(entries.get((camid, pid), np.zeros((0, 0))), np.uint8)
    (root / "exp").mkdir(exist_ok=True)
    savemat(root / "exp" / "rand_perm_cam.mat", {"rand_perm_cam": cells})


def regdb_tree(root: Path, people: int = 8, images: int = 2, trials: int = 2, stamp: Stamp | None = None) -> Path:
    """RegDB: every second person of a trial is trained on; trials choose others. Labels begin at 0 in each list."""
    stamp = stamp or Stamp()
    names: dict[tuple[int, bool], list[str]] = {}
    for pid in range(1, people + 1):
        for infrared, folder, letter in ((False, "Visible", "v"), (True, "Thermal", "t")):
            parts = [f"{folder}/{pid}/male_back_{letter}_{100 * pid + one:05d}_{pid}.bmp" for one in range(images)]
            names[pid, infrared] = parts
            for part in parts:
                stamp.put(root / part, pid, infrared=infrared)
    for trial in range(1, trials + 1):
        order = np.random.default_rng(trial).permutation(people) + 1
        for split, chosen in (("train", order[: people // 2]), ("test", order[people // 2 :])):
            for infrared, folder in ((False, "visible"), (True, "thermal")):
                lines = [
                    f"{name} {label}" for label, pid in enumerate(sorted(chosen)) for name in names[int(pid), infrared]
                ]
                write_list(root / "idx" / f"{split}_{folder}_{trial}.txt", "\n".join(lines) + "\n")
    return root


def llcm_tree(
    root: Path, train: int = 4, test: int = 4, images: dict[str, int] | None = None, stamp: Stamp | None = None
) -> Path:
    """LLCM: two images by each of nine visible and eight infrared cameras, or as many as `images` says."""
    stamp, images = stamp or Stamp(), images or {}
    for infrared, kind, cameras in ((False, "vis", range(1, 10)), (True, "nir", (1, 2, 4, 5, 6, 7, 8, 9))):
        for split, pids in (("train", range(1, train + 1)), ("test", range(train + 1, train + test + 1))):
            places = [(pid, camid) for pid in pids for camid in cameras]
            lines = []
            for (pid, camid), number in zip(
                places, share(images.get(f"{split} {kind}", len(places)), len(places)), strict=True
            ):
                for one in range(number):
                    name = f"{pid:04d}_c{camid:02d}_s{100_000 + one}_f{one}_{kind}.jpg"
                    place = (
                        f"{kind}/{pid:04d}/{name}" if split == "train" else f"test_{kind}/cam{camid}/{pid:04d}/{name}"
                    )
                    stamp.put(root / place, pid, infrared=infrared)
                    lines.append(f"{place} {pid - pids[0]}")
            write_list(root / "idx" / f"{split}_{kind}.txt", "\n".join(lines) + "\n")
    (root / "test_nir" / "cam3").mkdir()
    write_list(root / "idx" / "test_id.txt", ",".join(map(str, range(train + 1, train + test + 1))) + ",")
    return root


def own_folders(root: Path, people: tuple[str, ...] = ("anna", "bela", "cleo"), images: int = 3) -> Path:
    """A folder for each modality, one for each person below it, cameras in the names."""
    for number, person in enumerate(people, start=1):
        for infrared, kind in ((False, "rgb"), (True, "lwir")):
            for one in range(1, images + 1):
                camera = one + (10 if infrared else 0)
                Stamp(seed=7 * number + one).put(
                    root / kind / person / f"c{camera}_{one}.png", number, infrared=infrared
                )
    return root


def own_csv(root: Path, people: int = 3, images: int = 2) -> Path:
    """A CSV with a column of its own, training people too, and a semicolon between columns."""
    stamp, lines = Stamp(), ["path;modality;pid;camid;split;weather"]
    for pid in range(1, 2 * people + 1):
        for infrared, kind in ((False, "visible"), (True, "infrared")):
            for one in range(1, images + 1):
                name = f"all/{kind[0]}{pid}_{one}.png"
                stamp.put(root / name, pid, infrared=infrared)
                split = "train" if pid > people else "test"
                lines.append(f"{name};{kind};{pid};{one + 2 * infrared};{split};{'rain' if one == 1 else 'sun'}")
    write_list(root / "images.csv", "\n".join(lines) + "\n")
    return root


TREES: dict[str, Callable[[Path], Path]] = {
    "sysu": sysu_tree,
    "regdb": regdb_tree,
    "llcm": llcm_tree,
    "folders": own_folders,
    "csv": own_csv,
}


def flags(**values: object) -> list[str]:
    """Write flags: `flags(train_ids=8)` is `["--train-ids", "8"]`."""
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def variant(folder: Path, name: str, card: Card, seed: int = 0, steps: int = 0, **model: object) -> Path:
    """Save a checkpoint with random weights, whose model differs in some fields from that of a card."""
    config = replace(card.config, model=replace(card.config.model, **model))
    network = build_network(config, num_classes=3, seed=seed).eval()
    save_checkpoint(folder / name, network, replace(card, name=name, steps=steps, config=config))
    return folder / name


def contents(folder: Path) -> dict[str, str]:
    """Hash every file but compiled ones, which Python writes where it can."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
