"""Fresh people: after each epoch some training identities of SynVI are replaced by new ones, rendered meanwhile."""

import hashlib
import json
import multiprocessing
import os
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mun.data.cache import cache_folder, make_room, open_cache
from mun.data.source import Source
from mun.files import sync, temporary_name
from mun.images import decode, resize
from mun.structures import Split
from mun.synvi.plan import Plan
from mun.synvi.writer import jpeg

__all__ = ["FreshPeople", "check_fresh"]


def check_fresh(source: Source, per_epoch: int) -> Plan:
    """Check that a data set can get fresh people, and return the plan to render them.

    Raises:
        ValueError: The data set is not SynVI of this version, lacks images, or has fewer identities than `per_epoch`.
    """
    if source.name != "synvi":
        raise ValueError(f"expected SynVI for fresh identities, got {source.name}, which cannot render people")
    plan = replace(Plan.from_manifest(source.manifest), truth=False)
    complete = plan.train_ids * len(plan.cameras) * plan.images
    if len(source.train) != complete:
        raise ValueError(f"expected all {complete} training images of the manifest, got {len(source.train)}")
    if not 1 <= per_epoch <= plan.train_ids:
        raise ValueError(f"expected fresh between 1 and the {plan.train_ids} training identities, got {per_epoch}")
    return plan


class FreshPeople:
    """Training images of SynVI whose people change: labels are places, and places get new people.

    At the start of epoch e ≥ 1 the next `per_epoch` places, in turn, get people that are in no split; the seed and the
    level of the data set determine them. Separate processes render each generation during the epoch before, into one
    file of the cache; the files of replaced people are removed.

    Args:
        source: The data set; its manifest describes how to render more people.
        pixels: Its training images, uint8, `(C·I, H, W, 3)`, ascending by identity, camera, index; generation 0.
        per_epoch: Places that change after each epoch, 1 to C.
        folder: Folder of the cache; `cache_folder()` by default.
        workers: Processes that render a generation; all cores but one by default.

    Raises:
        ValueError: As `check_fresh`, or `pixels` has another length.
    """

    def __init__(
        self,
        source: Source,
        pixels: NDArray[np.uint8],
        per_epoch: int,
        folder: Path | None = None,
        workers: int | None = None,
    ) -> None:
        self.plan = check_fresh(source, per_epoch)
        self.places, self.images_each = self.plan.train_ids, len(self.plan.cameras) * self.plan.images
        if len(pixels) != self.places * self.images_each:
            raise ValueError(f"expected {self.places * self.images_each} training images, got {len(pixels)}")
        self.per_epoch, self.pixels = per_epoch, pixels
        self.lifetime = -(-self.places // per_epoch)  # epochs until every place has changed
        self.folder = cache_folder() if folder is None else folder
        self.workers = max(1, (os.cpu_count() or 1) - 1) if workers is None else workers
        self._making: dict[int, list[BaseProcess]] = {}
        self._open: dict[int, NDArray[np.uint8]] = {0: pixels}

    def replaced(self, epoch: int) -> NDArray[np.int64]:
        """Return the places that change at the start of an epoch ≥ 1, `(per_epoch,)`."""
        return ((epoch - 1) * self.per_epoch + np.arange(self.per_epoch)) % self.places

    def born(self, epoch: int) -> NDArray[np.int64]:
        """Return for each place the epoch in which its present person came, `(C,)`; 0 for the first one."""
        out = np.zeros(self.places, np.int64)
        for earlier in range(max(1, epoch - self.lifetime + 1), epoch + 1):
            out[self.replaced(earlier)] = earlier
        return out

    def images(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.uint8]:
        """Return the images of some rows as they are in an epoch, uint8, `(N, H, W, 3)`.

        Raises:
            OSError: A process that rendered them died, or the disk is full.
        """
        place, offset = np.divmod(rows, self.images_each)
        born = self.born(epoch)[place]
        out = np.empty((len(rows), *self.pixels.shape[1:]), np.uint8)
        out[born == 0] = self.pixels[rows[born == 0]]
        for generation in np.unique(born[born > 0]).tolist():
            chosen = born == generation
            turn = (place[chosen] - (generation - 1) * self.per_epoch) % self.places
            out[chosen] = self._opened(generation)[turn * self.images_each + offset[chosen]]
        return out

    def prepare(self, epoch: int) -> None:
        """Start rendering the new people of an epoch, unless they are rendered or being rendered."""
        if epoch in self._making or self._path(epoch).exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        make_room(self.folder, self.per_epoch * self.images_each * self.pixels[0].nbytes)
        shape = (self.per_epoch * self.images_each, *self.pixels.shape[1:])
        partial = self._partial(epoch)
        np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape).flush()
        first = self.places + (epoch - 1) * self.per_epoch
        context = multiprocessing.get_context("spawn")
        self._making[epoch] = [
            context.Process(target=_render, args=(self.plan, first, start, self.workers, partial), daemon=True)
            for start in range(min(self.workers, self.per_epoch))
        ]
        for process in self._making[epoch]:
            process.start()

    def close(self) -> None:
        """Stop what is being rendered, and leave nothing half-written."""
        for epoch, processes in self._making.items():
            for process in processes:
                process.terminate()
                process.join()
            self._partial(epoch).unlink(missing_ok=True)
        self._making.clear()

    def _opened(self, epoch: int) -> NDArray[np.uint8]:
        """Open a generation, waiting until it is rendered; close and remove the ones that are not used any more."""
        while epoch not in self._open:
            self.prepare(epoch)
            processes = self._making.pop(epoch, [])
            for process in processes:
                process.join()
            if processes:
                if any(process.exitcode for process in processes):
                    self._partial(epoch).unlink(missing_ok=True)
                    raise OSError("a process that renders fresh people died; is there enough memory and disk?")
                sync(self._partial(epoch))
                self._partial(epoch).replace(self._path(epoch))
            if (images := open_cache(self._path(epoch))) is None:  # another job has just removed it
                continue
            self._open[epoch] = images
            for gone in [known for known in self._open if 0 < known <= epoch - self.lifetime - 1]:
                del self._open[gone]
                self._path(gone).unlink(missing_ok=True)
        return self._open[epoch]

    def _path(self, epoch: int) -> Path:
        words = json.dumps([self.plan.command, self.plan.level.hash, self.per_epoch, self.pixels.shape[1:]])
        digest = hashlib.sha256(words.encode()).hexdigest()[:24]
        return self.folder / f"fresh-{digest}-{epoch:06d}.npy"

    def _partial(self, epoch: int) -> Path:
        return self._path(epoch).with_name(temporary_name(self._path(epoch).stem))


def _render(plan: Plan, first: int, start: int, step: int, path: Path) -> None:
    """Render every `step`-th person of a generation into its rows; ends with the process that started it."""
    images = np.load(path, mmap_mode="r+")
    each = len(plan.cameras) * plan.images
    parent = multiprocessing.parent_process()
    for turn in range(start, len(images) // each, step):
        if parent is not None and not parent.is_alive():
            return
        for row, recipe in enumerate(plan.recipes(Split.TRAIN, first + turn), start=turn * each):
            decoded = decode(jpeg(recipe.image(), recipe.camera.quality))
            images[row] = resize(decoded, *images.shape[1:3])
    images.flush()
