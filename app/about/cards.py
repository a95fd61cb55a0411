"""What a checkpoint is: its model card, read from the card that lies beside its weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.library import Library
from app.library.checkpoints import CheckpointEntry
from mun.checkpoint import WEIGHTS, Card
from mun.training.card import flag_text

__all__ = ["COLUMNS", "ModelCard", "Score", "Setting", "model_card"]

SHOWN_HASH = 12  # hexadecimal digits
COLUMNS = (("rank-1", "rank1"), ("rank-10", "rank10"), ("mAP", "mean_ap"), ("mINP", "mean_inp"))
SHOWN = tuple(name for _, name in COLUMNS)  # of the scores of a record
DASH, TIMES, NOT_SAID = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}", "not said"


@dataclass(frozen=True)
class Score:
    """Test scores by one protocol: what was tested, then the cells of a line, and the commands that make them again."""

    name: str
    cells: tuple[str, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """One choice of a run: its name, its value and the default as the command line takes them, and what it means."""

    name: str
    value: str
    default: str
    text: str

    @property
    def changed(self) -> bool:
        """Whether it is not as by default."""
        return self.value != self.default


@dataclass(frozen=True)
class ModelCard:
    """A model card.

    Attributes:
        checkpoint: Name.
        summary: What it is, in a sentence.
        facts: What its card knows, as label and words.
        scores: On people of no part in training or choice.
        unreadable: Scores of the card that are not in a form this page knows.
        limits: What it cannot show, besides what no checkpoint can.
        commands: That made and measured it.
        settings: Every choice of the run.
    """

    checkpoint: str
    summary: str
    facts: list[tuple[str, str]]
    scores: list[Score]
    unreadable: int
    limits: list[str]
    commands: list[str]
    settings: list[Setting]


def model_card(library: Library, checkpoint: str) -> ModelCard:
    """Read a checkpoint's card.

    Raises:
        ValueError: There is no such checkpoint, or it cannot be used.
    """
    entry = library.checkpoints[checkpoint]
    if (card := entry.card) is None:
        raise ValueError(f"expected a checkpoint that can be used, {entry.name} cannot: {entry.reason}")
    if entry.own is not None:
        return own_card(entry, card)
    read = [score for record in card.scores for score in read_scores(record)]
    scores = [score for score in read if score is not None]
    return ModelCard(
        entry.name,
        summary_of(card),
        facts_of(entry, card),
        scores,
        len(read) - len(scores),
        limits_of(card),
        list(dict.fromkeys([*card.command, *(command for score in scores for command in score.commands)])),
        list(settings_of(card.config)),
    )


def own_card(entry: CheckpointEntry, card: Card) -> ModelCard:
    """Say the little that is known of a model of the owner's."""
    model, layers = card.config.model, ", ".join(entry.own.stages if entry.own else ())
    facts = [
        ("Network", f"images of {model.height}{TIMES}{model.image_width} pixels, {entry.parameters:,} numbers"),
        ("Maps", f"of {layers}" if layers else "none: the model names no layers"),
        ("Hash of weights", entry.content[:SHOWN_HASH]),
        ("Made with", ", ".join(f"{name} {version}" for name, version in card.versions.items())),
    ]
    limits = [
        "How it was trained, and on whom, is not known here; scores on people of its training say nothing.",
        "It has no auxiliary modality here: Auxiliary shows another checkpoint, Embeddings two modalities.",
    ]
    summary = "A model of your own, given on the command line; it stands beside the checkpoints in every tab."
    return ModelCard(entry.name, summary, facts, [], 0, limits, card.command, [])


def summary_of(card: Card) -> str:
    """Say in a sentence what a checkpoint is."""
    model, kind = card.config.model, card.config.model.auxiliary
    third = "without an auxiliary modality" if kind == "none" else f"with the auxiliary modality {kind}"
    trained = f"trained for {card.steps:,} steps" if card.steps else "with random weights, never trained,"
    return f"A {model.backbone.replace('resnet', 'ResNet-')} of width {model.width:g}, {trained} {third}."


