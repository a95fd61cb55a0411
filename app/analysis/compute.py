"""What an analysis is asked for and what it needs beyond the mathematics: cached results, work in the background."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from app.library import Library
from app.library.background import Progress
from app.library.collection import Direction, Terms
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

TRIALS = 10
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
    """Say where one model fails, or two: of every query, in slices, by distances.

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
        """Refuse data of one person, of whom nobody else can be told apart."""
        if library.collections[self.data].num_identities < 2:
            raise RefusalError("data", "expected data of at least two people, got one: whoever is asked for is found")
        return self

    def names(self, library: Library) -> tuple[str, ...]:
        """Name the models: one or two."""
        return compared(library, self.checkpoint, self.compare)


class View(Analyse):
    """What the tab shows of an analysis."""

    follows: ClassVar[tuple[str, ...]] = ("compare", "pair")

    part: Annotated[Text, one_of(PARTS)] = option("slices", "Part")
    pair: Whole = option(0, "Cameras", ge=0, le=10_000)
    corruption: Annotated[Text, one_of(list(CORRUPTIONS))] = option("gaussian_noise", "Corruption")
    knob: Annotated[Text, one_of(list(KNOBS))] = option("colour_infrared_correlation", "Knob")


@dataclass(frozen=True)
class Task:
    """Work whose result the cache keeps and a page waits for.

    Attributes:
        library: Whose cache and background.
        key: Of the result; begins with the kind of work, of which one is done at a time.
        make: Does it.
        weigh: Bytes of the result.
        words: How it stands before it begins.
    """

    library: Library
    key: tuple[object, ...]
    make: Callable[[], Any]
    weigh: Callable[[Any], int]
    words: str = "waiting for its turn"

    @property
    def ready(self) -> bool:
        """Whether the result is there."""
        return self.key in self.library.cache

    def result(self) -> Any:
        """Return the result, made where it is not there, once for everybody."""
        return self.library.cache.get(self.key, self.make, self.weigh)

    def begin(self, press: Press, *, fleeting: bool = True) -> Progress:
        """Begin it unless it is there or under way, and say how far it is; a stop ends it for who presses."""
        begun, kind = Progress(words=self.words), str(self.key[0])
        return press.wait_for(self.library, self.key, self.result, begun, kind, fleeting=fleeting)

    def look(self, press: Press) -> Progress | None:
        """Say how far it is; `None` where nobody has begun it, unless a press starts it."""
        known = self.ready or press.do == "start" or self.library.background.knows(self.key)
        return self.begin(press) if known else None


def facts_of(library: Library, data: str) -> Facts:
    """Return what is known of the images of a data set: on SynVI its truth, else what a CSV says."""
    collection = library.collections[data]

    def read() -> Facts:
        if collection.plan is not None:
            return synvi_facts(collection.plan, collection.samples)
        return column_facts(collection.source.columns if collection.source else {}, collection.samples)

    return library.cache.get(("facts", collection.content), read, lambda _: FACT_BYTES * len(collection.samples))


def task(library: Library, request: Analyse) -> Task:
    """Describe the work of an analysis; it fails where a model cannot embed the data or nobody has a match."""
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
    return Task(library, key, make, weigh, "every query is asked in ten galleries")


def analysis(library: Library, request: Analyse) -> Analysis:
    """Return the analysis of a checked request, made once for everybody.

    Raises:
        ValueError: The data cannot be embedded by a model, or nobody in a gallery is who is asked for.
    """
    made: Analysis = task(library, request).result()
    return made


def answer(library: Library, request: Analyse) -> dict[str, Any]:
    """Answer `/analyse`."""
    return analysis(library, request).to_json()


def measured(library: Library, request: View, part: str, press: Press | None) -> tuple[Sequence[Any], Progress | None]:
    """Return what is there of probes (a list per model) or curves, and how far the rest is.

    Args:
        library: What all visitors share.
        request: Of which models, and along what.
        part: `probes`, `corruptions` or `knobs`.
        press: What the page asks for: `start`, `stop`, or to be told; `None` where no page waits and nothing begins.

    Returns:
        The results, and the progress; `None` where nobody has begun.
    """
    if part == "corruptions":
        return corruption_curves(library, request, press.do if press else "")
    tasks = [probed(library, request.data, name) for name in request.names(library)]
    if part == "knobs":
        tasks = [knobs(library, request)]
    for one in tasks:
        # On a page the others follow the first.
        progress = one.begin(press) if press and one is not tasks[0] else one.look(press or Press())
        if progress is None or not progress.ready:
            return [], progress
    made = [one.result() for one in tasks]
    return made[0] if part == "knobs" else made, Progress(ready=True)


def probed(library: Library, data: str, name: str) -> Task:
    """Describe the work of probing one model."""
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


def knobs(library: Library, request: View) -> Task:
    """Describe the work of a knob's curve by each model: rendering, embedding, scoring, unless that was done before."""
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
    """Read the curves of a knob that were measured beforehand; nothing unless there is one of each model."""
    key = ("knob curves", BUNDLED)
    try:
        listed = library.cache.get(key, lambda: read_json(BUNDLED)["curves"], lambda _: CURVE_BYTES)
        found = {(one["name"], one["content"]): one for one in listed}
        made = [(name, found[knob, content]) for name, content in contents]
    except (OSError, ValueError, KeyError):
        return []
    return [Curve(knob, name, *(tuple(one[part]) for part in ("values", "mean_ap", "sd"))) for name, one in made]


def corruption_curves(library: Library, request: View, do: str) -> tuple[list[Curve], Progress | None]:
    """Return the curves of a corruption by each model, as far as its severities are embedded, and what is under way."""
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
