"""Requests for an analysis, and the work that they need: cached results, tasks in the background."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from app.library import Library
from app.library.background import Progress
from app.library.collection import Direction, Terms
from app.library.library import MOST_PAIRS, TRIALS
from app.shared.request import Choice, Compared, OfModel, Protocol, RefusalError, Text, Whole, compared, one_of, option
from app.shared.tab import Press
from mun.analysis.curves import KNOBS, Curve, knob_curves
from mun.analysis.facts import Facts, column_facts, synvi_facts
from mun.analysis.probes import Probe, pixel_rows, probes
from mun.analysis.report import Analysis, analyse
from mun.data.corruptions import CORRUPTIONS, SEVERITIES
from mun.data.pairing import pair_samples
from mun.embedding import embed_pairs
from mun.evaluation.corrupted import Corruption
from mun.files import read_json

__all__ = ["PARTS", "Analyse", "Task", "View", "analysis", "answer", "measured", "task"]

MOST_CAMERAS = 400  # pairs of a query's and a gallery image's camera
BUNDLED = Path(__file__).parents[2] / "assets" / "knob-curves.json"  # of the bundled checkpoints, with the command
PAIRS_AT_ONCE = 64
PROBE_BYTES, CURVE_BYTES, FACT_BYTES = 20_000, 2_000, 400  # of all probes, of curves, of an image's facts
PARTS = (
    Choice("slices", "Slices"),
    Choice("people", "Queries and people"),
    Choice("distances", "Distances"),
    Choice("probes", "What it knows"),
    Choice("corruptions", "Corruptions"),
    Choice("knobs", "Knobs of SynVI"),
)


class Analyse(OfModel):
    """Analyse where one or two models fail: for every query, in slices, and by distances.

    Returns what `python -m mun analyse` writes to analysis.json, without probes and curves: scores of every query over
    ten galleries; of four directions; of every slice with its 95 % interval over people and what stands out; people and
    confused pairs; queries that one model alone finds; histograms of distances, the threshold at equal error and the
    open set. Fractions; null where a query has no match or a slice too few people.
    """

    protocol: Protocol = ""
    compare: Compared = option(
        "", "Compare with", "A second checkpoint, partner or none; empty for the fair partner where there is one."
    )

    def settle(self, library: Library) -> Self:
        """Refuse data of a single person, which nobody else can be confused with."""
        collection = library.collections[self.data]
        if collection.num_identities < 2:
            raise RefusalError("data", "expected data of at least two people, got one: every query would be found")
        sides = [collection.query_sets[self.protocol, way] for way in Direction]
        pairs = max(len(one.samples) for one in sides) * max(one.gallery for one in sides)  # it searches in all ways
        if pairs > MOST_PAIRS:
            raise RefusalError("data", "expected fewer images here; `python -m mun analyse` takes more")
        if (cameras := math.prod(len(one.camids) for one in sides)) > MOST_CAMERAS:
            words = f"expected at most {MOST_CAMERAS} pairs of cameras, whose distances are compared; got {cameras:,}"
            raise RefusalError("data", words)
        return self

    def names(self, library: Library) -> tuple[str, ...]:
        """Return the names of the models, one or two."""
        return compared(library, self.checkpoint, self.compare)


class View(Analyse):
    """The request of the tab: an analysis, and the part of it to show."""

    follows: ClassVar[tuple[str, ...]] = ("compare", "pair")

    part: Annotated[Text, one_of(PARTS)] = option("slices", "Part")
    pair: Whole = option(0, "Cameras", ge=0, le=10_000)
    corruption: Annotated[Text, one_of(list(CORRUPTIONS))] = option("gaussian_noise", "Corruption")
    knob: Annotated[Text, one_of(list(KNOBS))] = option("colour_infrared_correlation", "Knob")


@dataclass(frozen=True)
class Task:
    """Work that a page waits for, and whose result the cache keeps.

    Attributes:
        library: The library, with the cache and the background worker.
        key: Cache key of the result; its first part is the kind of work, and one task of a kind runs at a time.
        make: Computes the result.
        weigh: Returns the size of the result, bytes.
        words: Text of the progress before the work begins.
    """

    library: Library
    key: tuple[object, ...]
    make: Callable[[], Any]
    weigh: Callable[[Any], int]
    words: str = "waiting for its turn"

    @property
    def ready(self) -> bool:
        """Whether the result is in the cache."""
        return self.key in self.library.cache

    def result(self) -> Any:
        """Return the result; a missing one is computed once for all visitors."""
        return self.library.cache.get(self.key, self.make, self.weigh)

    def begin(self, press: Press, *, fleeting: bool = True) -> Progress:
        """Begin the work unless it is done or running, and return its progress; a stop ends it for this visitor."""
        begun, kind = Progress(words=self.words), str(self.key[0])
        return press.wait_for(self.library, self.key, self.result, begun, kind, fleeting=fleeting)

    def look(self, press: Press) -> Progress | None:
        """Return the progress of the work; `None` where it has not begun and the press does not start it."""
        known = self.ready or press.do == "start" or self.library.background.knows(self.key)
        return self.begin(press) if known else None


def facts_of(library: Library, data: str) -> Facts:
    """Return the known facts about the images of a data set: the truth of SynVI, else the columns of a CSV."""
    collection = library.collections[data]

    def read() -> Facts:
        if collection.plan is not None:
            return synvi_facts(collection.plan, collection.samples)
        return column_facts(collection.source.columns if collection.source else {}, collection.samples)

    return library.cache.get(("facts", collection.content), read, lambda _: FACT_BYTES * len(collection.samples))


def task(library: Library, request: Analyse) -> Task:
    """Return the task of an analysis; it fails where a model cannot embed the data or no query has a match."""
    names, collection = request.names(library), library.collections[request.data]

    def make() -> Analysis:
        models = {name: library.embeddings(name, request.data) for name in names}
        protocol = collection.search(request.protocol, Direction.INFRARED_TO_VISIBLE)
        facts = facts_of(library, request.data)
        return analyse(protocol, collection.samples, facts, models, data=collection.name, trials=TRIALS)

    def weigh(made: Analysis) -> int:
        arrays = (value for one in made.models for value in vars(one).values() if isinstance(value, np.ndarray))
        return 200_000 + sum(value.nbytes for value in arrays)

    contents = tuple((name, library.checkpoints[name].content) for name in names)
    key = ("analysis", contents, collection.content, request.protocol)
    return Task(library, key, make, weigh, "every query is ranked in ten galleries")


def analysis(library: Library, request: Analyse) -> Analysis:
    """Return the analysis of a checked request, computed once for all visitors.

    Raises:
        ValueError: A model cannot embed the data, or no query has a match in a gallery.
    """
    made: Analysis = task(library, request).result()
    return made


def answer(library: Library, request: Analyse) -> dict[str, Any]:
    """Answer `/analyse`."""
    return analysis(library, request).to_json()


def measured(library: Library, request: View, part: str, press: Press | None) -> tuple[Sequence[Any], Progress | None]:
    """Return the finished probes (a list per model) or curves, and the progress of the rest.

    Args:
        library: The app's library, shared by all visitors.
        request: The models, the corruption and the knob.
        part: `probes`, `corruptions` or `knobs`.
        press: Starts, stops or only asks for the progress; `None` where no page waits, so that nothing begins.

    Returns:
        The results, and the progress; `None` where the work has not begun.
    """
    if part == "corruptions":
        return corruption_curves(library, request, press.do if press else "")
    tasks = [probe_task(library, request.data, name) for name in request.names(library)]
    if part == "knobs":
        tasks = [knob_task(library, request)]
    for one in tasks:
        # On a page, the other tasks follow the first by themselves.
        progress = one.begin(press) if press and one is not tasks[0] else one.look(press or Press())
        if progress is None or not progress.ready:
            return [], progress
    made = [one.result() for one in tasks]
    return made[0] if part == "knobs" else made, Progress(ready=True)


def probe_task(library: Library, data: str, name: str) -> Task:
    """Return the task of probing one model."""
    collection, entry = library.collections[data], library.checkpoints[name]
    key = ("probes", entry.content, collection.content)

    def report(done: int, total: int, words: str = f"probes of {name}") -> None:
        library.background.report(key, done, total=total, words=words)

    def make() -> list[Probe]:
        facts, rows, auxiliary = facts_of(library, data), library.embeddings(name, data), None
        if not entry.vectors and (network := library.network(name)).auxiliary.num_images:
            pairs, parts = pair_samples(collection.samples), []
            for start in range(0, len(pairs), PAIRS_AT_ONCE):
                report(start, len(pairs), f"auxiliary images of {name}")
                parts.append(embed_pairs(network, pairs[start : start + PAIRS_AT_ONCE])[:, 0])
            auxiliary = ([pair.visible for pair in pairs], np.concatenate(parts))
        report(0, 1)
        pixels = pixel_rows(collection.samples) if collection.pictured else None
        return probes(collection.samples, facts, rows, pixels, auxiliary, report)

    return Task(library, key, make, lambda _: PROBE_BYTES)


def knob_task(library: Library, request: View) -> Task:
    """Return the task of a knob's curve by each model: render, embed and score, unless the curves are bundled."""
    names = request.names(library)
    contents = tuple((name, library.checkpoints[name].content) for name in names)
    key = ("knobs", request.knob, contents)

    def report(done: int, total: int) -> None:
        library.background.report(key, done, total=total, words=f"images at {len(KNOBS[request.knob])} values")

    def make() -> list[Curve]:
        networks = {name: library.network(name) for name in names}
        with tempfile.TemporaryDirectory(prefix="mun-knobs-") as folder:
            return knob_curves(request.knob, networks, Path(folder), report)

    if known := bundled(library, request.knob, contents):
        library.cache.get(key, lambda: known, lambda _: CURVE_BYTES)
    return Task(library, key, make, lambda _: CURVE_BYTES)


