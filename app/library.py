"""What all visitors share: checkpoints, data sets, and the heavy results about them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from app.cache import Cache
from app.checkpoints import CheckpointEntry, list_checkpoints, load_network
from app.collection import Collection, Terms, open_collection, search
from app.distances import Table, judge, measure
from app.thumbnails import data_uri
from mun.embedding import embed_samples
from mun.evaluation.benchmark import BenchmarkResult, benchmark
from mun.evaluation.metrics import RankingMetrics
from mun.models.network import Network
from mun.structures import Sample

__all__ = ["Library", "Preparation", "StoppedError", "open_library"]

CACHE_BYTES = 1_000_000_000
EMBED_CHUNK = 64  # images between two reports of progress, and between two looks at the stop
TRIALS = 10


class StoppedError(ValueError):
    """Somebody has stopped the embedding."""


@dataclass(frozen=True)
class Preparation:
    """How far the embedding of a data set by a checkpoint has come.

    Attributes:
        done: Images embedded.
        total: Images to embed.
        ready: Whether the embeddings can be used at once.
        problem: Why they cannot be made, or an empty string.
        stopped: Whether somebody has stopped it.
    """

    done: int
    total: int
    ready: bool = False
    problem: str = ""
    stopped: bool = False


class Library:
    """Checkpoints and data sets by name, unchanged while the app runs; safe to use from many threads.

    Args:
        checkpoints: Every folder that was found, also the unusable ones.
        collections: The data sets, the first is the default.
        device: Where networks run.
        max_bytes: Bound of the one cache.
    """

    def __init__(
        self,
        checkpoints: Mapping[str, CheckpointEntry],
        collections: Mapping[str, Collection],
        device: torch.device,
        max_bytes: int = CACHE_BYTES,
    ) -> None:
        self.checkpoints, self.collections, self.device = dict(checkpoints), dict(collections), device
        self.cache = Cache(max_bytes)
        self._progress: dict[tuple[str, str], Preparation] = {}
        self._stopping: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @property
    def usable(self) -> list[str]:
        """Names of the checkpoints that can be used."""
        return [name for name, entry in self.checkpoints.items() if entry.card is not None]

    @property
    def default_checkpoint(self) -> str:
        """Name of the checkpoint for who does not choose."""
        return self.usable[0]

    @property
    def default_data(self) -> str:
        """Name of the data set for who does not choose."""
        return next(iter(self.collections))

    def network(self, checkpoint: str) -> Network:
        """Return a network, shared by everybody: never change it, never hook it.

        Raises:
            ValueError: The folder has changed since the app was started.
        """
        entry = self.checkpoints[checkpoint]
        return self.cache.get(
            ("network", entry.content),
            lambda: load_network(entry).to(self.device),
            lambda network: sum(tensor.nbytes for tensor in network.state_dict().values()),
        )

    def embeddings(self, checkpoint: str, data: str) -> NDArray[np.float32]:
        """Return the unit-length embeddings of a collection's samples, float32, read-only, `(N, D)`.

        Raises:
            ValueError: An image is broken or gone, or the checkpoint has changed or gives values that are not finite.
        """
        return self.cache.get(
            self._embeddings_key(checkpoint, data), lambda: self._embed(checkpoint, data), lambda rows: rows.nbytes
        )

    def table(self, checkpoint: str, data: str, terms: Terms) -> Table:
        """Return the distances of every query to the gallery of a trial.

        Raises:
            ValueError: As `embeddings`.
        """
        key = ("table", *self._embeddings_key(checkpoint, data)[1:], terms)
        return self.cache.get(
            key,
            lambda: measure(self.collections[data], self.embeddings(checkpoint, data), terms),
            lambda table: table.distances.nbytes,
        )

    def metrics(self, checkpoint: str, data: str, terms: Terms) -> RankingMetrics:
        """Return how well every query is ranked in one gallery; queries in the order of the collection.

        Raises:
            ValueError: As `embeddings`, or no query has a match.
        """
        key = ("metrics", *self._embeddings_key(checkpoint, data)[1:], terms)
        return self.cache.get(
            key,
            lambda: judge(self.collections[data], self.table(checkpoint, data, terms), terms),
            lambda metrics: 24 * len(metrics.first_hit),
        )

    def scores(self, checkpoint: str, data: str, terms: Terms) -> BenchmarkResult:
        """Return the scores over ten galleries; those of a re-ranking over the one gallery of `terms`.

        Raises:
            ValueError: As `embeddings`, or no query has a match.
        """
        collection = self.collections[data]
        if terms.rerank:
            protocol, once = search(terms.protocol, terms.direction), self.metrics(checkpoint, data, terms)
            return BenchmarkResult(
                collection.name, protocol.name, "seeded", terms.shots, False, (once,), rerank=True, distance="re-ranked"
            )
        key = ("scores", *self._embeddings_key(checkpoint, data)[1:], replace(terms, trial=0))
        return self.cache.get(
            key,
            lambda: benchmark(
                search(terms.protocol, terms.direction),
                collection.samples,
                self.embeddings(checkpoint, data),
                data=collection.name,
                shots=terms.shots,
                trials=TRIALS,
            ),
            lambda result: sum(24 * len(metrics.first_hit) for metrics in result.per_trial),
        )

    def thumbnail(self, data: str, sample: Sample, height: int) -> str:
        """Return an image as a data URI, at most `height` pixels tall; empty where the file cannot be read."""
        key = ("thumbnail", self.collections[data].content, sample.key, height)
        return self.cache.get(key, lambda: data_uri(sample.path, height), lambda uri: len(uri) + 200)

    def ready(self, checkpoint: str, data: str) -> bool:
        """Say whether embeddings can be had at once."""
        return self._embeddings_key(checkpoint, data) in self.cache

    def prepare(self, checkpoint: str, data: str, *, retry: bool = False) -> Preparation:
        """Start embedding in the background, unless that is done or under way, and say how far it is.

        Args:
            checkpoint: Name of a usable checkpoint.
            data: Name of a data set.
            retry: Start anew where it has failed or was stopped; otherwise that is reported again.
        """
        total = len(self.collections[data].samples)
        if self.ready(checkpoint, data):
            return Preparation(total, total, ready=True)
        with self._lock:
            reported = self._progress.get((checkpoint, data))
            if reported is not None and not (retry and (reported.problem or reported.stopped)):
                return reported
            begun = self._progress[checkpoint, data] = Preparation(0, total)
            self._stopping.discard((checkpoint, data))
        threading.Thread(target=self._prepare, args=(checkpoint, data), name="prepare", daemon=True).start()
        return begun

    def stop(self, checkpoint: str, data: str) -> None:
        """Stop the embedding that `prepare` has started, for everybody, after the images in hand; else do nothing."""
        with self._lock:
            reported = self._progress.get((checkpoint, data))
            if reported is not None and not (reported.problem or reported.stopped):
                self._stopping.add((checkpoint, data))
                self._progress[checkpoint, data] = replace(reported, stopped=True)

    def _prepare(self, checkpoint: str, data: str) -> None:
        """Compute what a first visitor will ask for; a failure is kept for the page and never ends the app."""
        terms, problem, stopped = Terms(self.collections[data].protocols[0]), "", False
        try:
            self.metrics(checkpoint, data, terms)
            self.scores(checkpoint, data, terms)
        except StoppedError:
            with self._lock:
                stopped = (checkpoint, data) in self._stopping
            if not stopped:  # somebody has started it again while it was coming to its end
                self._prepare(checkpoint, data)
                return
        except ValueError as error:
            problem = str(error)
        except Exception as error:
            logging.getLogger(__name__).exception("embedding %s by %s failed", data, checkpoint)
            problem = f"an unexpected error ({type(error).__name__}); the log of the app says more"
        with self._lock:
            reported = self._progress.pop((checkpoint, data), Preparation(0, len(self.collections[data].samples)))
            self._stopping.discard((checkpoint, data))
            if (problem or stopped) and not self.ready(checkpoint, data):
                self._progress[checkpoint, data] = replace(reported, problem=problem, stopped=stopped)

    def _embeddings_key(self, checkpoint: str, data: str) -> tuple[str, str, str]:
        return ("embeddings", self.checkpoints[checkpoint].content, self.collections[data].content)

    def _embed(self, checkpoint: str, data: str) -> NDArray[np.float32]:
        network, collection = self.network(checkpoint), self.collections[data]
        samples, parts = collection.samples, []
        for start in range(0, len(samples), EMBED_CHUNK):
            self._report(checkpoint, data, start)
            try:
                parts.append(embed_samples(network, samples[start : start + EMBED_CHUNK]))
            except OSError:  # its message names a folder of the machine, which is nobody's business
                raise ValueError(f"an image of {collection.title} is gone from the disk; start the app again") from None
        embeddings = np.concatenate(parts)
        embeddings.setflags(write=False)
        return embeddings

    def _report(self, checkpoint: str, data: str, done: int) -> None:
        """Note how far the embedding is, and end it where somebody has asked for that."""
        with self._lock:
            if (checkpoint, data) in self._stopping:
                raise StoppedError("the embedding of the images was stopped; start it again on the page")
            if (reported := self._progress.get((checkpoint, data))) is not None:
                self._progress[checkpoint, data] = replace(reported, done=done)


def open_library(data: Path, checkpoints: Path, dataset: str | None = None) -> Library:
    """Open the folders that the command line names.

    Args:
        data: Folder of the data set.
        checkpoints: Folder of checkpoint folders.
        dataset: `synvi` or `sysu`; found out by default.

    Raises:
        FileNotFoundError: A folder, or something in it, is missing.
        ValueError: The data cannot be searched, or no checkpoint can be used.
    """
    collection = open_collection(data, dataset)
    entries = list_checkpoints(checkpoints)
    if not any(entry.card is not None for entry in entries):
        reasons = "; ".join(f"{entry.name}: {entry.reason}" for entry in entries[:3])
        found = f"got none that works ({reasons})" if entries else "found none"
        raise ValueError(f"expected a checkpoint folder with model.safetensors and card.json in {checkpoints}, {found}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Library({entry.name: entry for entry in entries}, {collection.name: collection}, device)
