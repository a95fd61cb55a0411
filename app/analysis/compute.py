"""What an analysis needs beyond the mathematics: cached results, and work in the background."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.analysis.request import Analyse, View
from app.library import Library
from app.library.background import Job, Progress
from app.library.collection import Direction, Terms
from mun.analysis.curves import KNOBS, Curve, knob_curves
from mun.analysis.facts import Facts, column_facts, synvi_facts
from mun.analysis.probes import Probe, pixel_rows, probes
from mun.analysis.report import Analysis, analyse
from mun.data.corruptions import SEVERITIES
from mun.data.pairing import pair_samples
from mun.embedding import embed_pairs
from mun.evaluation.benchmark import BenchmarkResult
from mun.evaluation.corrupted import Corruption
from mun.files import read_json
from mun.models.network import Network

__all__ = ["Task", "analysis", "answer", "corruption_curves", "facts_of", "knobs", "probed", "task"]

TRIALS = 10
BUNDLED = Path(__file__).parents[2] / "assets" / "knob-curves.json"  # of the bundled checkpoints, with the command
PAIRS_AT_ONCE = 64
PROBE_BYTES, CURVE_BYTES, FACT_BYTES = 20_000, 2_000, 400  # of all probes, of curves, of an image's facts


@dataclass(frozen=True)
class Task:
    """Background work: under which key of the cache its result will be, and the job."""

    key: Hashable
    job: Job

    def ask(self, library: Library, do: str, who: str) -> Progress | None:
        """Say how far it is; `None` where nobody has begun it. A start begins it, a stop ends it for who asks."""
        if self.job.ready():
            return Progress(ready=True)
        if do == "stop":
            library.background.stop(self.key, who)
        if do != "start" and not library.background.knows(self.key):
            return None
        return library.background.ask(self.key, self.job, who=who, retry=do == "start")

    def result(self) -> Any:
        """Return what is there, or make it anew where the cache has dropped it."""
        return self.job.work()


def facts_of(library: Library, data: str) -> Facts:
    """Return what is known of the images of a data set: on SynVI its truth, else what a CSV says."""
    collection = library.collections[data]

    def read() -> Facts:
        if collection.plan is not None:
            return synvi_facts(collection.plan, collection.samples)
        return column_facts(collection.source.columns if collection.source else {}, collection.samples)

    return library.cache.get(("facts", collection.content), read, lambda _: FACT_BYTES * len(collection.samples))


def key_of(library: Library, request: Analyse) -> tuple[object, ...]:
    """Name an analysis by content."""
    contents = tuple((name, library.checkpoints[name].content) for name in request.names(library))
    return ("analysis", contents, library.collections[request.data].content, request.protocol)


def analysis(library: Library, request: Analyse) -> Analysis:
    """Return the analysis of a checked request, made once for everybody.

    Raises:
        ValueError: The data cannot be embedded by a model, or nobody in a gallery is who is asked for.
    """

    def make() -> Analysis:
        collection, facts = library.collections[request.data], facts_of(library, request.data)
        models = {name: library.embeddings(name, request.data) for name in request.names(library)}
        protocol = collection.search(request.protocol, Direction.INFRARED_TO_VISIBLE)
        return analyse(protocol, collection.samples, facts, models, data=collection.name, trials=TRIALS)

    def weigh(made: Analysis) -> int:
        arrays = (value for one in made.models for value in vars(one).values() if isinstance(value, np.ndarray))
        return 200_000 + sum(value.nbytes for value in arrays)

    return library.cache.get(key_of(library, request), make, weigh)


def answer(library: Library, request: Analyse) -> dict[str, Any]:
    """Answer `/analyse`."""
    return analysis(library, request).to_json()


def task(library: Library, request: View) -> Task:
    """Describe the work of an analysis itself."""
    key = key_of(library, request)
    begun = Progress(words="every query is asked in ten galleries")
    return Task(key, Job(begun, lambda: analysis(library, request), lambda: key in library.cache, "analysis"))


def probed(library: Library, request: View, name: str) -> Task:
    """Describe the work of probing one model."""
    collection = library.collections[request.data]
    key = ("probes", library.checkpoints[name].content, collection.content)

    def work() -> list[Probe]:
        facts, rows, auxiliary = facts_of(library, request.data), library.embeddings(name, request.data), None
        if not library.checkpoints[name].vectors and (network := library.network(name)).auxiliary.num_images:
            pairs = pair_samples(collection.samples)
            parts = []
            for start in range(0, len(pairs), PAIRS_AT_ONCE):
                library.background.report(key, start, total=len(pairs), words=f"auxiliary images of {name}")
                parts.append(embed_pairs(network, pairs[start : start + PAIRS_AT_ONCE])[:, 0])
            auxiliary = ([pair.visible for pair in pairs], np.concatenate(parts))

        def report(done: int, total: int) -> None:
            library.background.report(key, done, total=total, words=f"probes of {name}")

        report(0, 1)
        pixels = pixel_rows(collection.samples) if collection.pictured else None
        return probes(collection.samples, facts, rows, pixels, auxiliary, report)

    return kept(library, key, work, "probes", PROBE_BYTES)


def bundled(library: Library, knob: str, names: Sequence[str]) -> list[Curve]:
    """Read the curves of a knob that were measured beforehand; nothing unless there is one of each model."""
    try:
        listed = library.cache.get(
            ("knob curves", BUNDLED), lambda: read_json(BUNDLED)["curves"], lambda _: CURVE_BYTES
        )
        found = {(one["name"], one["content"]): one for one in listed}
        made = [found[knob, library.checkpoints[name].content] for name in names]
    except (OSError, ValueError, KeyError):
        return []
    return [
        Curve(knob, name, *(tuple(one[part]) for part in ("values", "mean_ap", "sd")))
        for name, one in zip(names, made, strict=True)
    ]


def knobs(library: Library, request: View) -> Task:
    """Describe the work of a knob's curve by each model: rendering, embedding, scoring, unless that was done before."""
    names = request.names(library)
    key = ("knob", request.knob, tuple((name, library.checkpoints[name].content) for name in names))
    if known := bundled(library, request.knob, names):
        library.cache.get(key, lambda: known, lambda _: CURVE_BYTES)

    def work() -> list[Curve]:
        networks: dict[str, Network] = {name: library.network(name) for name in names}

        def report(done: int, total: int) -> None:
            library.background.report(key, done, total=total, words=f"images at {len(KNOBS[request.knob])} values")

        with tempfile.TemporaryDirectory(prefix="mun-knobs-") as folder:
            return knob_curves(request.knob, networks, Path(folder), report)

    return kept(library, key, work, "knobs", CURVE_BYTES)


