"""State that all visitors share: checkpoints, data sets, and heavy results."""

import re
import threading
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from app.library.background import Background, Job, Progress
from app.library.cache import Cache
from app.library.checkpoints import CheckpointEntry, Entries, list_checkpoints, load_network, own_entry
from app.library.collection import Collection, Terms, open_collection
from app.library.features import open_features
from app.library.guests import VISIT, Guests
from app.library.ranking import Item, Order, Table, list_queries, measure, ordered, rank_one_by_one
from app.library.thumbnails import data_uri, named
from app.library.turns import VISITOR, Turns
from mun.data.regdb import check_trial
from mun.data.source import Reading
from mun.decoding import Decoders
from mun.embedding import embed_samples
from mun.evaluation.benchmark import BenchmarkResult, benchmark
from mun.evaluation.corrupted import Corruption
from mun.evaluation.metrics import RankingMetrics
from mun.models.network import Network
from mun.search import Vectors
from mun.structures import Modality

__all__ = ["Library", "open_library"]

CACHE_BYTES = 1_000_000_000
MOST_PAIRS = 30_000_000  # of a query and a gallery image, up to which all queries are ranked and scored
MOST_BYTES = 400_000_000  # of embeddings that are copied at once
TOO_LARGE = "expected fewer images for scores of all queries; `python -m mun score` takes any number"
EMBED_CHUNK = 64  # images between two progress reports, and between two checks for a stop
TRIALS = 10
MANY = 10_000