def facts_of(entry: CheckpointEntry, card: Card) -> list[tuple[str, str]]:
    """List what a card knows, as label and words."""
    model, train = card.config.model, card.config.train
    own = {"own": "a stem of its own", "visible": "the visible stem"}[model.auxiliary_stem]
    third = "" if model.auxiliary == "none" else f"; the auxiliary image enters by {own}"
    batch = f"{train.ids_per_batch} people {TIMES} {train.instances_per_id} images of each modality per step"
    try:
        size = f"{(entry.folder / WEIGHTS).stat().st_size / 1e6:.1f} MB, {entry.parameters:,} numbers"
    except OSError:
        size = "the file is gone"
    return [
        ("Trained on", data_words(card.data)),
        ("People", people_words(card.data)),
        ("Network", f"images of {model.height}{TIMES}{model.image_width} pixels{third}"),
        ("Budget", f"{card.steps:,} steps, {train.epochs} epochs asked for; {batch}"),
        ("Seed", f"{card.seed}, one run"),
        ("Weights", size),
        ("Chosen by", selection_words(card.selection)),
        ("Hash of card and weights", entry.content[:SHOWN_HASH]),
        ("Made with", ", ".join(f"{name} {version}" for name, version in card.versions.items()) or NOT_SAID),
    ]


def data_words(data: Mapping[str, Any]) -> str:
    """Say what a checkpoint was trained on."""
    name = data.get("name")
    if name != "synvi":
        return f"{name}" if isinstance(name, str) and name else NOT_SAID
    words = ["SynVI (synthetic)"]
    if isinstance(data.get("level"), str):
        words.append(f"level {data['level']}")
    named = (("level_version", "version"), ("level_hash", "hash"), ("seed", "seed"))
    return ", ".join([*words, *(f"{text} {data[key]}" for key, text in named if key in data)])


def people_words(data: Mapping[str, Any]) -> str:
    """Say how many people and images each split had."""
    splits, found = data.get("splits"), []
    for split, text in (("train", "to train on"), ("val", "to validate on")):
        counts = splits.get(split) if isinstance(splits, Mapping) else None
        people, images = (
            counts.get(name) if isinstance(counts, Mapping) else None for name in ("identities", "images")
        )
        if isinstance(people, int) and isinstance(images, int):
            found.append(f"{people:,} {text} ({images:,} images)")
    return ", ".join(found) or NOT_SAID


def selection_words(selection: Mapping[str, Any]) -> str:
    """Say how the weights were chosen."""
    words = [str(selection.get("by") or NOT_SAID)]
    if isinstance(selection.get("protocol"), str):
        words.append(selection["protocol"])
    if isinstance(selection.get("identities"), int):
        words.append(f"{selection['identities']:,} people")
    if isinstance(selection.get("validations"), int):
        words.append(f"{selection['validations']} validations")
    scores = fractions(selection.get("scores"))
    return ", ".join(
        [*words, *(f"{title} {100 * scores[name]:.1f} % there" for title, name in COLUMNS if name in scores)]
    )


def limits_of(card: Card) -> list[str]:
    """List what a checkpoint cannot show, from what its card says."""
    model, limits = card.config.model, []
    if not card.steps:
        limits.append("It was not trained: its weights are random.")
    if card.data.get("name") == "synvi":
        before = "learned from other images, then from" if "pretrained" in card.data else "seen"
        limits.append(f"It has {before} rendered people only. How it does on photographs of real people is not known.")
    else:
        limits.append("It was trained on data that are not part of this project, under the terms of their owners.")
    if model.width < 1:
        limits.append(
            f"A narrow backbone (width {model.width:g} of 1) on images of {model.height}{TIMES}{model.image_width}"
            " pixels; what it shows need not hold for large ones."
        )
    return limits


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
    shots, trials, people, queries = (
        count(record.get(name)) for name in ("shots", "trials", "identities", "num_valid")
    )
    extra = [words for name, words in (("flip", "image and mirror"), ("rerank", "re-ranked")) if record.get(name)]
    name = [text(record.get("protocol")) or "protocol not said", *([] if shots is None else [f"{shots}-shot"])]
    galleries = DASH if trials is None else f"{trials} {text(record.get('sampler'))}".rstrip()
    commands = record.get("commands")
    return Score(
        ", ".join([*name, *extra, *notes]),
        (
            *(DASH if value is None else f"{value:,}" for value in (people, queries)),
            galleries,
            *(percent(mean.get(name), sd.get(name) if trials != 1 else None) for name in SHOWN),
        ),
        tuple(one for one in commands if isinstance(one, str)) if isinstance(commands, list) else (),
    )


def percent(mean: float | None, sd: float | None) -> str:
    """Write a score and its spread."""
    return DASH if mean is None else f"{100 * mean:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")


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


def text(value: object) -> str:
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
