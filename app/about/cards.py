"""Model cards: the description of a checkpoint, read from the card beside its weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.library import Library
from app.library.checkpoints import CheckpointEntry
from app.shared.export import SHOWN_HASH
from mun.checkpoint import WEIGHTS, Card
from mun.config import leaves
from mun.training.card import flag_text

__all__ = ["COLUMNS", "ModelCard", "Score", "Setting", "model_card"]

COLUMNS = (("rank-1", "rank1"), ("rank-10", "rank10"), ("mAP", "mean_ap"), ("mINP", "mean_inp"))
DASH, TIMES, NOT_SAID = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}", "not said"


class Score(NamedTuple):
    """Test scores by one protocol: what was tested, then the cells of a line, and the commands that make them again."""

    name: str
    cells: tuple[str, ...]
    commands: tuple[str, ...]


class Setting(NamedTuple):
    """One choice of a run: its name, its value and the default as the command line takes them, and what it means."""

    name: str
    value: str
    default: str
    text: str

    @property
    def changed(self) -> bool:
        """Whether the value differs from the default."""
        return self.value != self.default


@dataclass(frozen=True)
class ModelCard:
    """A model card.

    Attributes:
        checkpoint: Name.
        summary: Its description in a sentence.
        facts: Facts from its card, as label and text.
        limits: Its limits, besides those of every checkpoint.
        commands: Commands that made and measured it.
        scores: Scores on people who took no part in training or selection.
        settings: Every choice of the run.
    """

    checkpoint: str
    summary: str
    facts: Sequence[tuple[str, str]]
    limits: Sequence[str]
    commands: Sequence[str] = ()
    scores: Sequence[Score] = ()
    settings: Sequence[Setting] = ()


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
    model, kind = card.config.model, card.config.model.auxiliary
    third = "without an auxiliary modality" if kind == "none" else f"with the auxiliary modality {kind}"
    trained = f"trained for {card.steps:,} steps" if card.steps else "with random weights, never trained,"
    summary = f"A {model.backbone.replace('resnet', 'ResNet-')} of width {model.width:g}, {trained} {third}."
    scores = [score for record in card.scores for score in scores_of(record)]
    commands = dict.fromkeys([*card.command, *(command for score in scores for command in score.commands)])
    settings = [
        Setting(one.name, flag_text(value), flag_text(one.default), one.metadata["text"])
        for one, value in leaves(card.config)
    ]
    return ModelCard(entry.name, summary, facts_of(entry, card), limits_of(card), list(commands), scores, settings)


def own_card(entry: CheckpointEntry, card: Card) -> ModelCard:
    """Return the card of a model of the owner, of which little is known."""
    model, layers = card.config.model, ", ".join(entry.own.stages if entry.own else ())
    facts = [
        ("Network", f"images of {model.height}{TIMES}{model.image_width} pixels, {entry.parameters:,} numbers"),
        ("Maps", f"of {layers}" if layers else "none: the model names no layers"),
        ("Hash of weights", entry.content[:SHOWN_HASH]),
        ("Made with", versions_of(card)),
    ]
    limits = [
        "How it was trained, and on whom, is not known here; scores on its training people mean nothing.",
        "It has no auxiliary modality here: Auxiliary shows another checkpoint, Embeddings two modalities.",
    ]
    summary = "A model of your own, given on the command line; it stands beside the checkpoints in every tab."
    return ModelCard(entry.name, summary, facts, limits, card.command)


def facts_of(entry: CheckpointEntry, card: Card) -> list[tuple[str, str]]:
    """List the facts of a card, as label and text."""
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
        ("People", people_words(card.data.get("splits", {}))),
        ("Network", f"images of {model.height}{TIMES}{model.image_width} pixels{third}"),
        ("Budget", f"{card.steps:,} steps, {train.epochs} epochs planned; {batch}"),
        ("Seed", f"{card.seed}, one run"),
        ("Weights", size),
        ("Chosen by", selection_words(card.selection)),
        ("Hash of card and weights", entry.content[:SHOWN_HASH]),
        ("Made with", versions_of(card) or NOT_SAID),
    ]


def versions_of(card: Card) -> str:
    """List the libraries that made a checkpoint."""
    return ", ".join(f"{name} {version}" for name, version in card.versions.items())


def data_words(data: Mapping[str, Any]) -> str:
    """Say what a checkpoint was trained on."""
    if data.get("name") != "synvi":
        return data.get("name") or NOT_SAID
    named = (("level", "level"), ("level_version", "version"), ("level_hash", "hash"), ("seed", "seed"))
    return ", ".join(["SynVI (synthetic)", *(f"{text} {data[key]}" for key, text in named if key in data)])


def people_words(splits: Mapping[str, Mapping[str, float]]) -> str:
    """Say how many people and images each split had."""
    found = [
        f"{splits[split]['identities']:,} {text} ({splits[split]['images']:,} images)"
        for split, text in (("train", "to train on"), ("val", "to validate on"))
        if {"identities", "images"} <= splits.get(split, {}).keys()
    ]
    return ", ".join(found) or NOT_SAID


def selection_words(selection: Mapping[str, Any]) -> str:
    """Say how the weights were chosen."""
    words = [str(selection.get(name)) for name in ("by", "protocol") if name in selection]
    counts = (("identities", "people"), ("validations", "validations"))
    words += [f"{selection[name]} {text}" for name, text in counts if name in selection]
    scores = selection.get("scores", {})
    words += [f"{title} {100 * scores[name]:.1f} % there" for title, name in COLUMNS if name in scores]
    return ", ".join(words) or NOT_SAID


def limits_of(card: Card) -> list[str]:
    """List the limits of a checkpoint, from its card."""
    model = card.config.model
    limits = [] if card.steps else ["It was not trained: its weights are random."]
    if card.data.get("name") == "synvi":
        before = "learned from other images, then from" if "pretrained" in card.data else "seen"
        limits.append(f"It has {before} rendered people only. How it does on photographs of real people is not known.")
    else:
        limits.append("It was trained on data that are not part of this project, under the terms of their owners.")
    if model.width < 1:
        limits.append(
            f"A narrow backbone (width {model.width:g} of 1) on images of {model.height}{TIMES}{model.image_width}"
            " pixels; its results need not hold for large ones."
        )
    return limits


def scores_of(record: Mapping[str, Any]) -> Iterator[Score]:
    """Yield the line of a record of scores, and the line of its corrupted images where it has one."""
    yield line_of(record, "")
    if corrupted := record.get("corrupted"):
        severity = corrupted.get("severity")
        drawn = "severity drawn from 1 to 5" if severity is None else f"severity {severity}"
        words = f", visible images corrupted ({corrupted.get('order')}), {drawn}"
        inner = {**record, **corrupted, "trials": corrupted.get("passes"), "commands": [corrupted.get("command")]}
        yield line_of(inner, words)


def line_of(record: Mapping[str, Any], note: str) -> Score:
    """Write the line of one record; a missing value is a dash."""
    mean, trials = record.get("mean", {}), record.get("trials", DASH)
    sd = {} if trials == 1 else record.get("sd", {})
    extra = [words for name, words in (("flip", ", image and mirror"), ("rerank", ", re-ranked")) if record.get(name)]
    shots = f", {record['shots']}-shot" if "shots" in record else ""
    return Score(
        f"{record.get('protocol', 'protocol not said')}{shots}{''.join(extra)}{note}",
        (
            *(f"{record[name]:,}" if name in record else DASH for name in ("identities", "num_valid")),
            f"{trials} {record.get('sampler', '')}",
            *(percent(mean[name], sd.get(name)) if name in mean else DASH for _, name in COLUMNS),
        ),
        tuple(map(str, record.get("commands", ()))),
    )


def percent(mean: float, sd: float | None) -> str:
    """Write a score and its spread."""
    return f"{100 * mean:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")
