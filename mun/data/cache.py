"""Decoded images in one memory-mapped file, so that a data set need not fit into memory."""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mun.data.source import read_sample
from mun.files import is_abandoned, whole_file
from mun.images import resize
from mun.progress import Progress
from mun.structures import Sample

__all__ = ["Read", "cache_folder", "cached_images", "decode_samples", "make_room", "open_cache", "read_resized"]

Read = Callable[[Sample, int, int], NDArray[np.uint8]]  # a sample at a height and a width

MOST_GB = 20.0  # of all caches together, unless $MUN_CACHE_GB says otherwise


def cache_folder() -> Path:
    """Return the folder of caches: `$MUN_CACHE`, or `mun` below the user's cache folder."""
    if chosen := os.environ.get("MUN_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mun"


def make_room(folder: Path, needed: int) -> None:
    """Remove the caches that were used longest ago, until `needed` more bytes stay within the bound.

    The bound is 20 GB, or `$MUN_CACHE_GB`. A process that has a removed file open can still read it. Half-written files
    (`.tmp`) count too; abandoned ones are removed first. Other jobs may do the same at the same moment.

    Raises:
        ValueError: `needed` alone is above the bound, or the bound is no positive number.
        OSError: The disk has less than `needed` bytes free; a memory-mapped file would find that out too late.
    """
    text = os.environ.get("MUN_CACHE_GB", str(MOST_GB))
    try:
        bound = float(text) * 1e9
    except ValueError:
        bound = float("nan")
    if not bound > 0:
        raise ValueError(f"expected MUN_CACHE_GB to be a positive number of gigabytes, got {text[:40]!r}")
    if needed > bound:
        raise ValueError(f"expected at most {bound / 1e9:g} GB of images (MUN_CACHE_GB), got {needed / 1e9:.1f} GB")
    for path in filter(is_abandoned, folder.glob("*.tmp")):
        path.unlink(missing_ok=True)
    files = [(path, status) for path in folder.glob("*.npy") if (status := status_of(path)) is not None]
    total = sum(status.st_size for _, status in files)
    total += sum(status.st_size for path in folder.glob("*.tmp") if (status := status_of(path)) is not None)
    for path, status in sorted(files, key=lambda entry: entry[1].st_mtime):
        if total + needed <= bound:
            break
        total -= status.st_size
        path.unlink(missing_ok=True)
    if (free := shutil.disk_usage(folder).free) < needed:
        raise OSError(f"expected {needed / 1e9:.1f} GB free for the cache (MUN_CACHE), got {free / 1e9:.1f} GB")


def status_of(path: Path) -> os.stat_result | None:
    """Return the status of a file; `None` if another job has just removed it."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def open_cache(path: Path) -> NDArray[np.uint8] | None:
    """Open a cache and note that it is used now; `None` where it is not there, or another job has just removed it."""
    try:
        os.utime(path)
        opened: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    return opened


def fingerprint(samples: Sequence[Sample], height: int, width: int) -> str:
    """Hash the files' paths, sizes and times with the target size; any change means a new cache."""
    digest = hashlib.sha256(f"2 {height} {width}".encode())
    for sample in samples:
        status = sample.path.stat()
        digest.update(f"{sample.path.resolve()} {status.st_size} {status.st_mtime_ns} {sample.levels or ''}\n".encode())
    return digest.hexdigest()[:24]


def read_resized(sample: Sample, height: int, width: int) -> NDArray[np.uint8]:
    """Read the image of a sample, RGB, uint8, `(height, width, 3)`."""
    return resize(read_sample(sample), height, width)


def fill(
    images: NDArray[np.uint8], samples: Sequence[Sample], step: Callable[[], object], read: Read = read_resized
) -> NDArray[np.uint8]:
    """Decode samples into a prepared `(N, H, W, 3)` array with as many threads as there are cores."""
    height, width = images.shape[1:3]

    def place(index: int) -> None:
        images[index] = read(samples[index], height, width)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for _ in pool.map(place, range(len(samples))):
            step()
    return images


def decode_samples(samples: Sequence[Sample], height: int, width: int, read: Read = read_resized) -> NDArray[np.uint8]:
    """Decode samples into memory: RGB, uint8, [0, 255], `(N, height, width, 3)`."""
    return fill(np.empty((len(samples), height, width, 3), dtype=np.uint8), samples, lambda: None, read)


def cached_images(
    samples: Sequence[Sample], height: int, width: int, folder: Path | None = None, progress: bool = True
) -> NDArray[np.uint8]:
    """Open, or first build, the memory-mapped images of some samples.

    The file appears under its name only when it is complete, so that an interrupted build is built again.

    Args:
        samples: N images, in the order of the rows.
        height: Pixels.
        width: Pixels.
        folder: Folder of the caches; `cache_folder()` by default.
        progress: Show a progress bar on stderr while building.

    Returns:
        RGB, uint8, [0, 255], read-only, `(N, height, width, 3)`.

    Raises:
        ValueError: There are no samples, an image is broken, or all of them together are above the cache's bound.
        OSError: The disk is full.
    """
    if not samples:
        raise ValueError("expected at least one image to cache, got none")
    folder = cache_folder() if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{fingerprint(samples, height, width)}.npy"
    while (opened := open_cache(path)) is None:
        make_room(folder, len(samples) * height * width * 3)
        with whole_file(path) as partial:
            images = np.lib.format.open_memmap(
                partial, mode="w+", dtype=np.uint8, shape=(len(samples), height, width, 3)
            )
            with Progress(len(samples), "decoding", "image", progress) as done:
                fill(images, samples, done.update)
            images.flush()
            del images
    return opened