class Library:
    """Checkpoints and data sets by name, unchanged while the app runs; safe to use from many threads.

    Args:
        checkpoints: All checkpoints, including the unusable ones.
        collections: The data sets, the first is the default.
        device: Where networks run.
        failed: Why data sets could not be opened, one sentence each, by name of the data set or its folder.
    """

    def __init__(
        self,
        checkpoints: Mapping[str, CheckpointEntry],
        collections: Mapping[str, Collection],
        device: torch.device,
        failed: Mapping[str, str] | None = None,
    ) -> None:
        self.failed = dict(failed or {})
        self._checkpoints, self._collections, self.device = Entries(checkpoints), dict(collections), device
        self.guests = Guests()
        self.cache = Cache(CACHE_BYTES)
        self.background = Background()
        self.decoders = Decoders()  # for images of visitors; the data sets are the owner's
        # One network embeds at a time, chunk by chunk: two in parallel share the cores, and each takes twice as long.
        self._counting = threading.Lock()  # one table of distances at a time
        self._embedding = Turns(each=MANY, most=MANY)
        self._lock = threading.Lock()

    @property
    def checkpoints(self) -> Entries:
        """All checkpoints and features files by name, including those of the current event's visitor."""
        visit = VISIT.get()
        return Entries({**self._checkpoints, **visit.entries}) if visit else self._checkpoints

    @property
    def collections(self) -> dict[str, Collection]:
        """All data sets by name, including those of the current event's visitor."""
        visit = VISIT.get()
        return {**self._collections, **visit.collections} if visit else self._collections

    def add_features(self, token: str, file: str, content: bytes) -> tuple[str, str, str]:
        """Read a features file for one visitor; as `Guests.add`."""
        return self.guests.add(token, file, content, self._checkpoints, self._collections)

    def add_checkpoint(self, entry: CheckpointEntry) -> None:
        """Add a checkpoint after the existing ones; one with the same name is replaced in its place."""
        with self._lock:  # a new mapping each time, because other threads may be iterating over the old one
            self._checkpoints = Entries({**self._checkpoints, entry.name: entry})

    def remove_checkpoint(self, name: str) -> None:
        """Remove a checkpoint; later requests for it get an error."""
        with self._lock:
            kept = {other: entry for other, entry in self._checkpoints.items() if other != name}
            self._checkpoints = Entries(kept)

    def fits(self, checkpoint: str, data: str) -> bool:
        """Return whether a model can be used on a data set: features on their own data, a network on image files."""
        entry, collection = self.checkpoints[checkpoint], self.collections[data]
        return collection.content == entry.embedded if entry.vectors else collection.pictured and entry.card is not None

    def fitting(self, data: str) -> list[str]:
        """Return the names of the models that can be used on a data set."""
        return [name for name in self.checkpoints.models if self.fits(name, data)]

    def budget_note(self, names: Iterable[str]) -> str:
        """Return a note if checkpoints have different or unknown budgets; an empty string if they are the same."""
        entries = [self.checkpoints[name] for name in names]
        if len(entries) > 1 and any(entry.vectors for entry in entries):
            return "It is not known how the methods of features files were trained."
        different = len({entry.budget for entry in entries}) > 1
        return "These checkpoints have different budgets, so they do not compare methods." if different else ""

    @property
    def default_checkpoint(self) -> str:
        """Name of the default checkpoint."""
        return self.checkpoints.usable[0]

    @property
    def input_sizes(self) -> list[tuple[int, int]]:
        """Input sizes (H, W) of the usable checkpoints, ascending."""
        cards = (self.checkpoints[name].card for name in self.checkpoints.usable)
        return sorted({card.config.model.size for card in cards if card is not None})

    @property
    def default_data(self) -> str:
        """Name of the default data set."""
        return next(name for name, one in self.collections.items() if one.pictured)

    def network(self, checkpoint: str) -> Network:
        """Return a network; all visitors share it, so never change it and never hook it.

        Raises:
            ValueError: The folder has changed since the app was started, or the model holds only features.
        """
        entry = self.checkpoints[checkpoint]
        if entry.vectors:
            raise ValueError(f"expected a network, but {checkpoint} holds only features of another method")
        return self.cache.get(
            ("network", entry.content),
            lambda: load_network(entry).to(self.device),
            lambda network: sum(tensor.nbytes for tensor in network.state_dict().values()),
        )

    def view(self, data: str, corruption: Corruption | None = None) -> Collection:
        """Return a data set by name, with its visible images corrupted if a corruption is given."""
        collection = self.collections[data]
        if corruption is None:
            return collection
        return replace(collection, content=f"{collection.content} {corruption}", corruption=corruption)

    def embeddings(self, checkpoint: str, data: str, corruption: Corruption | None = None) -> NDArray[np.float32]:
        """Return the unit-length embeddings of a collection's samples, float32, read-only, `(N, D)`.

        Raises:
            ValueError: An image is broken or gone, or the checkpoint has changed or gives values that are not finite.
        """
        with self.background.wanted(self._key("embeddings", checkpoint, data, corruption)):
            return self._embeddings(checkpoint, data, corruption)

    def rows(self, checkpoint: str, data: str, rows: Sequence[int]) -> NDArray[np.float32]:
        """Return the embeddings of some of a collection's samples, float32, `(K, D)`.

        Raises:
            ValueError: As `embeddings`.
        """
        vectors = self.checkpoints[checkpoint].vectors
        return vectors.rows(rows) if vectors else self.embeddings(checkpoint, data)[rows]

    def table(self, checkpoint: str, data: str, terms: Terms) -> Table:
        """Return the ranking of the gallery of a trial for every query.

        Raises:
            ValueError: As `embeddings`.
        """
        collection = self.collections[data]
        if collection.query_sets[terms.protocol, terms.direction].rule.whole:
            terms = replace(terms, trial=0)  # the gallery is the same in every trial

        def compute() -> Table:
            if self.countable(checkpoint, data, terms):
                rows = self.embeddings(checkpoint, data, terms.corruption)
                with self._counting:
                    return measure(collection, rows, terms)
            vectors = self.checkpoints[checkpoint].vectors
            vectors = vectors or Vectors(self.embeddings(checkpoint, data, terms.corruption))
            return rank_one_by_one(collection, vectors, terms)

        return self.cache.get(self._key("table", checkpoint, data, terms), compute, lambda table: table.num_bytes)

    def countable(self, checkpoint: str, data: str, terms: Terms) -> bool:
        """Return whether the features and the gallery are small enough to rank and score all queries."""
        asked = self.collections[data].query_sets[terms.protocol, terms.direction]
        vectors = self.checkpoints[checkpoint].vectors
        small = vectors is None or vectors.num_bytes <= MOST_BYTES
        return small and len(asked.samples) * asked.gallery * terms.shots <= MOST_PAIRS

    def metrics(self, checkpoint: str, data: str, terms: Terms) -> RankingMetrics:
        """Return the ranking metrics of every query in one gallery; queries in the order of the collection.

        Raises:
            ValueError: As `embeddings`, or no query has a match.
        """
        if not self.countable(checkpoint, data, terms):
            raise ValueError(TOO_LARGE)
        metrics = self.table(checkpoint, data, terms).metrics
        if metrics is None:
            raise ValueError("expected a query with a match in the gallery, got none")
        return metrics

    def queries(self, checkpoint: str, data: str, terms: Terms, order: Order = Order.PERSON) -> Sequence[Item]:
        """List the queries in an order, with their scores if the images are embedded already."""
        ready = self.ready(checkpoint, data, terms.corruption)

        def compute() -> list[Item]:
            asked = self.collections[data].query_sets[terms.protocol, terms.direction]
            metrics = self.table(checkpoint, data, terms).metrics if ready else None
            return ordered(list_queries(asked.samples, asked.numbers, metrics), order)

        key = self._key("queries", checkpoint, data, terms, order, ready)
        return self.cache.get(key, compute, lambda items: 200 * len(items))

    def scores(self, checkpoint: str, data: str, terms: Terms) -> BenchmarkResult:
        """Return the scores over ten galleries; with re-ranking, only over the one gallery of `terms`.

        Raises:
            ValueError: As `embeddings`, or no query has a match.
        """
        collection = self.collections[data]
        if not self.countable(checkpoint, data, terms):
            raise ValueError(TOO_LARGE)
        protocol = collection.search(terms.protocol, terms.direction)
        if terms.rerank:
            once = self.metrics(checkpoint, data, terms)
            return BenchmarkResult(
                collection.name, protocol.name, "seeded", terms.shots, False, (once,), rerank=True, distance="re-ranked"
            )

        def compute() -> BenchmarkResult:
            rows = self.embeddings(checkpoint, data, terms.corruption)
            score = partial(benchmark, protocol, collection.samples, data=collection.name)
            with self._counting:
                return score(rows, shots=terms.shots, trials=TRIALS)

        key = self._key("scores", checkpoint, data, replace(terms, trial=0))
        return self.cache.get(key, compute, lambda result: sum(24 * len(one.first_hit) for one in result.per_trial))

    def scored(self, checkpoint: str, data: str, terms: Terms) -> bool:
        """Return whether scores are available at once."""
        if terms.rerank:
            return self.ready(checkpoint, data, terms.corruption)
        return self._key("scores", checkpoint, data, replace(terms, trial=0)) in self.cache

    def thumbnail(self, data: str, key: str, height: int, corruption: Corruption | None = None) -> str:
        """Return an image by its key as a data URI, at most `height` pixels tall; empty if it cannot be read.

        If the data set has no image files, return a card with the image's name.
        """
        collection = self.collections[data]
        if not collection.pictured:
            return named(key, height)
        sample = collection.samples[collection.rows[key]]
        view = self.view(data, corruption if sample.modality is Modality.VISIBLE else None)
        name = ("thumbnail", view.content, key, height)
        return self.cache.get(name, lambda: data_uri(partial(view.image, sample), height), lambda uri: len(uri) + 200)

    def ready(self, checkpoint: str, data: str, corruption: Corruption | None = None) -> bool:
        """Return whether embeddings are available at once."""
        entry = self.checkpoints[checkpoint]
        return bool(entry.vectors) or self._key("embeddings", checkpoint, data, corruption) in self.cache

    def prepare(
        self, checkpoint: str, data: str, *, retry: bool = False, corruption: Corruption | None = None
    ) -> Progress:
        """Start embedding in the background, unless it is done or running, and return its progress.

        Corrupted images are embedded after the clean ones, one corruption at a time, and only while a page asks.

        Args:
            checkpoint: Name of a usable checkpoint.
            data: Name of a data set.
            retry: Start again after a failure or a stop; otherwise that progress is returned again.
            corruption: Corruption of the visible images; `None` for none.
        """
        if self.checkpoints[checkpoint].vectors:
            return Progress(ready=True)
        if corruption is not None:
            clean = self.prepare(checkpoint, data, retry=retry)
            if not clean.ready:
                return clean
        key, samples = self._key("embeddings", checkpoint, data, corruption), self._embedded(data, corruption)
        words = f"every visible image, corrupted ({corruption.description})," if corruption else "every image"
        begun = Progress(0, len(samples), words=words)

        def work() -> None:
            """Compute the results that the first view needs."""
            self._embeddings(checkpoint, data, corruption)
            terms = Terms(self.collections[data].protocols[0], corruption=corruption)
            self.table(checkpoint, data, terms)
            self.scores(checkpoint, data, terms)

        job = Job(begun, work, lambda: key in self.cache, "corrupted" if corruption else "", corruption is not None)
        return self.background.ask(key, job, retry=retry)

    def stop(self, checkpoint: str, data: str, corruption: Corruption | None = None) -> None:
        """Stop the embedding that `prepare` started after the current chunk, unless other visitors wait for it."""
        for what in {None, corruption}:
            self.background.stop(self._key("embeddings", checkpoint, data, what), VISITOR.get())

    def _key(self, what: str, checkpoint: str, data: str, *more: Hashable) -> tuple[Hashable, ...]:
        """Return the cache key of a result about one checkpoint on one collection."""
        return (what, self.checkpoints[checkpoint].content, self.collections[data].content, *more)

    def _embeddings(self, checkpoint: str, data: str, corruption: Corruption | None) -> NDArray[np.float32]:
        key = self._key("embeddings", checkpoint, data, corruption)
        entry, collection = self.checkpoints[checkpoint], self.collections[data]
        if not self.fits(checkpoint, data) or (entry.vectors and corruption):
            raise ValueError(f"expected a model of these images of {collection.title}, got {checkpoint}")
        if entry.vectors:
            if entry.vectors.num_bytes > MOST_BYTES:
                raise ValueError(TOO_LARGE)
            return entry.vectors.rows(np.arange(len(entry.vectors)))
        return self.cache.get(key, lambda: self._embed(checkpoint, data, corruption), lambda rows: rows.nbytes)

    def _embedded(self, data: str, corruption: Corruption | None) -> list[int]:
        """List the rows to embed: all rows, or those that a corruption changes."""
        view = self.view(data, corruption)
        return [row for row, sample in enumerate(view.samples) if corruption is None or view.changes(sample)]

    def _embed(self, checkpoint: str, data: str, corruption: Corruption | None) -> NDArray[np.float32]:
        network, view, rows = self.network(checkpoint), self.view(data, corruption), self._embedded(data, corruption)
        if (card := self.checkpoints[checkpoint].card) is not None and view.source is not None:
            check_trial(card.data, view.source)
        key = self._key("embeddings", checkpoint, data, corruption)
        if corruption is None:
            embeddings = np.zeros((len(view.samples), network.num_features), dtype=np.float32)
        else:
            embeddings = np.array(self._embeddings(checkpoint, data, None))
        for start in range(0, len(rows), EMBED_CHUNK):
            part = rows[start : start + EMBED_CHUNK]
            samples = [view.samples[row] for row in part]
            report = partial(self.background.report, key, start)
            report()
            with self._embedding.turn(self._embedding.take(VISITOR.get()), report), view.readable():
                embeddings[part] = embed_samples(network, samples, read=view.resized)
        embeddings.setflags(write=False)
        return embeddings