def bundled(library: Library, knob: str, contents: Sequence[tuple[str, str]]) -> list[Curve]:
    """Read the bundled curves of a knob; empty unless there is one for each model."""
    key = ("knob curves", BUNDLED)
    try:
        listed = library.cache.get(key, lambda: read_json(BUNDLED)["curves"], lambda _: CURVE_BYTES)
        found = {(one["name"], one["content"]): one for one in listed}
        made = [(name, found[knob, content]) for name, content in contents]
    except (OSError, ValueError, KeyError):
        return []
    return [Curve(knob, name, *(tuple(one[part]) for part in ("values", "mean_ap", "sd"))) for name, one in made]


def corruption_curves(library: Library, request: View, do: str) -> tuple[list[Curve], Progress | None]:
    """Return a corruption's curve by each model, over the severities embedded so far, and the progress of the rest."""
    names, data = request.names(library), request.data
    steps = {float(severity): Corruption(request.corruption, severity) for severity in SEVERITIES}
    waiting = [(name, step) for name in names for step in steps.values() if not library.ready(name, data, step)]
    curves = []
    for name in names:
        done = {0.0: None, **{at: step for at, step in steps.items() if (name, step) not in waiting}}
        terms = {at: Terms(request.protocol, corruption=step) for at, step in done.items()}
        scores = {at: library.scores(name, data, one) for at, one in terms.items()}
        curves.append(Curve.of(request.corruption, name, scores))
    if not waiting:
        return curves, Progress(ready=True)
    for name, step in waiting if do == "stop" else ():
        library.stop(name, data, step)
    if do not in ("start", "again"):
        return curves, None
    name, step = waiting[0]
    made = library.prepare(name, data, retry=do == "start", corruption=step)
    return curves, replace(made, ready=False, words=f"{name}, severity {step.severity}")