def kept(library: Library, key: tuple[object, ...], work: Any, kind: str, num_bytes: int) -> Task:
    """Describe work whose result is kept, one at a time of its kind, as long as somebody asks for it."""
    job = Job(
        Progress(words="waiting for its turn"),
        lambda: library.cache.get(key, work, lambda _: num_bytes),
        lambda: key in library.cache,
        kind,
        fleeting=True,
    )
    return Task(key, job)


def corruption_curves(library: Library, request: View, do: str) -> tuple[list[Curve], Progress | None]:
    """Return the curves of a corruption by each model, as far as its severities are embedded, and what is under way."""
    names, steps = (
        request.names(library),
        [(severity, Corruption(request.corruption, severity)) for severity in SEVERITIES],
    )
    waiting = [
        (name, corruption)
        for name in names
        for _, corruption in steps
        if not library.ready(name, request.data, corruption)
    ]
    curves = []
    for name in names:
        results: dict[float, BenchmarkResult] = {0.0: library.scores(name, request.data, Terms(request.protocol))}
        for severity, corruption in steps:
            if (name, corruption) not in waiting:
                terms = Terms(request.protocol, corruption=corruption)
                results[float(severity)] = library.scores(name, request.data, terms)
        curves.append(Curve.of(request.corruption, name, results))
    if not waiting:
        return curves, Progress(ready=True)
    if do == "stop":
        for name, corruption in waiting:
            library.stop(name, request.data, corruption)
        return curves, None
    return curves, under_way(library, request, waiting, do)


def under_way(library: Library, request: View, waiting: Iterable[tuple[str, Corruption]], do: str) -> Progress | None:
    """Say how far the first embedding that is waited for is; `None` where nobody has begun."""
    if do not in ("start", "again"):
        return None
    name, corruption = next(iter(waiting))
    made = library.prepare(name, request.data, retry=do == "start", corruption=corruption)
    words = f"{name}, severity {corruption.severity}"
    return Progress(made.done, made.total, problem=made.problem, stopped=made.stopped, words=words)
