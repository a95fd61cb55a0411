"""What a checkpoint is: its model card, read from the card that lies beside its weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.actions.checks import known
from app.library import Library
from app.library.checkpoints import CheckpointEntry
from mun.checkpoint import WEIGHTS
from mun.config import Config
from mun.training.card import flag_text

__all__ = ["SHOWN", "Request", "Result", "Score", "Setting", "run"]

SHOWN = ("rank1", "rank10", "mean_ap", "mean_inp")  # of the scores of a record


@dataclass(frozen=True)
class Request:
    """Whose card is asked for; an empty name stands for the default checkpoint."""

    checkpoint: str = ""

    def checked(self, library: Library) -> Request:
        """Return the request with its default filled in.

        Raises:
            ValueError: There is no such checkpoint, or it cannot be used.
        """
        return Request(known("checkpoint", self.checkpoint, library.usable))


@dataclass(frozen=True)
class Score:
    """Test scores by one protocol, as the card holds them.

    Attributes:
        data: What the images are.
        protocol: Name of the protocol.
        split: Of the data, as `test`.
        identities: People of the test; `None` where the card does not say.
        queries: Queries with a match.
        shots: Gallery images per identity and camera.
        sampler: How galleries were drawn.
        trials: Galleries, or passes over corrupted ones, that the means and deviations are over.
        notes: What else differs from a plain test: flip, re-ranking, corruption.
        mean: Fractions by the names of `SHOWN`.
        sd: Their standard deviations over the trials.
        commands: That make them again.
    """

    data: str
    protocol: str
    split: str
    identities: int | None
    queries: int | None
    shots: int | None
    sampler: str
    trials: int | None
    notes: tuple[str, ...]
    mean: dict[str, float]
    sd: dict[str, float]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """One choice of a run: its name, its value and the default as the command line takes them, and what it means."""

    name: str
    value: str
    default: str
    text: str


@dataclass(frozen=True)
class Result:
    """A model card.

    Attributes:
        checkpoint: Name.
        content: Hash of card and weights, 24 hexadecimal digits.
        config: Every choice of the run.
        settings: The same, one by one.
        budget: Network, size of the images, steps and identities in a line.
        seed: Of the run.
        steps: Trained when these weights were kept; 0 for random ones.
        parameters: Numbers learned, without the classifier of training.
        file_bytes: Size of the weights; `None` where the file is gone.
        data: What it was trained on, as the card says.
        selection: How the weights were chosen, as the card says.
        scores: On people of no part in training or choice.
        unreadable: Scores of the card that are not in a form this page knows.
        commands: That made it.
        versions: With which it was made.
    """

    checkpoint: str
    content: str
    config: Config
    settings: tuple[Setting, ...]
    budget: str
    seed: int
    steps: int
    parameters: int
    file_bytes: int | None
    data: dict[str, Any]
    selection: dict[str, Any]
    scores: tuple[Score, ...]
    unreadable: int
    commands: tuple[str, ...]
    versions: dict[str, str]

    @property
    def synthetic(self) -> bool:
        """Whether it was trained on rendered people."""
        return self.data.get("name") == "synvi"

    def to_json(self) -> dict[str, Any]:
        """Return the card as an object of JSON's own types but for tuples."""
        return asdict(self)


def run(library: Library, request: Request) -> Result:
    """Read a checkpoint's card.

    Raises:
        ValueError: There is no such checkpoint, or it cannot be used.
    """
    entry = library.checkpoints[request.checked(library).checkpoint]
    card = entry.card
    if card is None:  # it was there a moment ago
        raise ValueError(f"expected a checkpoint that can be used, {entry.name} cannot: {entry.reason}")
    scores = [score for record in card.scores for score in read_scores(record)]
    read = [score for score in scores if score is not None]
    return Result(
        entry.name,
        entry.content,
        card.config,
        tuple(settings_of(card.config)),
        entry.budget,
        card.seed,
        card.steps,
        entry.parameters,
        size_of(entry),
        card.data,
        card.selection,
        tuple(read),
        len(scores) - len(read),
        tuple(card.command),
        card.versions,
    )


def size_of(entry: CheckpointEntry) -> int | None:
    """Measure the weights' file."""
    try:
        return (entry.folder / WEIGHTS).stat().st_size
    except OSError:
        return None


def read_scores(record: object) -> Iterator[Score | None]:
    """Read one record of scores, and that of corrupted images within it; `None` for what is in another form."""
    if not isinstance(record, Mapping):
        yield None
        return
    yield read_score(record, ())
    corrupted = record.get("corrupted")
    if isinstance(corrupted, Mapping):
        severity = corrupted.get("severity")
        drawn = f"severity {severity}" if isinstance(severity, int) else "severity drawn from 1 to 5"
        words = f"visible images corrupted ({corrupted.get('order')}), {drawn}"
        inner = {**record, **corrupted, "trials": corrupted.get("passes"), "commands": [corrupted.get("command")]}
        yield read_score(inner, (words,))


def read_score(record: Mapping[str, Any], notes: tuple[str, ...]) -> Score | None:
    """Read the means and deviations of a record; a part that is missing is left out, as long as there is a mean."""
    mean, sd = (fractions(record.get(name)) for name in ("mean", "sd"))
    if not mean:
        return None
    extra = [words for name, words in (("flip", "image and mirror"), ("rerank", "re-ranked")) if record.get(name)]
    commands = record.get("commands")
    return Score(
        word(record.get("data")),
        word(record.get("protocol")),
        word(record.get("split")) or "test",
        count(record.get("identities")),
        count(record.get("num_valid")),
        count(record.get("shots")),
        word(record.get("sampler")),
        count(record.get("trials")),
        (*extra, *notes),
        mean,
        sd,
        tuple(one for one in commands if isinstance(one, str)) if isinstance(commands, list) else (),
    )


def fractions(value: object) -> dict[str, float]:
    """Keep the numbers of `SHOWN`."""
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {
        name: float(one)
        for name, one in pairs
        if name in SHOWN and isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
    }


def count(value: object) -> int | None:
    """Keep a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def word(value: object) -> str:
    """Keep text."""
    return value if isinstance(value, str) else ""


def settings_of(group: Any) -> Iterator[Setting]:
    """List the choices of a config, group by group, in their order."""
    for item in dataclasses.fields(group):
        value = getattr(group, item.name)
        if dataclasses.is_dataclass(value):
            yield from settings_of(value)
        else:
            yield Setting(item.name, flag_text(value), flag_text(item.default), item.metadata["text"])