def open_sets(
    data: Path | Sequence[tuple[str, Path]], layout: str | None, reading: Reading, instead: Path | None
) -> tuple[dict[str, Collection], dict[str, str]]:
    """Open data sets under different names; if there are several, a failure does not stop the others.

    Returns:
        The data sets by name, and why the others cannot be opened, by name.

    Raises:
        FileNotFoundError: The only data set, or `instead`, is missing.
        ValueError: That data set cannot be searched.
    """
    opened: dict[str, Collection] = {}
    failed: dict[str, str] = {}
    for name, folder in [("", data)] if isinstance(data, Path) else data:
        try:
            one = open_collection(folder, layout, replace(reading, name=name or reading.name))
        except (ValueError, OSError) as error:
            if isinstance(data, Path):
                raise
            failed[name or folder.name] = str(error).replace(str(folder), folder.name)
            continue
        same = [known for known in opened if re.fullmatch(rf"{re.escape(one.name)}(-\d+)?", known)]
        one = replace(one, name=f"{one.name}-{len(same) + 1}") if same else one
        opened[one.name] = one
    if not opened and instead is not None:
        one = open_collection(instead)
        opened[one.name] = one
    return opened, failed


def open_library(
    data: Path | Sequence[tuple[str, Path]],
    checkpoints: Path,
    layout: str | None = None,
    models: Sequence[str] = (),
    features: Sequence[tuple[str, Path]] = (),
    images: Path | None = None,
    reading: Reading | None = None,
    instead: Path | None = None,
) -> Library:
    """Open the folders that the command line names.

    Args:
        data: Folder of the data set, or names and folders of several; a failure of one does not stop the others.
        checkpoints: Folder of checkpoint folders.
        layout: How the data are stored; detected by default.
        models: The owner's own models, `NAME=package.module:function` each; listed after the checkpoints.
        features: Features files of other methods, each under a name.
        images: Folder to which the keys of those files are relative; `None` if the images are not available.
        reading: How the data are read.
        instead: Data to open if none of several data sets can be opened.

    Raises:
        FileNotFoundError: A folder, or something in it, is missing.
        ValueError: The data cannot be searched, no checkpoint can be used, or a features file cannot.
    """
    collections, failed = open_sets(data, layout, reading or Reading(), instead)
    entries = list_checkpoints(checkpoints) + [own_entry(text) for text in models]
    if not any(entry.card is not None for entry in entries):
        reasons = "; ".join(f"{entry.name}: {entry.reason}" for entry in entries[:3])
        found = f"got none that works ({reasons})" if entries else "found none"
        raise ValueError(f"expected a checkpoint folder with model.safetensors and card.json in {checkpoints}, {found}")
    if twice := [name for name, count in Counter(entry.name for entry in entries).items() if count > 1]:
        raise ValueError(f"expected models of different names, got {twice[0]} twice")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    known = {entry.name: entry for entry in entries}
    for name, path in features:
        model, embedded = open_features(name, path, path.name, collections, images=images)
        if name in known or (embedded.name in collections and collections[embedded.name] is not embedded):
            raise ValueError(f"expected a new name for {path.name}, got {name}, which is in use already")
        known[name], collections[embedded.name] = model, embedded
    return Library(known, collections, device, failed=failed)
